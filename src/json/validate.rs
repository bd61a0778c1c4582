//! The one pass over a document that finds every fault. What passes may be walked without
//! looking for any.

use super::text::escape;
use super::{DEPTH_MAX, Error, MEMBERS_MAX, Object, Text};

/// The text of the one value in `document`.
pub(super) fn document(document: &[u8]) -> Result<&str, Error> {
    let text = core::str::from_utf8(document)
        .map_err(|error| Error { at: error.valid_up_to(), expected: "UTF-8" })?;
    let mut check = Check { text, at: 0 };
    check.space();
    let start = check.at;
    check.value(0)?;
    let end = check.at;
    check.space();
    if check.at == text.len() {
        Ok(&text[start..end])
    } else {
        check.expected("nothing after the value")
    }
}

struct Check<'a> {
    text: &'a str,
    at: usize,
}

impl Check<'_> {
    fn expected<T>(&self, expected: &'static str) -> Result<T, Error> {
        Err(Error { at: self.at, expected })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), Error> {
        match self.peek() {
            Some(b'{' | b'[') if depth == DEPTH_MAX => {
                self.expected("at most 16 arrays and objects in one another")
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.expected("a value"),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Error> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            self.expected(word)
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), Error> {
        self.at += 1;
        self.space();
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.space();
            self.value(depth)?;
            self.space();
            if self.eat(b']') {
                return Ok(());
            }
            if !self.eat(b',') {
                return self.expected("a comma or ]");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Error> {
        let start = self.at;
        self.at += 1;
        self.space();
        if self.eat(b'}') {
            return Ok(());
        }
        for _ in 0..MEMBERS_MAX {
            self.member(start, depth)?;
            if self.eat(b'}') {
                return Ok(());
            }
            if !self.eat(b',') {
                return self.expected("a comma or }");
            }
        }
        self.expected("at most 256 members in an object")
    }

    /// One member of the object that begins at `start`, and the white space around it.
    fn member(&mut self, start: usize, depth: usize) -> Result<(), Error> {
        self.space();
        if self.peek() != Some(b'"') {
            return self.expected("a key");
        }
        let key = self.at;
        self.string()?;
        self.differs(start, key)?;
        self.space();
        if !self.eat(b':') {
            return self.expected("a colon");
        }
        self.space();
        self.value(depth)?;
        self.space();
        Ok(())
    }

    /// The key at `key` is none of those before it in the object that begins at `start`.
    fn differs(&self, start: usize, key: usize) -> Result<(), Error> {
        let before = Object(&self.text[start..key]);
        let text = Text::of(&self.text[key..self.at]);
        if before.iter().any(|(earlier, _)| earlier == text) {
            return Err(Error { at: key, expected: "a key that this object does not have yet" });
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Error> {
        let mut rest = self.text[self.at + 1..].chars();
        loop {
            self.at = self.text.len() - rest.as_str().len();
            match rest.next() {
                Some('"') => break,
                Some('\\') if escape(&mut rest).is_none() => {
                    return self.expected("an escape that is a whole character");
                }
                Some('\0'..='\u{1f}') => return self.expected("an escaped control character"),
                Some(_) => {}
                None => return self.expected("a closing quote"),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// RFC 8259 section 6.
    fn number(&mut self) -> Result<(), Error> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _signed = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.expected("a digit") } else { Ok(()) }
    }
}

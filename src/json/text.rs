//! JSON strings: compared and printed as the characters they mean, and written.

use core::fmt::{self, Write};

/// A string of a checked document, as it is written there.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// The string that `quoted`, checked before, is.
    pub(super) fn of(quoted: &'a str) -> Self {
        Self(quoted.get(1..quoted.len() - 1).unwrap_or_default())
    }

    /// The characters it means.
    #[must_use]
    pub fn chars(self) -> Chars<'a> {
        Chars(self.0.chars())
    }

    /// The string itself, if it is written without escapes.
    #[must_use]
    pub fn to_str(self) -> Option<&'a str> {
        (!self.0.contains('\\')).then_some(self.0)
    }

    /// Length of what it means in UTF-8, in bytes.
    #[must_use]
    pub fn len_bytes(self) -> usize {
        self.chars().map(char::len_utf8).sum()
    }

    /// Whether it means nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.to_str(), other.to_str()) {
            (Some(one), Some(other)) => one == other,
            _ => self.chars().eq(other.chars()),
        }
    }
}

impl Eq for Text<'_> {}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        match self.to_str() {
            Some(text) => text == other,
            None => self.chars().eq(other.chars()),
        }
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|char| f.write_char(char))
    }
}

/// The characters a [`Text`] means.
#[derive(Clone, Debug)]
pub struct Chars<'a>(core::str::Chars<'a>);

impl Iterator for Chars<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self.0.next()? {
            '\\' => escape(&mut self.0),
            char => Some(char),
        }
    }
}

/// The character of the escape that begins before `rest`; RFC 8259 section 7. None where there
/// is no such escape, or half of a surrogate pair.
pub(super) fn escape(rest: &mut core::str::Chars<'_>) -> Option<char> {
    Some(match rest.next()? {
        char @ ('"' | '\\' | '/') => char,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => return unicode(rest),
        _ => return None,
    })
}

fn unicode(rest: &mut core::str::Chars<'_>) -> Option<char> {
    let first = hex4(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    if (rest.next()?, rest.next()?) != ('\\', 'u') {
        return None;
    }
    let second = hex4(rest)?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)
}

fn hex4(rest: &mut core::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value << 4 | rest.next()?.to_digit(16)?))
}

/// Prints what `T` prints as a JSON string, quotes included.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<T>(pub T);

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        write!(Inside(f), "{}", self.0)?;
        f.write_char('"')
    }
}

/// Writes between the quotes of a string.
struct Inside<'f, 'g>(&'f mut fmt::Formatter<'g>);

impl Write for Inside<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| match char {
            '"' | '\\' => write!(self.0, "\\{char}"),
            '\n' => self.0.write_str("\\n"),
            '\r' => self.0.write_str("\\r"),
            '\t' => self.0.write_str("\\t"),
            '\0'..='\u{1f}' => write!(self.0, "\\u{:04x}", u32::from(char)),
            _ => self.0.write_char(char),
        })
    }
}

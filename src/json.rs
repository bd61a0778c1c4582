//! JSON (RFC 8259) in place: one pass checks the whole document, then values are read where they
//! stand. Never copies, never allocates, never returns a value of a document with a fault further
//! on. How long a document may be is for the caller to say before it is in memory.

mod text;
mod validate;

pub use text::{Chars, Escaped, Text};

/// How many arrays and objects may stand in one another.
pub const DEPTH_MAX: usize = 16;

/// How many members an object may have.
pub const MEMBERS_MAX: usize = 256;

/// Where a text stops being the JSON that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}")]
pub struct Error {
    /// Offset of the fault, in bytes.
    pub at: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

/// A value of a document that was checked whole.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as it is written.
    Number(Number<'a>),
    /// A string.
    Text(Text<'a>),
    /// An array.
    Array(Array<'a>),
    /// An object; its keys differ from each other.
    Object(Object<'a>),
}

/// Checks all of `document` and returns its value.
///
/// # Errors
/// Other text than one JSON value in UTF-8 with white space around it; a key that is twice in an
/// object, however it is escaped; a `\u` escape that is half a character; more than
/// [`DEPTH_MAX`] or [`MEMBERS_MAX`].
pub fn parse(document: &[u8]) -> Result<Value<'_>, Error> {
    validate::document(document).map(Value::of)
}

impl<'a> Value<'a> {
    /// The value that `text`, checked before, is.
    fn of(text: &'a str) -> Self {
        match text.as_bytes().first() {
            Some(b'{') => Self::Object(Object(text)),
            Some(b'[') => Self::Array(Array(text)),
            Some(b'"') => Self::Text(Text::of(text)),
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'-' | b'0'..=b'9') => Self::Number(Number(text)),
            _ => Self::Null,
        }
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn to_bool(self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The whole number from 0 to 2^64 - 1, if it is one and written as one.
    #[must_use]
    pub fn to_u64(self) -> Option<u64> {
        match self {
            Self::Number(number) => number.to_u64(),
            _ => None,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn to_text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The array, if it is one.
    #[must_use]
    pub fn to_array(self) -> Option<Array<'a>> {
        match self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn to_object(self) -> Option<Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// A number as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Number<'a>(&'a str);

impl<'a> Number<'a> {
    /// Its text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// Its value, if it is written without sign, fraction and exponent, and fits.
    #[must_use]
    pub fn to_u64(self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// Its value, if it is written without fraction and exponent, and fits.
    #[must_use]
    pub fn to_i64(self) -> Option<i64> {
        self.0.parse().ok()
    }
}

/// An array.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a>(&'a str);

impl<'a> Array<'a> {
    /// The elements, in order.
    #[must_use]
    pub fn iter(self) -> Elements<'a> {
        Elements(Walk { text: self.0, at: 1 })
    }
}

/// The elements of an array, in order.
#[derive(Clone, Debug)]
pub struct Elements<'a>(Walk<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.0.value()
    }
}

/// An object.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a>(&'a str);

impl<'a> Object<'a> {
    /// The members, in the order they are written in.
    pub fn iter(self) -> impl Iterator<Item = (Text<'a>, Value<'a>)> + Clone {
        let mut walk = Walk { text: self.0, at: 1 };
        core::iter::from_fn(move || Some((walk.value()?.to_text()?, walk.value()?)))
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        self.iter().find(|(found, _)| *found == *key).map(|(_, value)| value)
    }
}

/// Steps over the inside of an array or object that was checked before.
#[derive(Clone, Copy, Debug)]
struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// The value after the white space, comma or colon here; none at the closing bracket.
    fn value(&mut self) -> Option<Value<'a>> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at)?, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':') {
            self.at += 1;
        }
        let start = self.at;
        match bytes[start] {
            b']' | b'}' => return None,
            b'"' => self.skip_text(),
            b'[' | b'{' => self.skip_nested(),
            _ => self.skip_bare(),
        }
        self.text.get(start..self.at).map(Value::of)
    }

    fn skip_text(&mut self) {
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(byte) = bytes.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
    }

    fn skip_nested(&mut self) {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.skip_text();
                    continue;
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                break;
            }
        }
    }

    fn skip_bare(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"+-.".contains(byte);
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }
}

#[cfg(test)]
mod tests;

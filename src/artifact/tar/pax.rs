//! PAX records: `LENGTH KEY=VALUE\n`, the length counting itself and the newline; POSIX.1-2017
//! pax, "pax Extended Header". What `size` and `path` say counts; what only tells who made the
//! archive and when is passed over; any other key could change what the member is, and is refused.

use super::{Excerpt, Name};

/// Keys that are read, and keys that say nothing an update needs.
const KEYS: [&[u8]; 10] = [
    b"size", b"path", b"uid", b"gid", b"uname", b"gname", b"mtime", b"atime", b"ctime", b"comment",
];

/// What is wrong with PAX records.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Larger than any that is needed.
    #[error("it is larger than {} bytes", super::PAX_MAX_BYTES)]
    TooLarge,
    /// No member follows.
    #[error("no regular file follows it")]
    Alone,
    /// The length of a record is not where the record ends.
    #[error("a record has another length than it says")]
    Length,
    /// A record without a key.
    #[error("a record is no KEY=VALUE")]
    Form,
    /// A key that is not known to be harmless.
    #[error("the key {key:?} is not supported")]
    Key {
        /// The key.
        key: Excerpt<40>,
    },
    /// A key that stands twice.
    #[error("the key {key:?} is there twice")]
    Twice {
        /// The key.
        key: Excerpt<40>,
    },
    /// A size or path that is none.
    #[error("the {key} is not {expected}")]
    Value {
        /// The key.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

/// What the records say about the next member.
#[derive(Debug, Default)]
pub(super) struct Pax {
    pub(super) size_bytes: Option<u64>,
    pub(super) path: Option<Name>,
}

impl Pax {
    pub(super) fn parse(mut records: &[u8]) -> Result<Self, Fault> {
        let mut pax = Self::default();
        let mut seen = [false; KEYS.len()];
        // Every turn takes at least one record away.
        while !records.is_empty() {
            let ((key, value), rest) = record(records)?;
            let Some(index) = KEYS.iter().position(|known| *known == key) else {
                return Err(Fault::Key { key: shown(key) });
            };
            if core::mem::replace(&mut seen[index], true) {
                return Err(Fault::Twice { key: shown(key) });
            }
            pax.take(key, value)?;
            records = rest;
        }
        Ok(pax)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let text = core::str::from_utf8(value).ok();
        match key {
            b"size" => {
                let size = text.and_then(decimal);
                let fault = Fault::Value { key: "size", expected: "a number below 2^63" };
                self.size_bytes = Some(size.ok_or(fault)?);
            }
            b"path" => {
                let path = text.and_then(|text| Name::try_from(text).ok());
                let fault = Fault::Value { key: "path", expected: "UTF-8 of at most 255 bytes" };
                self.path = Some(path.ok_or(fault)?);
            }
            _ => {}
        }
        Ok(())
    }
}

fn shown(key: &[u8]) -> Excerpt<40> {
    Excerpt::of(key.escape_ascii())
}

/// A key and its value.
type Pair<'a> = (&'a [u8], &'a [u8]);

/// The first record, and what follows it.
fn record(records: &[u8]) -> Result<(Pair<'_>, &[u8]), Fault> {
    let blank = records.iter().position(|byte| *byte == b' ').ok_or(Fault::Length)?;
    let text = core::str::from_utf8(&records[..blank]).ok();
    let length = text.and_then(decimal).and_then(|length| usize::try_from(length).ok());
    let (record, rest) =
        length.and_then(|length| records.split_at_checked(length)).ok_or(Fault::Length)?;
    let pair = record.get(blank + 1..).and_then(|pair| pair.strip_suffix(b"\n"));
    let pair = pair.ok_or(Fault::Length)?;
    let equals = pair.iter().position(|byte| *byte == b'=').ok_or(Fault::Form)?;
    Ok(((&pair[..equals], &pair[equals + 1..]), rest))
}

/// A number as `printf %lld` writes it: no sign, no zeros before it.
fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = plain && (text == "0" || !text.starts_with('0'));
    let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
    if plain { number } else { None }
}

//! One header block; POSIX.1-2017 pax, "ustar Interchange Format".

use core::ops::Range;

use super::{BLOCK_BYTES, Name};

const NAME: Range<usize> = 0..100;
const SIZE: Range<usize> = 124..136;
const CHECKSUM: Range<usize> = 148..156;
const KIND: usize = 156;
const MAGIC: Range<usize> = 257..265;
const PREFIX: Range<usize> = 345..500;
/// Nothing in POSIX; times, sparse maps and sizes in GNU's format.
const REST: Range<usize> = 500..BLOCK_BYTES;

const POSIX: &[u8] = b"ustar\x0000";
const GNU: &[u8] = b"ustar  \x00";

/// What a header begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File,
    /// PAX records for the next member.
    Pax,
    /// What is refused, for a person.
    Other(&'static str),
}

/// A header whose checksum is right.
pub(super) struct Block([u8; BLOCK_BYTES]);

impl Block {
    /// Checks `block`, or says what it lacks.
    pub(super) fn checked(block: [u8; BLOCK_BYTES]) -> Result<Self, &'static str> {
        let sum =
            |range: Range<usize>| block[range].iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let blanks = 8 * u64::from(b' ');
        let sum = sum(0..CHECKSUM.start) + blanks + sum(CHECKSUM.end..BLOCK_BYTES);
        let field = block[CHECKSUM].strip_suffix(b"\0 ");
        if field.and_then(octal) != Some(sum) {
            return Err("right checksum in six digits");
        }
        let unused = match &block[MAGIC] {
            POSIX => REST,
            GNU => PREFIX.start..REST.end,
            _ => return Err("ustar magic"),
        };
        if block[unused].iter().any(|byte| *byte != 0) {
            return Err("zeros in the unused fields");
        }
        Ok(Self(block))
    }

    pub(super) fn kind(&self) -> Kind {
        match self.0[KIND] {
            b'0' | 0 => Kind::File,
            b'x' => Kind::Pax,
            b'1' => Kind::Other("a hard link"),
            b'2' => Kind::Other("a symbolic link"),
            b'3' => Kind::Other("a character device"),
            b'4' => Kind::Other("a block device"),
            b'5' => Kind::Other("a directory"),
            b'6' => Kind::Other("a FIFO"),
            b'7' => Kind::Other("a contiguous file"),
            b'g' => Kind::Other("a global PAX header"),
            b'L' | b'K' => Kind::Other("a GNU long name"),
            b'S' => Kind::Other("a GNU sparse file"),
            _ => Kind::Other("of an unknown type"),
        }
    }

    /// The size in octal, or in base 256 as GNU tar writes it from 8 GiB; below 2^63.
    pub(super) fn size_bytes(&self) -> Option<u64> {
        let field = &self.0[SIZE];
        let size = match field {
            [0x80, number @ ..] => base256(number),
            [digits @ .., b' ' | 0] => octal(digits),
            _ => None,
        };
        size.filter(|size| i64::try_from(*size).is_ok())
    }

    /// The prefix, a slash, and the name.
    pub(super) fn name(&self) -> Option<Name> {
        let (prefix, name) = (text(&self.0[PREFIX])?, text(&self.0[NAME])?);
        let mut whole = Name::new();
        if !prefix.is_empty() {
            whole.push_str(prefix).ok()?;
            whole.push('/').ok()?;
        }
        whole.push_str(name).ok()?;
        Some(whole)
    }
}

/// The text of a field, up to a zero that only zeros follow.
fn text(field: &[u8]) -> Option<&str> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, rest) = field.split_at(end);
    if rest.iter().all(|byte| *byte == 0) { core::str::from_utf8(text).ok() } else { None }
}

/// A number in octal digits that fill the field.
fn octal(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    })
}

/// A positive number, the highest byte first.
fn base256(field: &[u8]) -> Option<u64> {
    let add = |value: u64, byte: &u8| value.checked_mul(256)?.checked_add(u64::from(*byte));
    field.iter().try_fold(0, add)
}

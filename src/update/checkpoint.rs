//! How far an installation got, kept so that the next attempt need not fetch it all again: one
//! checksummed line, replaced as the update goes on. Never believed: what it says of the slot is
//! compared with the slot before anything is passed over, and the payload's digest is over every
//! byte in any case.

use core::fmt::Write as _;

use heapless::String;

use crate::artifact::{Origin, Payload};
use crate::journal;
use crate::json::Object;
use crate::memory::{ALIGN_BYTES, HEAD_BYTES};
use crate::slot::Slot;
use crate::stream::decode::{Decoder, Mark, WINDOW_BYTES};
use crate::stream::digest::Digest;

/// The longest line, in bytes with its line feed.
pub const LINE_BYTES: usize = 640;

/// Kept at most so often in an update, so that the medium is not asked to flush for ever.
const COUNT_MAX: u64 = 32;

/// No checkpoint is nearer to the payload's start, in bytes: behind the head, which is not in the
/// slot until the end, there is a whole window.
const LEAST_BYTES: usize = HEAD_BYTES + WINDOW_BYTES + ALIGN_BYTES;

/// What an attempt may build on, and what it leaves for the next.
#[derive(Debug)]
pub struct Checkpoints {
    /// What the attempt before left.
    pub last: Option<Checkpoint>,
    /// So much payload at least is between two, in bytes; none are kept where that is more than
    /// there is.
    pub step_bytes: u64,
    /// Payload that was not fetched again, in bytes.
    pub resumed_bytes: u64,
}

impl Checkpoints {
    /// For a source of which every byte comes anyway: none is used, none is kept.
    #[must_use]
    pub const fn none() -> Self {
        Self { last: None, step_bytes: u64::MAX, resumed_bytes: 0 }
    }

    /// At least `step_bytes` apart; `last` is what the attempt before left.
    #[must_use]
    pub const fn after(last: Option<Checkpoint>, step_bytes: u64) -> Self {
        Self { last, step_bytes, resumed_bytes: 0 }
    }

    /// Between two checkpoints of a payload of `size_bytes`.
    pub(super) fn step_bytes(&self, size_bytes: u64) -> u64 {
        self.step_bytes.max(size_bytes.div_ceil(COUNT_MAX))
    }

    /// Where the first may be.
    pub(super) fn first_byte(&self, size_bytes: u64) -> u64 {
        self.step_bytes(size_bytes).max(least_bytes())
    }
}

fn least_bytes() -> u64 {
    u64::try_from(LEAST_BYTES).unwrap_or(u64::MAX)
}

/// How far an installation got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The slot it goes to.
    pub slot: Slot,
    /// What the payload is read from.
    pub origin: Origin,
    /// So many bytes of payload are in the slot for good, but for the head.
    pub at_byte: u64,
    /// Of these bytes, head included.
    pub so_far: Digest,
    /// Where reading goes on.
    pub mark: Mark,
}

impl Checkpoint {
    /// Whether it is of `payload` in `slot`, and what it says can be.
    pub(super) fn is_of<D: Decoder>(&self, payload: &Payload<D>, slot: Slot) -> bool {
        self.slot == slot
            && self.origin == payload.origin()
            && self.at_byte >= least_bytes()
            && payload.place(self.mark) == Some(self.at_byte)
            && self.mark.coded_bytes <= self.origin.stored_bytes
    }

    /// The line.
    #[must_use]
    pub fn line(&self) -> String<LINE_BYTES> {
        let Self { slot, origin, at_byte, so_far, mark } = self;
        let Origin { digest, header, size_bytes, stored_bytes } = origin;
        let Mark { coded_bytes, decoded_bytes, crc } = mark;
        let mut object = String::<{ LINE_BYTES - 10 }>::new();
        // All of it has a bound; a test writes the longest.
        let _ = write!(
            object,
            "{{\"slot\":\"{slot}\",\"payload\":\"{digest}\",\"header\":\"{header}\",\
             \"size\":{size_bytes},\"stored\":{stored_bytes},\"at\":{at_byte},\
             \"so_far\":\"{so_far}\",\"coded\":{coded_bytes},\"decoded\":{decoded_bytes},\
             \"crc\":{crc}}}"
        );
        journal::sealed(&object)
    }

    /// Reads a line; one that is torn, or of another version of this program, is none.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let object = journal::unsealed(line.strip_suffix(b"\n")?)?;
        let named = object.get("slot")?.to_text()?;
        let number = |key| object.get(key)?.to_u64();
        Some(Self {
            slot: [Slot::A, Slot::B].into_iter().find(|slot| named == *slot.letter())?,
            origin: Origin {
                digest: digest(object, "payload")?,
                header: digest(object, "header")?,
                size_bytes: number("size")?,
                stored_bytes: number("stored")?,
            },
            at_byte: number("at")?,
            so_far: digest(object, "so_far")?,
            mark: Mark {
                coded_bytes: number("coded")?,
                decoded_bytes: number("decoded")?,
                crc: u32::try_from(number("crc")?).ok()?,
            },
        })
    }
}

fn digest(object: Object<'_>, key: &str) -> Option<Digest> {
    Digest::from_hex(object.get(key)?.to_text()?.to_str()?.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn longest() -> Checkpoint {
        let most = u64::MAX;
        Checkpoint {
            slot: Slot::B,
            origin: Origin {
                digest: Digest([0xab; 32]),
                header: Digest([0xcd; 32]),
                size_bytes: most,
                stored_bytes: most - 1,
            },
            at_byte: most - 2,
            so_far: Digest([0xef; 32]),
            mark: Mark { coded_bytes: most - 3, decoded_bytes: most - 4, crc: u32::MAX },
        }
    }

    #[test]
    fn the_longest_checkpoint_is_read_as_it_was_written() {
        assert_eq!(Checkpoint::parse(longest().line().as_bytes()), Some(longest()));
    }

    #[test]
    fn a_checkpoint_with_a_flipped_bit_or_without_its_end_is_none() {
        let whole = longest().line();
        for end in 0..whole.len() {
            assert_eq!(Checkpoint::parse(&whole.as_bytes()[..end]), None, "{end}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped: Vec<u8> = whole.as_bytes().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = Checkpoint::parse(&flipped);
            // An upper-case hexadecimal digit of the checksum is the same checksum.
            assert!(read.is_none() || read == Some(longest()), "bit {bit}");
        }
    }

    #[test]
    fn a_payload_of_any_size_has_a_bounded_number_of_checkpoints() {
        let checkpoints = Checkpoints::after(None, 4 << 20);
        assert_eq!(checkpoints.step_bytes(40 << 20), 4 << 20);
        assert_eq!(checkpoints.step_bytes(32 << 30), 1 << 30);
        assert!(Checkpoints::none().first_byte(u64::MAX) == u64::MAX);
    }
}

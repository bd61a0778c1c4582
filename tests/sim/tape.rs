//! Everything a board did while it had power, in order. A power cut is a place on the tape: what
//! the shipped code does up to there does not depend on the cut, so one run serves all of them.

use std::fmt;
use std::sync::Arc;

use twinslot::slot::Slot;

use super::store::{Place, SECTOR_BYTES, Write};

/// What a board is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Install,
    Commit,
    Rollback,
    /// Roll back what is armed and was not booted.
    Disarm,
    /// `env repair`
    Repair,
}

/// One step; the last six are on the data partition.
#[derive(Debug, Clone)]
pub enum Op {
    /// Not an operation: from here on this is being done.
    Begin(Deed),
    /// Not an operation: the caller was told that it is done.
    Said(Deed),
    Read(Place, usize, usize),
    Write(Arc<Write>),
    Flush(Place),
    Append(Line),
    Remember(Slot, Vec<u8>),
    Forget(Slot),
    Keep(Vec<u8>),
    Discard,
}

/// A record on its way into the journal.
#[derive(Debug, Clone)]
pub struct Line {
    pub text: Vec<u8>,
    pub word: &'static str,
    /// The slot, where it begins an attempt.
    pub started: Option<Slot>,
}

impl fmt::Display for Op {
    /// As the test of the order of steps reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(deed) => write!(f, "begin {deed:?}"),
            Self::Said(deed) => write!(f, "said {deed:?}"),
            Self::Read(place, at, len) => write!(f, "read {place} {at}+{len}"),
            Self::Write(write) => {
                let verb = if write.is_zero() { "zero" } else { "write" };
                let len = write.sectors() * SECTOR_BYTES;
                write!(f, "{verb} {} {}+{len}", write.place, write.at_byte())
            }
            Self::Flush(place) => write!(f, "flush {place}"),
            Self::Append(line) => write!(f, "record {}", line.word),
            Self::Remember(slot, _) => write!(f, "remember {slot}"),
            Self::Forget(slot) => write!(f, "forget {slot}"),
            Self::Keep(_) => write!(f, "keep checkpoint"),
            Self::Discard => write!(f, "discard checkpoint"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slot(slot) => write!(f, "slot {slot}"),
            Self::Copy(which) => write!(f, "env {which}"),
        }
    }
}

//! A board without power: what its medium and its data partition hold, and what the simulator
//! knows to be true of it. The truth is kept apart: no code under test sees it.

use std::sync::Arc;

use twinslot::journal::outcome::Outcome;
use twinslot::slot::{Parts, Slot};

use super::store::{Place, Store, Write};
use super::tape::{Deed, Line, Op};
use super::uboot;

#[derive(Debug, Clone)]
pub struct Board {
    pub stores: [Store; 4],
    /// Written and not flushed, where a program was killed and the power stayed.
    pub cache: Vec<Arc<Write>>,
    pub data: Data,
    pub truth: Truth,
}

/// The data partition: files that are replaced in one step or appended to, durably.
#[derive(Debug, Clone, Default)]
pub struct Data {
    pub journal: Vec<u8>,
    pub provides: [Option<Vec<u8>>; 2],
    pub checkpoint: Option<Vec<u8>>,
}

/// What really happened.
#[derive(Debug, Clone, Copy)]
pub struct Truth {
    /// How the attempt before this one ended.
    pub before: Outcome,
    pub attempt: Option<Attempt>,
    /// What the board was last told to do.
    pub doing: Option<Deed>,
    /// What it said it had done, and nothing began since.
    pub said: Option<Deed>,
    /// Whether a commit was ever begun: without, none may be found.
    pub may_be_committed: bool,
}

/// Since its first record was durable.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    pub slot: Slot,
    /// Whether U-Boot would ever have tried it.
    pub armed: bool,
    /// Whether it was given up by a command, not by U-Boot; nobody knows after a kill.
    pub asked: Option<bool>,
}

impl Truth {
    pub fn new() -> Self {
        Self {
            before: Outcome::None,
            attempt: None,
            doing: None,
            said: None,
            may_be_committed: false,
        }
    }

    /// How the last attempt ended, when `booted` runs and nothing is in progress.
    pub fn settled(&self, booted: Slot) -> Outcome {
        match self.attempt {
            None => self.before,
            Some(Attempt { armed: false, .. }) => Outcome::Failed,
            Some(Attempt { slot, .. }) if slot == booted => Outcome::Committed,
            Some(_) => Outcome::RolledBack,
        }
    }

    pub fn started(&mut self, slot: Slot) {
        self.before = self.settled(slot.other());
        self.attempt = Some(Attempt { slot, armed: false, asked: Some(false) });
    }
}

impl Data {
    /// Appends as the shell does: a torn last line is ended first.
    pub fn append(&mut self, text: &[u8]) {
        if self.journal.last().is_some_and(|last| *last != b'\n') {
            self.journal.push(b'\n');
        }
        self.journal.extend_from_slice(text);
    }

    pub fn provides(&self, slot: Slot) -> Option<&[u8]> {
        self.provides[Place::Slot(slot).index()].as_deref()
    }

    pub fn provides_mut(&mut self, slot: Slot) -> &mut Option<Vec<u8>> {
        &mut self.provides[Place::Slot(slot).index()]
    }
}

impl Board {
    pub fn store(&self, place: Place) -> &Store {
        &self.stores[place.index()]
    }

    /// Does all of a step to the data partition and to the truth; the medium's are the cache's.
    pub fn follow(&mut self, op: &Op) {
        match op {
            Op::Begin(deed) => {
                (self.truth.doing, self.truth.said) = (Some(*deed), None);
                self.truth.may_be_committed |= *deed == Deed::Commit;
            }
            Op::Said(deed) => self.truth.said = Some(*deed),
            Op::Append(line) => self.record(line),
            Op::Remember(slot, text) => *self.data.provides_mut(*slot) = Some(text.clone()),
            Op::Forget(slot) => *self.data.provides_mut(*slot) = None,
            Op::Keep(line) => self.data.checkpoint = Some(line.clone()),
            Op::Discard => self.data.checkpoint = None,
            Op::Read(..) | Op::Write(_) | Op::Flush(_) => {}
        }
    }

    fn record(&mut self, line: &Line) {
        self.data.append(&line.text);
        if let Some(slot) = line.started {
            self.truth.started(slot);
        }
        if let Some(attempt) = self.truth.attempt.as_mut() {
            // Whoever goes back has seen it armed, be it in a cache that was lost later.
            attempt.armed |= line.word == "reverting";
        }
    }

    /// Notes what the environment on the medium would make U-Boot do.
    pub fn note(&mut self, parts: Parts) {
        let loaded = uboot::load(&self.stores[2], &self.stores[3]);
        let Some((attempt, loaded)) = self.truth.attempt.as_mut().zip(loaded) else { return };
        let is_named = loaded.slot(parts) == Some(attempt.slot);
        attempt.armed |= loaded.tries() && is_named;
        let goes_back = matches!(self.truth.doing, Some(Deed::Rollback | Deed::Disarm));
        let is_back = goes_back && attempt.armed && !loaded.tries() && !is_named;
        attempt.asked = attempt.asked.map(|asked| asked || is_back);
    }

    pub fn fingerprint(&self) -> u64 {
        let files = [Some(&self.data.journal), self.data.provides[0].as_ref()];
        let last = [self.data.provides[1].as_ref(), self.data.checkpoint.as_ref()];
        let files = files.into_iter().chain(last);
        let start = files.fold(u64::try_from(self.cache.len()).unwrap(), |print, file| {
            let crc = file.map_or(1, |file| crc32fast::hash(file));
            print.rotate_left(32).wrapping_mul(31) ^ u64::from(crc)
        });
        self.stores.iter().fold(start, |print, store| {
            (print.rotate_left(7) ^ store.fingerprint()).wrapping_mul(0x517C_C1B7_2722_0A95)
        })
    }
}

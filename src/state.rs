//! The state directory: the journal and what each slot provides. On the data partition, so that
//! it is one and the same whichever slot runs.

use std::path::{Path, PathBuf};

use twinslot::device::Cause;
use twinslot::journal::{self, Event, Journal};
use twinslot::provides::{self, ARTIFACT_NAME, PROVIDES_MAX_BYTES, Provides};
use twinslot::slot::Slot;
use twinslot::update::checkpoint::{self, Checkpoint};

use crate::sys::store::{Kept, ReadError};
use crate::sys::{self, Failure, clock, store};

/// When the journal would grow over this many bytes, its older half goes.
const JOURNAL_BYTES: usize = 64 << 10;

/// Room for the records of one update, tried before the first write to a slot.
const UPDATE_BYTES: usize =
    PROVIDES_MAX_BYTES + 8 * journal::LINE_BYTES + 2 * checkpoint::LINE_BYTES;

/// Where the image's builder says what it is; read for a slot that was provisioned, not updated.
const ARTIFACT_INFO: &str = "/etc/mender/artifact_info";

/// Why something in the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error("{}: {error}", path.display())]
    Provides { path: PathBuf, error: provides::Error },
}

/// The state directory, which may not exist yet.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    checkpoint: Kept,
}

impl StateDir {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), checkpoint: Kept::new(path.join("checkpoint")) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that an update's records will find room: creates the directory and writes as
    /// much as they can need once.
    ///
    /// # Errors
    /// It is read-only or full.
    pub(crate) fn prepare(&self) -> Result<(), Failure> {
        store::create_directory(&self.path)
    }

    /// Tries whether an update's records will find room.
    ///
    /// # Errors
    /// The directory is read-only or full.
    pub(crate) fn try_room(&self) -> Result<(), Failure> {
        store::try_room(&self.path, &[0; UPDATE_BYTES])
    }

    /// The journal's text; empty if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn journal(&self) -> Result<Vec<u8>, Error> {
        let bound = u64::try_from(2 * JOURNAL_BYTES).unwrap_or(u64::MAX);
        Ok(store::read_bounded(&self.journal_path(), bound)?.unwrap_or_default())
    }

    /// What the system in `slot` provides, if an update recorded it.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(crate) fn recorded(&self, slot: Slot) -> Result<Option<Provides>, Error> {
        let path = self.provides_path(slot);
        let bound = u64::try_from(PROVIDES_MAX_BYTES).unwrap_or(u64::MAX);
        let Some(text) = store::read_bounded(&path, bound)? else { return Ok(None) };
        Provides::parse(&text).map(Some).map_err(|error| Error::Provides { path, error })
    }

    /// What the running system provides, `committed` being the slot it was last committed to:
    /// what an update recorded, else what the image's builder said.
    ///
    /// # Errors
    /// The record cannot be read.
    pub(crate) fn provides(&self, committed: Slot) -> Result<Provides, Error> {
        match self.recorded(committed)? {
            Some(provides) => Ok(provides),
            None => Ok(provisioned()),
        }
    }

    /// How far the attempt before got; none where that is not known.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        let bound = u64::try_from(checkpoint::LINE_BYTES).unwrap_or(u64::MAX);
        match store::read_bounded(self.checkpoint.path(), bound) {
            Ok(line) => Checkpoint::parse(&line?),
            Err(error) => {
                log::warn!("the payload is fetched from its start: {error}");
                None
            }
        }
    }

    fn journal_path(&self) -> PathBuf {
        self.path.join("journal")
    }

    fn provides_path(&self, slot: Slot) -> PathBuf {
        self.path.join(format!("slot-{slot}.provides"))
    }

    fn append_line(&self, line: &str) -> Result<(), Failure> {
        let path = self.journal_path();
        // An unreadable journal is begun anew: it must not stand in the way of a rollback.
        let old = self.journal().unwrap_or_default();
        if old.len() + line.len() > JOURNAL_BYTES {
            return store::replace(&path, &[newer_half(&old), line.as_bytes()].concat());
        }
        if old.last().is_some_and(|last| *last != b'\n') {
            // Power was lost inside the last line.
            return store::append(&path, format!("\n{line}").as_bytes());
        }
        store::append(&path, line.as_bytes())
    }
}

/// The lines that begin in the second half.
fn newer_half(journal: &[u8]) -> &[u8] {
    let half = &journal[journal.len() / 2..];
    let start = half.iter().position(|byte| *byte == b'\n').map_or(half.len(), |end| end + 1);
    &half[start..]
}

/// What a slot that no update has written says of itself.
fn provisioned() -> Provides {
    let mut provides = Provides::new();
    let text = sys::number::read_text(Path::new(ARTIFACT_INFO)).unwrap_or_default();
    let name = text.lines().find_map(|line| line.trim().strip_prefix("artifact_name="));
    if let Some(name) = name {
        // A name that is none, such as an empty one, is as good as no name.
        let _ = provides.set(ARTIFACT_NAME, name.trim());
    }
    provides
}

impl Journal for StateDir {
    fn append(&mut self, event: Event<&str>) -> Result<(), Cause> {
        let line = journal::line(clock::unix_seconds(), event);
        self.append_line(&line).map_err(|failure| failure.cause)
    }

    fn remember(&mut self, slot: Slot, provides: &Provides) -> Result<(), Cause> {
        let text = provides.as_str().as_bytes();
        store::replace(&self.provides_path(slot), text).map_err(|failure| failure.cause)
    }

    fn forget(&mut self, slot: Slot) -> Result<(), Cause> {
        store::remove(&self.provides_path(slot)).map(drop).map_err(|failure| failure.cause)
    }

    fn keep(&mut self, checkpoint: &str) -> Result<(), Cause> {
        self.checkpoint.replace(checkpoint.as_bytes()).map_err(|failure| failure.cause)
    }

    fn discard(&mut self) -> Result<(), Cause> {
        store::remove(self.checkpoint.path()).map(drop).map_err(|failure| failure.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, StateDir) {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateDir::new(&temporary.path().join("twinslot"));
        state.prepare().unwrap();
        (temporary, state)
    }

    fn count(state: &StateDir) -> usize {
        journal::records(&state.journal().unwrap()).count()
    }

    #[test]
    fn the_journal_stays_bounded_and_keeps_its_newest_records() {
        let (_temporary, mut state) = directory();
        for _ in 0..3000 {
            state.append(Event::Failed { code: "code", reason: "reason" }).unwrap();
        }
        state.append(Event::Committed).unwrap();
        assert!(state.journal().unwrap().len() <= JOURNAL_BYTES);
        let journal = state.journal().unwrap();
        assert!(matches!(
            journal::records(&journal).last().map(|record| record.event),
            Some(Event::Committed)
        ));
        assert!(count(&state) > 100);
    }

    #[test]
    fn a_record_after_a_torn_one_is_read() {
        let (_temporary, mut state) = directory();
        state.append(Event::Committed).unwrap();
        store::append(&state.journal_path(), b"0123abcd {\"at\":1,\"ev").unwrap();
        state.append(Event::Committed).unwrap();
        assert_eq!(count(&state), 2);
    }

    #[test]
    fn what_a_slot_provides_is_remembered_until_it_is_forgotten() {
        let (_temporary, mut state) = directory();
        let mut provides = Provides::new();
        provides.set("artifact_name", "release-2").unwrap();
        state.remember(Slot::B, &provides).unwrap();
        assert_eq!(state.recorded(Slot::B).unwrap(), Some(provides));
        assert_eq!(state.recorded(Slot::A).unwrap(), None);
        state.forget(Slot::B).unwrap();
        assert_eq!(state.recorded(Slot::B).unwrap(), None);
    }
}

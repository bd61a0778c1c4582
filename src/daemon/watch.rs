//! An installation as others see it: how far it is, how it ended, and that it should stop. Never
//! does any of the work.

use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use twinslot::progress::{Phase, Progress};

use super::Message;

/// Why an installation is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The daemon ends.
    Quit,
    /// A person said so.
    Cancelled,
    /// The server took the deployment back.
    Aborted,
}

/// What is known at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Whether an installation runs.
    pub(crate) running: bool,
    /// Which one since the daemon began.
    pub(crate) run: u64,
    /// The phases so far, each with its bytes.
    pub(crate) phases: Vec<(Phase, u64)>,
    /// Of the last phase.
    pub(crate) bytes: u64,
    pub(crate) skipped: u64,
    /// The last line of the installation that ended last.
    pub(crate) result: Option<String>,
    /// Grows with each change.
    pub(crate) version: u64,
}

impl Seen {
    /// The phase now, and its bytes.
    pub(crate) fn phase(&self) -> (Phase, u64) {
        self.phases.last().copied().unwrap_or((Phase::Header, 0))
    }
}

/// Shared by the installation and all who look at it.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: Mutex<Seen>,
    moved: Condvar,
    stop: Mutex<Option<Stop>>,
}

impl Watch {
    /// An installation begins.
    pub(crate) fn begin(&self) {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.change(|seen| {
            let (run, version) = (seen.run + 1, seen.version);
            *seen = Seen { running: true, run, version, ..Seen::default() };
        });
    }

    /// It ended; `result` is the last line to be seen of it.
    pub(crate) fn end(&self, result: String) {
        self.change(|seen| (seen.running, seen.result) = (false, Some(result)));
    }

    /// What is known now.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// What is known once it is newer than `version`.
    pub(crate) fn newer(&self, version: u64) -> Seen {
        let newer = self.moved.wait_while(self.lock(), |seen| seen.version <= version);
        newer.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the installation to stop; the first reason counts. Whether one runs.
    pub(crate) fn stop(&self, why: Stop) -> bool {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.lock().running
    }

    /// Why it is to stop, if it is.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        *self.stop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.lock();
        change(&mut seen);
        seen.version += 1;
        drop(seen);
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the watch, and the daemon of each phase.
pub(crate) struct Teller<'w> {
    pub(crate) watch: &'w Watch,
    pub(crate) daemon: SyncSender<Message>,
}

impl Progress for Teller<'_> {
    fn phase(&mut self, phase: Phase, total_bytes: u64) {
        self.watch.change(|seen| {
            seen.phases.push((phase, total_bytes));
            (seen.bytes, seen.skipped) = (0, 0);
        });
        // A daemon that does not listen any more is about to end.
        let _ = self.daemon.send(Message::Phase);
    }

    fn advance(&mut self, bytes: u64, skipped: u64) {
        self.watch.change(|seen| (seen.bytes, seen.skipped) = (bytes, skipped));
    }
}

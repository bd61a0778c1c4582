//! What a download came to so far, for those who watch it: counted, never decided upon.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Error;

/// Shared by the download and by who asks about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    wasted: AtomicU64,
    resumes: AtomicU64,
    failure: Mutex<Option<Error>>,
}

/// Three readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Bytes of bodies, in all.
    pub(crate) received_bytes: u64,
    /// Those of them that were of no use: received before, or skipped.
    pub(crate) wasted_bytes: u64,
    /// Connections that went on where an earlier one broke.
    pub(crate) resumes: u64,
}

impl Account {
    pub(crate) fn tally(&self) -> Tally {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Tally {
            received_bytes: read(&self.0.received),
            wasted_bytes: read(&self.0.wasted),
            resumes: read(&self.0.resumes),
        }
    }

    /// Why reading from the download failed.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn received(&self, bytes: u64) {
        self.0.received.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn wasted(&self, bytes: u64) {
        self.0.wasted.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn resumed(&self) {
        self.0.resumes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, error: Error) {
        *self.0.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }
}

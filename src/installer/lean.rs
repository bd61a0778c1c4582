//! Progress of phases that each need little of the program: what starting one up took of the
//! code is let go of, now that the buffers take memory. Never touches what is shown.

use twinslot::memory::RING_BLOCKS;
use twinslot::progress::{Phase, Progress};

use crate::sys::code;

/// Progress that is passed on.
pub(super) struct Lean<'p, P> {
    progress: &'p mut P,
    /// Steps of this phase.
    steps: usize,
}

/// After so many steps every buffer of a phase is in use, and all it needs has run once.
const SETTLED: usize = RING_BLOCKS + 1;

/// After so many more, what runs now and then has gathered again: checkpoints, a broken connection.
const GATHERED: usize = 32;

impl<'p, P: Progress> Lean<'p, P> {
    pub(super) fn new(progress: &'p mut P) -> Self {
        Self { progress, steps: 0 }
    }
}

fn let_go() {
    if let Err(cause) = code::give_back() {
        log::debug!("the code stays in memory: {cause}");
    }
}

impl<P: Progress> Progress for Lean<'_, P> {
    fn phase(&mut self, phase: Phase, total_bytes: u64) {
        self.steps = 0;
        let_go();
        self.progress.phase(phase, total_bytes);
    }

    fn advance(&mut self, bytes: u64, skipped: u64) {
        self.steps += 1;
        if self.steps <= SETTLED || self.steps.is_multiple_of(GATHERED) {
            let_go();
        }
        self.progress.advance(bytes, skipped);
    }
}

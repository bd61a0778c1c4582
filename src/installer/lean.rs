//! Progress of phases that each need little of the program: what starting one up took of the
//! code is let go of, now that the buffers take memory. Never touches what is shown.

use twinslot::memory::RING_BLOCKS;
use twinslot::progress::{Phase, Progress};

use crate::sys::code;

/// Progress that is passed on.
pub(super) struct Lean<'p, P> {
    progress: &'p mut P,
    /// Steps until every buffer of the phase is in use, and all it needs has run once.
    settling: usize,
}

impl<'p, P: Progress> Lean<'p, P> {
    pub(super) fn new(progress: &'p mut P) -> Self {
        Self { progress, settling: 0 }
    }
}

fn let_go() {
    if let Err(cause) = code::give_back() {
        log::debug!("the code stays in memory: {cause}");
    }
}

impl<P: Progress> Progress for Lean<'_, P> {
    fn phase(&mut self, phase: Phase, total_bytes: u64) {
        self.settling = RING_BLOCKS + 1;
        let_go();
        self.progress.phase(phase, total_bytes);
    }

    fn advance(&mut self, bytes: u64, skipped: u64) {
        if self.settling > 0 {
            self.settling -= 1;
            let_go();
        }
        self.progress.advance(bytes, skipped);
    }
}

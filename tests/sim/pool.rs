//! The core's buffers, as large as those that ship: too large for a test's stack, so each thread
//! borrows a static, and finds in it what another left there.

use std::sync::{Mutex, MutexGuard, TryLockError};

use twinslot::artifact::Texts;
use twinslot::memory::{Aligned, Buffers};

static POOL: [Mutex<Buffers>; 8] = [const { Mutex::new(new()) }; 8];

const fn new() -> Buffers {
    Buffers {
        ring: [const { Aligned([0; _]) }; _],
        held: Aligned([0; _]),
        head: Aligned([0; _]),
        environment: [const { Aligned([0; _]) }; 2],
        header: Texts::new(),
    }
}

/// A set of buffers nobody else has.
pub fn claim() -> MutexGuard<'static, Buffers> {
    loop {
        for buffers in &POOL {
            match buffers.try_lock() {
                Ok(buffers) => return buffers,
                // A test that failed leaves nothing here that the next must not find.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        std::thread::yield_now();
    }
}

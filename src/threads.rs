//! The stages of an update on three threads, so that the wall time tends to the slowest stage,
//! not the sum. Blocks are claimed before; between the first and the last nothing is allocated.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope, scope};

use twinslot::memory::{Block, RING_BLOCKS};
use twinslot::stream::relay::{Digest, Fill, Filled, InTurn, Put, Relay, Stages};

use crate::sys::{heap, pool, schedule};

/// Stack of the digest and the put thread, in bytes: both call only SHA-256 and the kernel.
const STACK_BYTES: usize = 64 << 10;

/// Runs `fill` on the calling thread, `digest` and `put` on one of their own each.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    allocations: u64,
}

impl Threads {
    /// Heap allocations between the first and the last block of the last run, all threads
    /// together. The promise is 0.
    pub(crate) fn allocations(&self) -> u64 {
        self.allocations
    }
}

impl Relay for Threads {
    fn carry<E: Send, N: Default + Send>(
        &mut self,
        ring: &mut [Block; RING_BLOCKS],
        stages: Stages<'_, E, N>,
    ) -> Result<(), E> {
        let Stages { fill, digest, put } = stages;
        let track = Track::new(ring);
        let started = scope(|scope| {
            let started = spawn(scope, || track.digest(digest)) && spawn(scope, || track.put(put));
            if started {
                // A thread allocates while it starts.
                drop(track.wait(|count| count.running == 2));
            }
            let before = heap::tally().allocations;
            if started {
                track.fill(fill)
            } else {
                track.stop(None)
            }
            drop(track.wait(|count| count.failure.is_some() || count.put == count.filled));
            self.allocations = heap::tally().allocations.saturating_sub(before);
            started
        });
        let carried = match track.into_failure() {
            Some(failure) => Err(failure),
            None if started => Ok(()),
            // A system without room for two threads still gets its update.
            None => InTurn.carry(ring, Stages { fill, digest, put }),
        };
        // What follows has the memory for its code.
        if let Err(cause) = pool::give_back_blocks(ring) {
            log::debug!("the blocks stay in memory: {cause}");
        }
        carried
    }
}

fn spawn<'s>(scope: &'s Scope<'s, '_>, work: impl FnOnce() + Send + 's) -> bool {
    let work = || {
        schedule::step_back();
        work();
    };
    Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).is_ok()
}

/// A block and what it is filled with.
type Carriage<'b, N> = (&'b mut Block, Filled<N>);

/// The blocks on their way around.
struct Track<'b, E, N> {
    blocks: [Mutex<Carriage<'b, N>>; RING_BLOCKS],
    count: Mutex<Count<E>>,
    moved: Condvar,
}

/// How many blocks each stage is through with, and how the run ends.
struct Count<E> {
    /// Threads that have begun.
    running: usize,
    filled: usize,
    digested: usize,
    put: usize,
    /// No block will follow.
    ended: bool,
    failure: Option<E>,
}

impl<'b, E, N: Default> Track<'b, E, N> {
    fn new(ring: &'b mut [Block; RING_BLOCKS]) -> Self {
        Self {
            blocks: ring.each_mut().map(|block| Mutex::new((block, Filled::default()))),
            count: Mutex::new(Count {
                running: 0,
                filled: 0,
                digested: 0,
                put: 0,
                ended: false,
                failure: None,
            }),
            moved: Condvar::new(),
        }
    }

    /// Fills every free block until the source ends or a stage failed.
    fn fill(&self, fill: &mut Fill<'_, E, N>) {
        loop {
            let count = self.wait(|count| count.ended || count.filled - count.put < RING_BLOCKS);
            if count.ended {
                return;
            }
            let mut block = self.block(count.filled);
            drop(count);
            match fill(&mut block.0.0) {
                Ok((0, _)) => return self.stop(None),
                Ok(filled) => block.1 = filled,
                Err(failure) => return self.stop(Some(failure)),
            }
            drop(block);
            self.moved(|count| count.filled += 1);
        }
    }

    fn digest(&self, digest: &mut Digest<'_, N>) {
        self.moved(|count| count.running += 1);
        while let Some(at) = self.next(|count| (count.digested, count.filled)) {
            let mut carriage = self.block(at);
            let (block, (len, note)) = &mut *carriage;
            digest(&block.0[..*len], note);
            drop(carriage);
            self.moved(|count| count.digested += 1);
        }
    }

    fn put(&self, put: &mut Put<'_, E, N>) {
        self.moved(|count| count.running += 1);
        while let Some(at) = self.next(|count| (count.put, count.digested)) {
            let mut block = self.block(at);
            let filled = std::mem::take(&mut block.1);
            if let Err(failure) = put(block.0, filled) {
                return self.stop(Some(failure));
            }
            drop(block);
            self.moved(|count| count.put += 1);
        }
    }

    /// Waits until a stage that is through with `.0` of `.1` blocks has one to take; `None` when
    /// none will come.
    fn next(&self, stage: impl Fn(&Count<E>) -> (usize, usize)) -> Option<usize> {
        let count = self.wait(|count| {
            let (done, ready) = stage(count);
            done < ready || count.failure.is_some() || (count.ended && done == count.filled)
        });
        let (done, ready) = stage(&count);
        (done < ready && count.failure.is_none()).then_some(done)
    }

    /// Ends the run; the first failure counts.
    fn stop(&self, failure: Option<E>) {
        self.moved(|count| {
            count.ended = true;
            if count.failure.is_none() {
                count.failure = failure;
            }
        });
    }

    fn moved(&self, change: impl FnOnce(&mut Count<E>)) {
        change(&mut self.lock());
        self.moved.notify_all();
    }

    fn wait(&self, ready: impl Fn(&Count<E>) -> bool) -> MutexGuard<'_, Count<E>> {
        self.moved
            .wait_while(self.lock(), |count| !ready(count))
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Count<E>> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block number `at`; its stage is the only one that uses it, so nobody waits here.
    fn block(&self, at: usize) -> MutexGuard<'_, Carriage<'b, N>> {
        self.blocks[at % RING_BLOCKS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn into_failure(self) -> Option<E> {
        self.count.into_inner().unwrap_or_else(PoisonError::into_inner).failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinslot::memory::{Aligned, BLOCK_BYTES};

    /// Carries `blocks` numbered blocks; the put of `fail_at` fails.
    fn carry(blocks: u8, fail_at: Option<u8>) -> (Result<(), u8>, Vec<u8>, Vec<u8>) {
        let (mut filled, mut digested, mut put) = (0, Vec::new(), Vec::new());
        let stages = Stages {
            fill: &mut |bytes: &mut [u8]| {
                if filled == blocks {
                    return Ok((0, 0));
                }
                filled += 1;
                bytes[..2].fill(filled);
                Ok((2, filled))
            },
            digest: &mut |bytes: &[u8], note: &mut u8| {
                digested.extend_from_slice(&bytes[..1]);
                *note ^= 0xff;
            },
            put: &mut |block: &mut Block, filled| {
                assert_eq!(filled, (2, block.0[0] ^ 0xff));
                if Some(block.0[0]) == fail_at {
                    return Err(block.0[0]);
                }
                put.push(block.0[1]);
                Ok(())
            },
        };
        let result = run(stages);
        (result, digested, put)
    }

    fn run<E: Send, N: Default + Send>(stages: Stages<'_, E, N>) -> Result<(), E> {
        // A ring is made on the stack before it is on the heap: a test's own is too small.
        let make = || Box::new([const { Aligned([0; BLOCK_BYTES]) }; RING_BLOCKS]);
        let maker = Builder::new().stack_size(16 << 20).spawn(make).unwrap();
        Threads::default().carry(&mut maker.join().unwrap(), stages)
    }

    #[test]
    fn every_block_passes_every_stage_once_and_in_order() {
        for blocks in [0, 1, 2, 3, 4, 250] {
            let expected: Vec<u8> = (1..=blocks).collect();
            assert_eq!(carry(blocks, None), (Ok(()), expected.clone(), expected));
        }
    }

    #[test]
    fn nothing_is_put_after_a_failed_put() {
        for fail_at in [1, 2, 5, 250] {
            let (result, _, put) = carry(250, Some(fail_at));
            assert_eq!((result, put), (Err(fail_at), (1..fail_at).collect()));
        }
    }

    #[test]
    fn a_source_that_fails_ends_the_run_with_its_own_failure() {
        let mut calls = 0;
        let result = run(Stages {
            fill: &mut |_| {
                calls += 1;
                if calls == 3 { Err("gone") } else { Ok((1, ())) }
            },
            digest: &mut |_, ()| {},
            put: &mut |_, _| Ok(()),
        });
        assert_eq!((result, calls), (Err("gone"), 3));
    }
}

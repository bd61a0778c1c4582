//! The one static that holds every large buffer, and the one claim to it. In a section of its
//! own, so that the linker script can weigh it; takes no room in the file, and a page of it
//! counts as memory only once touched.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};

use twinslot::device::Cause;
use twinslot::environment::CopyBuffer;
use twinslot::memory::{Block, Buffers};

use super::pages;

/// Memory whose only way out is [`claim`].
struct Pool(UnsafeCell<MaybeUninit<Buffers>>);

// SAFETY: `claim` upholds that the cell's content is reached by one `&mut` in the whole life of
// the program; `Buffers` is bytes and numbers, which any thread may use.
unsafe impl Sync for Pool {}

/// A name that begins with `.bss.` makes the section one without bytes in the file (NOBITS).
// SAFETY: the section is one of zeroes that nothing but the linker script's ASSERT refers to,
// and the linker keeps the static's alignment in it.
#[unsafe(link_section = ".bss.pool")]
static POOL: Pool = Pool(UnsafeCell::new(MaybeUninit::zeroed()));

static CLAIMED: AtomicBool = AtomicBool::new(false);

/// The buffers, to the first who asks; `None` to everyone after.
pub(crate) fn claim() -> Option<&'static mut Buffers> {
    if CLAIMED.swap(true, Ordering::AcqRel) {
        return None;
    }
    // SAFETY: `CLAIMED` upholds that this line is reached once, so no other reference exists.
    // The static starts as all zeroes, which is a `Buffers`: its author upholds that it is made
    // of arrays of `u8` and of unsigned lengths only, for which every byte pattern is a value.
    Some(unsafe { (*POOL.0.get()).assume_init_mut() })
}

/// Room for both copies of the environment beside the pool, for as long as it is needed: on the
/// heap from the start, as a thread's stack is too small for it.
pub(crate) fn copies() -> Box<[CopyBuffer; 2]> {
    // SAFETY: the memory is all zeroes, which is a value: a `CopyBuffer` is an array of `u8`.
    unsafe { Box::new_zeroed().assume_init() }
}

/// Gives the pool's memory back to the system; what was given back reads as zeroes from then on.
///
/// # Errors
/// The kernel's: on one with larger pages than the pool's alignment the memory may stay.
pub(crate) fn give_back(buffers: &mut Buffers) -> Result<(), Cause> {
    let start: *mut Buffers = buffers;
    // SAFETY: the range is one object that `buffers` borrows alone, so nobody reads it meanwhile;
    // its pages are private and anonymous, as those of .bss are, so they read as zeroes when
    // touched again, and zeroes in any place are a `Buffers` (see `claim`).
    unsafe { pages::give_back(start.cast(), size_of::<Buffers>()) }
}

/// Gives the memory of blocks back that nothing is on its way in any more; what was given back
/// reads as zeroes from then on.
///
/// # Errors
/// The kernel's, as those of [`give_back`].
pub(crate) fn give_back_blocks(blocks: &mut [Block]) -> Result<(), Cause> {
    // SAFETY: as in `give_back`: the range is all of what `blocks` borrows alone, and zeroes in
    // any place are blocks.
    unsafe { pages::give_back(blocks.as_mut_ptr().cast(), size_of_val(blocks)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_is_claimed_once_aligned_and_zero() {
        let buffers = claim().unwrap();
        assert!((&raw const *buffers).addr().is_multiple_of(twinslot::memory::ALIGN_BYTES));
        assert!(buffers.held.0.iter().all(|byte| *byte == 0));
        assert!(claim().is_none());
        buffers.ring[1].0.fill(7);
        give_back_blocks(&mut buffers.ring).unwrap();
        assert!(buffers.ring[1].0.iter().all(|byte| *byte == 0));
        buffers.held.0.fill(7);
        give_back(buffers).unwrap();
        assert!(buffers.held.0.iter().all(|byte| *byte == 0));
    }
}

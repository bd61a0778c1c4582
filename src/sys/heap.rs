//! The program's allocator: std's, counted, and refusing what would go over a ceiling. Never
//! decides what the ceiling is.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static CEILING: AtomicUsize = AtomicUsize::new(usize::MAX);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

/// The allocator; `#[global_allocator] static HEAP: Ceiling = Ceiling;`.
#[derive(Debug)]
pub(crate) struct Ceiling;

/// What the heap has seen since the program started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Calls that asked for memory, granted or not; growing and shrinking count.
    pub(crate) allocations: u64,
    /// Asked for and not yet given back.
    pub(crate) live_bytes: u64,
    /// The most that was ever live.
    pub(crate) peak_bytes: u64,
}

/// From now on refuses any allocation that would bring the live bytes over `bytes`. What lives
/// already stays, also above the ceiling.
pub(crate) fn set_ceiling(bytes: u64) {
    CEILING.store(usize::try_from(bytes).unwrap_or(usize::MAX), Ordering::Relaxed);
}

/// Three readings, each exact; other threads may allocate between them.
pub(crate) fn tally() -> Tally {
    let read =
        |counter: &AtomicUsize| u64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(u64::MAX);
    Tally { allocations: read(&ALLOCATIONS), live_bytes: read(&LIVE), peak_bytes: read(&PEAK) }
}

/// Books `bytes` more, unless that breaks the ceiling.
fn take(bytes: usize) -> bool {
    let ceiling = CEILING.load(Ordering::Relaxed);
    let more = |live: usize| live.checked_add(bytes).filter(|sum| *sum <= ceiling);
    match LIVE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
        Ok(before) => {
            PEAK.fetch_max(before + bytes, Ordering::Relaxed);
            true
        }
        Err(_) => false,
    }
}

fn give_back(bytes: usize) {
    LIVE.fetch_sub(bytes, Ordering::Relaxed);
}

/// Counts one call and hands out what `allocate` gets, if the ceiling allows `bytes` more.
fn within(bytes: usize, allocate: impl FnOnce() -> *mut u8) -> *mut u8 {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    if !take(bytes) {
        return std::ptr::null_mut();
    }
    let memory = allocate();
    if memory.is_null() {
        give_back(bytes);
    }
    memory
}

// SAFETY: every block comes from and goes back to `System`, which keeps the trait's contract,
// with the layout the caller gave; counting allocates nothing and cannot unwind. Null for what
// is over the ceiling is the answer the trait provides for.
unsafe impl GlobalAlloc for Ceiling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds that `layout` is not of size zero; it is passed on as is.
        within(layout.size(), || unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds that `layout` is not of size zero; it is passed on as is.
        within(layout.size(), || unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: the caller upholds that `block` came from this allocator with `layout`, and
        // all that comes from this allocator comes from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let grown = size.saturating_sub(layout.size());
        // SAFETY: the caller upholds that `block` came from this allocator, hence `System`, with
        // `layout`, and that `size` is neither zero nor too large for its alignment.
        let moved = within(grown, || unsafe { System.realloc(block, layout, size) });
        if !moved.is_null() {
            give_back(layout.size().saturating_sub(size));
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, as all share the counters; what other tests allocate goes by `System`, unless
    /// the program's allocator is this one: hence sizes no other test comes near.
    #[test]
    fn what_goes_over_the_ceiling_is_refused_and_what_is_freed_counts_no_more() {
        const BIG: usize = 1 << 40;
        let layout = |size| Layout::from_size_align(size, 16).unwrap();
        let before = tally();
        // SAFETY: the layouts are not of size zero, and each block is given back as it came.
        unsafe {
            let block = Ceiling.alloc(layout(1 << 26));
            assert!(!block.is_null());
            assert!(tally().live_bytes >= 1 << 26);
            let block = Ceiling.realloc(block, layout(1 << 26), 1 << 20);
            set_ceiling(u64::try_from(BIG).unwrap() - 1);
            assert!(Ceiling.alloc(layout(BIG)).is_null());
            assert!(Ceiling.realloc(block, layout(1 << 20), BIG + (1 << 20)).is_null());
            set_ceiling(u64::MAX);
            Ceiling.dealloc(block, layout(1 << 20));
        }
        let after = tally();
        assert!(after.allocations >= before.allocations + 4);
        assert!(after.peak_bytes >= 1 << 26);
        assert!(after.live_bytes < before.live_bytes + (1 << 20));
    }
}

//! Pages of memory, given back to the kernel.

use nix::errno::Errno;
use nix::unistd::{SysconfVar, sysconf};
use twinslot::device::Cause;

use super::cause;

/// Gives back the whole pages, of the kernel's size, in `bytes` bytes from `start` on: the kernel
/// itself would round the length up, to bytes of somebody else.
///
/// # Errors
/// The kernel's: where `start` is not at the beginning of a page of its size, all pages stay.
///
/// # Safety
/// Nobody has a use for what is in the range but its mapping's content: the file's, or zeroes.
pub(super) unsafe fn give_back(start: *mut u8, bytes: usize) -> Result<(), Cause> {
    let page_bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let page_bytes = page_bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let whole = page_bytes.map_or(0, |page_bytes| bytes - bytes % page_bytes);
    // SAFETY: the caller upholds that the range may fall back to its mapping's content.
    let given = unsafe { libc::madvise(start.cast(), whole, libc::MADV_DONTNEED) };
    Errno::result(given).map(drop).map_err(|errno| cause(&errno.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_whole_stays() {
        #[repr(align(65536))]
        struct Pages([u8; 65536 * 2]);
        let mut pages = Box::new(Pages([7; 65536 * 2]));
        // SAFETY: the range is of `pages` alone, anonymous, and bytes of any value.
        unsafe { give_back(pages.0.as_mut_ptr(), 65536 + 4095) }.unwrap();
        let (given, kept) = pages.0.split_at(65536);
        assert!(given.iter().all(|byte| *byte == 0));
        assert!(kept.iter().all(|byte| *byte == 7));
    }
}

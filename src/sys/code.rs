//! This program's own code in memory. Never changes a byte of it.

use twinslot::device::Cause;

use super::pages;

unsafe extern "C" {
    /// Where the program begins in memory, and where its code ends: the linker's symbols
    /// (ld.lld and GNU ld define both).
    static __executable_start: u8;
    static etext: u8;
}

/// Lets go of the pages of code that were needed so far. Those that are needed again come back
/// from the page cache; those that only starting up took do not count as this program's memory
/// any more.
///
/// # Errors
/// The kernel's: on a kernel with larger pages the code stays.
pub(crate) fn give_back() -> Result<(), Cause> {
    let start = &raw const __executable_start;
    let end = &raw const etext;
    let bytes = end.addr().saturating_sub(start.addr());
    // SAFETY: the range is the program's headers, constants and code, mapped from its file and
    // never written, relocations included, which are all behind `etext`: what is read or run
    // there again is read from the same file.
    unsafe { pages::give_back(start.cast_mut(), bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_was_given_back_runs_on() {
        let before = super::super::reason(5);
        give_back().unwrap();
        assert_eq!(super::super::reason(5), before);
    }
}

//! Whether a person watches standard error, and how wide their terminal is. Never writes to it.

use std::io::{IsTerminal, stderr};
use std::os::fd::AsRawFd;

mod request {
    nix::ioctl_read_bad!(size, libc::TIOCGWINSZ, libc::winsize);
}

/// Columns of the terminal that is standard error; `None` if it is none or has no size.
pub(crate) fn columns() -> Option<u16> {
    if !is_terminal() {
        return None;
    }
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one winsize; `size` is one, and lives and is borrowed alone here.
    unsafe { request::size(stderr().as_raw_fd(), &raw mut size) }.ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Standard error is a terminal.
pub(crate) fn is_terminal() -> bool {
    stderr().is_terminal()
}

//! Processes this program started for the owner: health checks and state scripts; and whose this
//! one is.

use std::io;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, geteuid};

/// Whether the child `pid` has ended; it is not reaped, so its number stays its own.
///
/// # Errors
/// It is no child of this process.
pub(crate) fn has_ended(pid: u32) -> io::Result<bool> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    Ok(waitid(Id::Pid(Pid::from_raw(pid)), flags)? != WaitStatus::StillAlive)
}

/// Ends every process of the group that `leader` was made the leader of. A group that is gone
/// already is as good.
pub(crate) fn kill_group(leader: u32) {
    if let Ok(leader) = i32::try_from(leader) {
        // ESRCH is the only error for a group of our own.
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    }
}

/// The user on whose behalf this process acts.
pub(crate) fn user() -> u32 {
    geteuid().as_raw()
}

//! How much a thread may take from others. Never raises what it lowered.

use std::io;

use nix::errno::Errno;
use twinslot::device::Cause;

use super::cause;

/// A tenth of what a thread of ordinary priority gets beside it (sched(7)). At 19, the most
/// yielding there is, it would be a seventieth: on a board that computes all day an update would
/// not come to its end.
const NICE: libc::c_int = 10;

/// `IOPRIO_WHO_PROCESS`; with number 0 the calling thread (linux/ioprio.h).
const CALLING_THREAD: [libc::c_int; 2] = [1, 0];

/// Class best-effort (2), level 7, the last: unlike the idle class it is never starved, so that
/// an update on a busy board comes to its end (linux/ioprio.h, `IOPRIO_PRIO_VALUE`).
const BEST_EFFORT_LAST: libc::c_int = 2 << 13 | 7;

/// From now on the calling thread, and those that it starts, yield to everything else on the
/// processor and on the disks.
///
/// # Errors
/// The kernel's: a sandbox may forbid it.
pub(crate) fn yield_to_others() -> Result<(), Cause> {
    let failed = |errno: Errno| cause(&io::Error::from(errno));
    // SAFETY: setpriority(2) takes numbers and touches no memory; 0 is the calling thread.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) }).map_err(failed)?;
    let [who, number] = CALLING_THREAD;
    // SAFETY: ioprio_set(2) takes three numbers and touches no memory.
    let set = unsafe { libc::syscall(libc::SYS_ioprio_set, who, number, BEST_EFFORT_LAST) };
    Errno::result(set).map(drop).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_yields_does_so_alone() {
        let nice = || std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let nice = move || {
            let stat = nice();
            let fields = stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap();
            fields.parse::<i32>().unwrap()
        };
        let before = nice();
        let other = std::thread::spawn(move || {
            yield_to_others().unwrap();
            nice()
        });
        assert_eq!(other.join().unwrap(), before.max(10));
        assert_eq!(nice(), before);
    }
}

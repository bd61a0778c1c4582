//! How the kernel shares its processors among this program's threads. Only ever steps back.

/// Lets a thread that runs go on when the calling one has something to do again: of two that
/// hand blocks to each other on few processors, the one that computes is not interrupted
/// (SCHED_BATCH, sched(7)). A kernel that refuses leaves things as they were.
pub(crate) fn step_back() {
    let of_no_priority = libc::sched_param { sched_priority: 0 };
    // musl's own function refuses, as a process is not a thread: the call itself then.
    // SAFETY: the kernel reads one `sched_param` at the address, which lives until the call
    // returns; 0 is the calling thread; no memory of ours is written.
    unsafe {
        libc::syscall(
            libc::SYS_sched_setscheduler,
            0,
            libc::SCHED_BATCH,
            &raw const of_no_priority,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_steps_back_is_scheduled_as_batch() {
        let policy = std::thread::spawn(|| {
            step_back();
            // SAFETY: the call touches no memory; 0 is the calling thread.
            unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) }
        });
        assert_eq!(policy.join().unwrap(), i64::from(libc::SCHED_BATCH));
    }
}

//! The wish to stop: SIGINT and SIGTERM raise a flag that the work looks at between steps. Never
//! ends the process.
//!
//! SIGPIPE stays ignored, as std sets it before `main`: an update whose progress is piped into a
//! program that ends must not end with it; the write fails with `EPIPE` instead, which the
//! terminal's writer may handle. SIGHUP keeps its default: losing the terminal ends the program
//! like a power cut, which is safe at any moment.

use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use twinslot::device::Cause;

use super::cause;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Whether someone asked to stop since [`listen`].
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// From now on SIGINT and SIGTERM only raise the flag. Without `SA_RESTART`: a read that waits
/// for standard input or the network returns with `EINTR`, and its caller looks at the flag.
///
/// # Errors
/// The kernel's; none is known for these signals.
pub(crate) fn listen() -> Result<(), Cause> {
    let action = SigAction::new(SigHandler::Handler(raise), SaFlags::empty(), SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: a handler must do only what is async-signal-safe: `raise` stores to an atomic
        // that no lock guards, and touches neither memory of others nor errno.
        unsafe { sigaction(signal, &action) }.map_err(|errno| cause(&errno.into()))?;
    }
    Ok(())
}

extern "C" fn raise(_: libc::c_int) {
    REQUESTED.store(true, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_raises_the_flag_and_the_process_lives() {
        listen().unwrap();
        assert!(!requested());
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        assert!(requested());
    }
}

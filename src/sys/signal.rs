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

/// What a signal asks of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// SIGUSR1, as Mender's: ask the server for an update now.
    Check,
    /// SIGUSR2, as Mender's: tell the server now what this device is.
    Inventory,
    /// SIGINT, SIGTERM
    Stop,
}

/// The signals of a service, which wait to be taken one by one.
#[derive(Debug)]
pub(crate) struct Held(SigSet);

/// From now on the signals of a service wait until they are taken. Every thread must hold them:
/// to be called before there are others.
///
/// # Errors
/// The kernel's; none is known for these signals.
pub(crate) fn hold() -> Result<Held, Cause> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGUSR2] {
        signals.add(signal);
    }
    signals.thread_block().map_err(|errno| cause(&errno.into()))?;
    Ok(Held(signals))
}

impl Held {
    /// Waits for the next.
    ///
    /// # Errors
    /// The kernel's; none is known for these signals.
    pub(crate) fn wait(&self) -> Result<Wish, Cause> {
        match self.0.wait().map_err(|errno| cause(&errno.into()))? {
            Signal::SIGUSR1 => Ok(Wish::Check),
            Signal::SIGUSR2 => Ok(Wish::Inventory),
            _ => Ok(Wish::Stop),
        }
    }
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

    #[test]
    fn held_signals_wait_and_are_told_apart() {
        let held = hold().unwrap();
        let wishes = [Wish::Check, Wish::Inventory, Wish::Stop];
        for (signal, wish) in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGINT].iter().zip(wishes)
        {
            nix::sys::signal::raise(*signal).unwrap();
            assert_eq!(held.wait(), Ok(wish));
        }
    }
}

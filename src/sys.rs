//! Linux, behind the core's traits, and the only `unsafe` of the program. Does what it is told
//! and reports what it found; decides no policy, and never names the network.

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use twinslot::device::Cause;

pub(crate) mod block;
pub(crate) mod clock;
pub(crate) mod code;
pub(crate) mod env;
pub(crate) mod heap;
pub(crate) mod holder;
pub(crate) mod lock;
pub(crate) mod mmc;
pub(crate) mod mounts;
pub(crate) mod notify;
pub(crate) mod number;
mod pages;
pub(crate) mod partition;
pub(crate) mod pool;
pub(crate) mod priority;
pub(crate) mod process;
pub(crate) mod reboot;
pub(crate) mod root;
pub(crate) mod schedule;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod store;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod watchdog;

/// What was being done to which path when the kernel said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} {}: {cause}", path.display())]
pub(crate) struct Failure {
    /// A verb: `open`, `write`.
    pub(crate) action: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) cause: Cause,
}

impl Failure {
    pub(crate) fn new(action: &'static str, path: &Path, error: &io::Error) -> Self {
        Self { action, path: path.to_owned(), cause: cause(error) }
    }
}

/// The kernel's reason with its number: an errno of `errno.h`.
pub(crate) fn reason(errno: i32) -> Cause {
    Cause { code: errno, text: Errno::from_raw(errno).desc() }
}

/// The reason in `error`. Std makes some errors itself, without a number: a transfer that ended
/// early is then the device's fault (`EIO`).
pub(crate) fn cause(error: &io::Error) -> Cause {
    if let Some(errno) = error.raw_os_error() {
        return reason(errno);
    }
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "fewer bytes read than asked for",
        io::ErrorKind::WriteZero => "fewer bytes written than given",
        _ => "input/output error",
    };
    Cause { code: libc::EIO, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_carries_the_kernels_number_and_text() {
        let error = io::Error::from_raw_os_error(libc::EBUSY);
        assert_eq!(cause(&error), Cause { code: 16, text: "Device or resource busy" });
    }

    #[test]
    fn a_short_read_is_an_input_output_error() {
        let error = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(cause(&error).code, libc::EIO);
    }

    #[test]
    fn a_failure_names_action_path_and_reason() {
        let error = io::Error::from_raw_os_error(libc::ENOENT);
        let failure = Failure::new("open", Path::new("/dev/x"), &error);
        assert_eq!(failure.to_string(), "cannot open /dev/x: No such file or directory");
    }
}

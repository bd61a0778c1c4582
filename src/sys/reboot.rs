//! Restarts the board, through the init system where there is one. Never returns while the
//! kernel does as it is told, and starts no process.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::{getpid, sync};
use twinslot::device::Cause;

use super::cause;
use super::number::read_text;

/// The init system's process.
const INIT: libc::pid_t = 1;

/// How long the init system may take to stop everything before the kernel is asked directly.
const PATIENCE: Duration = Duration::from_secs(60);

/// `SIGRTMIN+5` is systemd's for reboot.target (systemd(1), SIGNALS), counted from where its C
/// library lets real-time signals begin.
const SYSTEMD_ON_GLIBC: libc::c_int = 34 + 5;

/// The same where systemd runs on musl, which keeps one signal more for itself. Told apart
/// because one less, `SIGRTMIN+4`, is power off.
const SYSTEMD_ON_MUSL: libc::c_int = 35 + 5;

/// Restarts the board. As pid 1, at once. Else asks the init system in its own way; if a minute
/// later the board is still up, or there is nobody to ask, asks the kernel.
///
/// # Errors
/// The kernel refuses: this is not root's process (`EPERM`).
pub(crate) fn restart() -> Result<Infallible, Cause> {
    sync();
    if getpid().as_raw() != INIT && ask(Init::find()).is_ok() {
        sleep(PATIENCE);
        sync();
    }
    reboot(RebootMode::RB_AUTOBOOT).map_err(|errno| cause(&errno.into()))
}

fn ask(init: Init) -> Result<(), Errno> {
    // SAFETY: kill(2) takes two numbers and touches no memory of this process.
    Errno::result(unsafe { libc::kill(INIT, init.restart_signal()) }).map(|_| ())
}

/// Init systems that differ in the signal they take for a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Init {
    Systemd { on_musl: bool },
    BusyBox,
    Other,
}

impl Init {
    fn find() -> Self {
        // sd_booted(3)
        if Path::new("/run/systemd/system").is_dir() {
            let maps = read_text(Path::new("/proc/1/maps")).unwrap_or_default();
            return Self::Systemd { on_musl: maps.contains("/ld-musl-") };
        }
        let program = fs::read_link("/proc/1/exe").unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("busybox") { Self::BusyBox } else { Self::Other }
    }

    /// SIGINT is what the kernel sends to init for Ctrl-Alt-Del: System V init, OpenRC, runit,
    /// finit and procd take it for a restart. SIGTERM is one only to BusyBox, which may have no
    /// action for SIGINT; to OpenRC it is a halt.
    const fn restart_signal(self) -> libc::c_int {
        match self {
            Self::Systemd { on_musl: false } => SYSTEMD_ON_GLIBC,
            Self::Systemd { on_musl: true } => SYSTEMD_ON_MUSL,
            Self::BusyBox => libc::SIGTERM,
            Self::Other => libc::SIGINT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_init_is_asked_by_its_own_signal_for_a_restart() {
        assert_eq!(Init::Systemd { on_musl: false }.restart_signal(), 39);
        assert_eq!(Init::Systemd { on_musl: true }.restart_signal(), 40);
        assert_eq!(Init::BusyBox.restart_signal(), 15);
        assert_eq!(Init::Other.restart_signal(), 2);
    }
}

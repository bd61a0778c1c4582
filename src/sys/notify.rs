//! What a service says to its manager: sd_notify(3)'s protocol, one datagram a message. Silent
//! where nobody asked. Never waits.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Where the manager listens.
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// How often it wants a sign of life.
    heartbeat: Option<Duration>,
    /// When it had the last.
    beaten: Mutex<Option<Instant>>,
}

static MANAGER: OnceLock<Option<Manager>> = OnceLock::new();

/// Says `message`: lines such as `READY=1` and `STATUS=...`.
pub(crate) fn say(message: &str) {
    let Some(manager) = manager() else { return };
    // A manager that does not listen is no reason to stop.
    let _ = manager.socket.send_to_addr(message.as_bytes(), &manager.address);
}

/// How often the manager wants a sign of life, if it does.
pub(crate) fn heartbeat() -> Option<Duration> {
    manager()?.heartbeat
}

/// A sign of life, as often as the manager wants one; to be called more often than that.
pub(crate) fn beat() {
    let Some(manager) = manager() else { return };
    let Some(heartbeat) = manager.heartbeat else { return };
    let mut beaten = manager.beaten.lock().unwrap_or_else(PoisonError::into_inner);
    if beaten.is_none_or(|at| at.elapsed() >= heartbeat / 2) {
        *beaten = Some(Instant::now());
        say("WATCHDOG=1");
    }
}

fn manager() -> Option<&'static Manager> {
    MANAGER.get_or_init(|| Manager::find().ok().flatten()).as_ref()
}

impl Manager {
    fn find() -> io::Result<Option<Self>> {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else { return Ok(None) };
        let heartbeat = heartbeat_of(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
        );
        let (socket, address) = (UnixDatagram::unbound()?, address(&path)?);
        socket.set_nonblocking(true)?;
        Ok(Some(Self { socket, address, heartbeat, beaten: Mutex::new(None) }))
    }
}

/// A path, or with `@` in front a name in the kernel's own space.
fn address(path: &OsStr) -> io::Result<SocketAddr> {
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(path),
    }
}

/// Half of what is allowed between two signs of life (sd_watchdog_enabled(3)), if they are
/// wanted from this process.
fn heartbeat_of(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let is_other = pid.is_some_and(|pid| pid.parse() != Ok(std::process::id()));
    let usec = usec?.parse::<u64>().ok().filter(|usec| *usec > 0 && !is_other)?;
    Some(Duration::from_micros(usec / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_gets_a_sign_of_life_twice_as_often_as_it_allows_and_only_from_whom_it_asked() {
        let own = std::process::id().to_string();
        assert_eq!(heartbeat_of(Some("4000000"), None), Some(Duration::from_secs(2)));
        assert_eq!(heartbeat_of(Some("4000000"), Some(&own)), Some(Duration::from_secs(2)));
        assert_eq!(heartbeat_of(Some("4000000"), Some("1")), None);
        assert_eq!(heartbeat_of(Some("0"), None), None);
        assert_eq!(heartbeat_of(None, None), None);
    }

    #[test]
    fn a_message_reaches_a_socket_by_path_and_by_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let abstract_name = format!("@twinslot-notify-{}", std::process::id());
        for name in [path.as_os_str(), OsStr::new(&abstract_name)] {
            let listener = UnixDatagram::bind_addr(&address(name).unwrap()).unwrap();
            let sender = UnixDatagram::unbound().unwrap();
            sender.send_to_addr(b"READY=1", &address(name).unwrap()).unwrap();
            let mut got = [0; 16];
            let len = listener.recv(&mut got).unwrap();
            assert_eq!(&got[..len], b"READY=1");
        }
    }
}

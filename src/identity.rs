//! Who this device is to a server: the names it goes by, and its key. Made on first use and kept
//! in the state directory; a key that others could have read is not used as if they had not.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::net::mender::Identity;
use crate::net::mender::key::{DeviceKey, PEM_BYTES, SECRET_BYTES};
use crate::net::server::Attributes;
use crate::owner;
use crate::state::StateDir;
use crate::sys::lock::UpdaterLock;
use crate::sys::number::read_text;
use crate::sys::{self, store};

/// The key's file in the state directory.
const KEY_FILE: &str = "agent.pem";

/// The owner's program that says who this device is, as Mender's client runs it.
const PROGRAM: &str = "/usr/share/mender/identity/mender-device-identity";

/// Where the kernel lists network interfaces.
const INTERFACES: &str = "/sys/class/net";

/// ARPHRD_ETHER of linux/if_arp.h.
const ETHERNET: &str = "1";

/// How many secret numbers are drawn at most: one in 2^32 makes no key.
const DRAWS: usize = 8;

/// Who this device is, as configured.
///
/// # Errors
/// It has no name, or no key that can be used.
pub(crate) fn identity(config: &Config) -> Result<Identity, Failure> {
    let tenant_token = config.server.tenant_token.clone();
    Ok(Identity { names: names(Path::new(PROGRAM))?, key: key(config)?, tenant_token })
}

/// The names that the owner's program says, else the address of the first network interface.
fn names(program: &Path) -> Result<Attributes, Failure> {
    let nameless = |reason: &dyn Display| Failure::new(Exit::Usage, "identity-unknown", reason);
    if !is_executable(program) {
        let address = ethernet(Path::new(INTERFACES)).into_iter().next();
        let (_, mac) = address.ok_or_else(|| {
            let none = "this device has no Ethernet address to go by, and no program";
            nameless(&format_args!("{none} {}", program.display()))
        })?;
        return Ok(vec![("mac".to_owned(), mac)]);
    }
    let said = owner::said(program).map_err(|error| nameless(&error))?;
    let names = owner::pairs(&said);
    if names.is_empty() {
        let none = "said no line NAME=VALUE";
        return Err(nameless(&format_args!("{} {none}", program.display())));
    }
    Ok(names)
}

/// Whether there is a program at `path`.
pub(crate) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}

/// The network interfaces that have an Ethernet address, and that: by name, those of hardware
/// before those of software, which come and go.
pub(crate) fn ethernet(interfaces: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(interfaces).into_iter().flatten();
    let mut found = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let text = |name: &str| read_text(&path.join(name)).unwrap_or_default().trim().to_owned();
        let address = text("address");
        let is_set = address.chars().any(|char| !"0:".contains(char));
        if text("type") == ETHERNET && is_set {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push((!path.join("device").exists(), name, address));
        }
    }
    found.sort();
    found.into_iter().map(|(_, name, address)| (name, address)).collect()
}

/// The key the configuration names, else this device's own, made if there is none yet.
fn key(config: &Config) -> Result<DeviceKey, Failure> {
    if let Some(path) = &config.server.auth_key {
        refuse_if_open(path)?;
        return read(path)?.ok_or_else(|| unusable(path, &"no such file"));
    }
    let path = config.state_dir.join(KEY_FILE);
    close(&path)?;
    match read(&path)? {
        Some(key) => Ok(key),
        None => make(config, path),
    }
}

fn unusable(path: &Path, reason: &dyn Display) -> Failure {
    Failure::new(Exit::Usage, "device-key", format!("{}: {reason}", path.display()))
}

fn read(path: &Path) -> Result<Option<DeviceKey>, Failure> {
    let pem = store::read_bounded(path, PEM_BYTES).map_err(|error| {
        Failure::new(Exit::Io, "device-key", format!("cannot read this device's key: {error}"))
    })?;
    let key = |pem: Vec<u8>| DeviceKey::from_pem(&pem).map_err(|error| unusable(path, &error));
    pem.map(key).transpose()
}

/// What of a file's mode lets others at it; none if there is no file.
fn open_to_others(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|found| found.mode() & 0o077).filter(|open| *open != 0)
}

/// The owner's file is the owner's to mend.
fn refuse_if_open(path: &Path) -> Result<(), Failure> {
    match open_to_others(path) {
        None => Ok(()),
        Some(_) => {
            let wanted = "others than its owner may use this private key: chmod 600 it";
            Err(unusable(path, &wanted))
        }
    }
}

/// Our own file is ours to mend.
fn close(path: &Path) -> Result<(), Failure> {
    if open_to_others(path).is_none() {
        return Ok(());
    }
    log::warn!("{}: others than its owner could use this key; that is mended", path.display());
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .map_err(|error| sys::Failure::new("close to others", path, &error).into())
}

/// Makes this device's key; if another twinslot has just done so, that one counts.
fn make(config: &Config, path: PathBuf) -> Result<DeviceKey, Failure> {
    let state = StateDir::new(&config.state_dir);
    let unwritable = |failure| Failure::new(Exit::Io, "state-dir-unwritable", failure);
    state.prepare().map_err(unwritable)?;
    let _lock = UpdaterLock::take(state.path())?;
    if let Some(key) = read(&path)? {
        return Ok(key);
    }
    let key = drawn()?;
    store::keep_secret(&path, key.to_pem().as_bytes()).map_err(unwritable)?;
    log::info!("made this device's key, {}", path.display());
    Ok(key)
}

fn drawn() -> Result<DeviceKey, Failure> {
    let no_key = |error: &dyn Display| {
        let message = format!("cannot make this device's key: {error}");
        Failure::new(Exit::Io, "device-key", message)
    };
    for _ in 0..DRAWS {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|error| no_key(&error))?;
        if let Ok(key) = DeviceKey::from_secret(&secret) {
            return Ok(key);
        }
    }
    Err(no_key(&"the kernel's random numbers make none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> (tempfile::TempDir, Config) {
        let directory = tempfile::tempdir().unwrap();
        let state_dir = directory.path().join("state");
        (directory, Config { state_dir, ..Config::default() })
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_on_first_use_for_its_owner_alone_and_kept() {
        let (_directory, config) = config();
        let made = key(&config).unwrap().public_pem();
        let path = config.state_dir.join(KEY_FILE);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(key(&config).unwrap().public_pem(), made);
        let other = self::config();
        assert_ne!(key(&other.1).unwrap().public_pem(), made);
    }

    #[test]
    fn a_key_that_others_could_use_is_mended_if_ours_and_refused_if_the_owners() {
        let (_directory, mut config) = config();
        let made = key(&config).unwrap().public_pem();
        let path = config.state_dir.join(KEY_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(key(&config).unwrap().public_pem(), made);
        assert_eq!(mode(&path), 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        config.server.auth_key = Some(path.clone());
        let refused = key(&config).unwrap_err().message;
        assert!(
            refused.ends_with(": others than its owner may use this private key: chmod 600 it")
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(key(&config).unwrap().public_pem(), made);
    }

    #[test]
    fn a_damaged_key_is_not_made_anew_since_the_server_knows_the_old_one() {
        let (_directory, config) = config();
        key(&config).unwrap();
        let path = config.state_dir.join(KEY_FILE);
        fs::write(&path, "nonsense").unwrap();
        assert_eq!(key(&config).unwrap_err().code, "device-key");
        assert_eq!(fs::read(&path).unwrap(), b"nonsense");
    }

    #[test]
    fn a_key_is_not_made_while_another_twinslot_runs() {
        let (_directory, config) = config();
        StateDir::new(&config.state_dir).prepare().unwrap();
        let _lock = UpdaterLock::take(&config.state_dir).unwrap();
        assert_eq!(key(&config).unwrap_err().code, "another-twinslot-runs");
    }

    fn interface(root: &Path, name: &str, (kind, address): (&str, &str)) -> PathBuf {
        let path = root.join(name);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("type"), format!("{kind}\n")).unwrap();
        fs::write(path.join("address"), format!("{address}\n")).unwrap();
        path
    }

    #[test]
    fn a_device_goes_by_its_first_ethernet_address_of_hardware() {
        let root = tempfile::tempdir().unwrap();
        interface(root.path(), "lo", ("772", "00:00:00:00:00:00"));
        interface(root.path(), "br0", ("1", "02:00:00:00:00:01"));
        interface(root.path(), "eth9", ("1", "00:00:00:00:00:00"));
        let hardware = interface(root.path(), "eth1", ("1", "02:00:00:00:00:02"));
        let found = ethernet(root.path());
        assert_eq!(found[0], ("br0".to_owned(), "02:00:00:00:00:01".to_owned()));
        fs::create_dir(hardware.join("device")).unwrap();
        let found = ethernet(root.path());
        assert_eq!(found[0], ("eth1".to_owned(), "02:00:00:00:00:02".to_owned()));
        assert_eq!(found.len(), 2);
        assert_eq!(ethernet(Path::new("/no/such/directory")), []);
    }

    fn program(body: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        (directory, path)
    }

    #[test]
    fn the_owners_program_says_who_a_device_is() {
        let (_directory, path) = program("echo serial=17; echo mac=02:00");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(names(&path).unwrap(), [pair("serial", "17"), pair("mac", "02:00")]);
        for body in ["exit 1", "echo nothing"] {
            let (_directory, path) = program(body);
            assert_eq!(names(&path).unwrap_err().code, "identity-unknown");
        }
    }
}

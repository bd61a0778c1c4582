//! What this device is, for a server's inventory: the names that Mender's clients use, and what
//! the owner's programs add. Asks no server, and is content with what it finds.

use std::fs;
use std::path::{Path, PathBuf};

use twinslot::provides::Provides;

use crate::config::Config;
use crate::failure::Failure;
use crate::identity::{ethernet, is_executable};
use crate::net::server::Attributes;
use crate::owner;
use crate::servers;
use crate::sys::number::read_text;

/// The owner's programs are here, and named so.
const PROGRAMS: &str = "/usr/share/mender/inventory";
const PREFIX: &str = "mender-inventory-";

/// How many of them are run.
const PROGRAMS_MAX: usize = 32;

/// Everything, the system that runs providing `running`.
///
/// # Errors
/// The device type is unknown.
pub(crate) fn attributes(config: &Config, running: &Provides) -> Result<Attributes, Failure> {
    let mut attributes = servers::provides(config, running)?;
    let said = owners(Path::new(PROGRAMS));
    let found = found(Path::new("/"));
    // What the owner says of something stands for what is found.
    let unsaid = found.into_iter().filter(|(name, _)| said.iter().all(|(other, _)| other != name));
    attributes.extend(unsaid);
    let provided: Vec<_> = attributes.iter().map(|(name, _)| name.clone()).collect();
    let new = |(name, _): &(String, String)| !provided.contains(name);
    attributes.extend(said.into_iter().filter(new));
    Ok(attributes)
}

/// What the kernel and the system below `root` say of themselves.
fn found(root: &Path) -> Attributes {
    let text = |path: &str| read_text(&root.join(path)).unwrap_or_default();
    let release = text("proc/sys/kernel/osrelease");
    let kernel = (!release.is_empty()).then(|| format!("Linux version {}", release.trim()));
    let facts = [
        ("twinslot_version", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("hostname", Some(text("proc/sys/kernel/hostname").trim().to_owned())),
        ("kernel", kernel),
        ("os", value(&text("etc/os-release"), "PRETTY_NAME", '=')),
        ("cpu_model", cpu_model(&text("proc/cpuinfo"))),
        ("mem_total_kB", value(&text("proc/meminfo"), "MemTotal", ':').map(kilobytes)),
    ];
    let facts = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let interfaces = ethernet(&root.join("sys/class/net")).into_iter();
    let macs = interfaces.map(|(interface, address)| (format!("mac_{interface}"), address));
    facts.chain(macs).filter(|(_, value)| !value.is_empty()).collect()
}

/// `model name` on x86, `Model` or `Hardware` of the board on Arm.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    ["model name", "Model", "Hardware"].iter().find_map(|name| value(cpuinfo, name, ':'))
}

fn kilobytes(value: String) -> String {
    value.trim_end_matches("kB").trim_end().to_owned()
}

/// The value in the first line `NAME<mark>VALUE`, without quotes.
fn value(text: &str, name: &str, mark: char) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let (found, value) = line.split_once(mark)?;
        (found.trim() == name).then(|| value.trim().trim_matches('"').to_owned())
    });
    value.filter(|value| !value.is_empty())
}

/// What the owner's programs say; one that fails says nothing.
fn owners(directory: &Path) -> Attributes {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(PREFIX) && is_executable(path)
    };
    let mut paths: Vec<_> = paths.filter(is_one).collect();
    paths.sort();
    paths.truncate(PROGRAMS_MAX);
    let mut said = Vec::new();
    for path in paths {
        match owner::said(&path) {
            Ok(text) => said.extend(owner::pairs(&text)),
            Err(error) => log::warn!("inventory: {error}"),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn what_a_system_says_of_itself_has_menders_names() {
        let root = root(&[
            ("proc/sys/kernel/hostname", "box\n"),
            ("proc/sys/kernel/osrelease", "6.1.0-13-arm64\n"),
            ("etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"),
            ("proc/cpuinfo", "processor\t: 0\nCPU part\t: 0xd08\nHardware\t: Rockchip RK3399\n"),
            ("proc/meminfo", "MemTotal:        3930748 kB\nMemFree: 1 kB\n"),
            ("sys/class/net/eth0/type", "1\n"),
            ("sys/class/net/eth0/address", "02:00:00:00:00:01\n"),
        ]);
        let expected = [
            ("twinslot_version", env!("CARGO_PKG_VERSION")),
            ("hostname", "box"),
            ("kernel", "Linux version 6.1.0-13-arm64"),
            ("os", "Debian GNU/Linux 12"),
            ("cpu_model", "Rockchip RK3399"),
            ("mem_total_kB", "3930748"),
            ("mac_eth0", "02:00:00:00:00:01"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found(root.path()), expected);
        assert_eq!(found(Path::new("/no/such/root")).len(), 1);
    }

    #[test]
    fn the_owners_programs_are_asked_in_the_order_of_their_names() {
        let root = root(&[
            ("mender-inventory-b", "#!/bin/sh\necho b=2\n"),
            ("mender-inventory-a", "#!/bin/sh\necho a=1; echo b=1\n"),
            ("mender-inventory-broken", "#!/bin/sh\necho c=3; exit 1\n"),
            ("other", "#!/bin/sh\necho d=4\n"),
            ("mender-inventory-text", "e=5\n"),
        ]);
        for name in ["mender-inventory-a", "mender-inventory-b", "mender-inventory-broken", "other"]
        {
            let path = root.path().join(name);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let expected = [("a", "1"), ("b", "1"), ("b", "2")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(owners(root.path()), expected);
        assert_eq!(owners(Path::new("/no/such/directory")), []);
    }
}

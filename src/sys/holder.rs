//! Who keeps a block device from being opened exclusively. Only looks, through /proc and /sys;
//! what it may not read it takes for nothing.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use super::mounts::{self, Mount};
use super::number::{DeviceNumber, read_text};

/// The first holder found, the most telling kind first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Mounted; `pid` is a process that sees the mount if this one does not.
    Mount { point: String, pid: Option<u32> },
    /// Swap space.
    Swap,
    /// Another block device lies on it: device-mapper, md, bcache.
    Layer { name: String },
    /// A process has it open.
    Process { pid: u32, name: String },
    /// Nobody this process may see.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { point, pid: None } => write!(f, "mounted at {point}"),
            Self::Mount { point, pid: Some(pid) } => {
                write!(f, "mounted at {point} where process {pid} runs")
            }
            Self::Swap => f.write_str("used as swap"),
            Self::Layer { name } => write!(f, "part of {name}"),
            Self::Process { pid, name } => write!(f, "open in process {pid} ({name})"),
            Self::Unknown => f.write_str("held by something this process cannot see"),
        }
    }
}

/// Who holds `device`, or a device that cannot be held at the same time: its disk, its partitions.
pub(crate) fn of(device: DeviceNumber) -> Holder {
    let mut devices = vec![device];
    devices.extend(device.disk());
    devices.extend(device.partitions());
    mount_seen_here(&devices)
        .or_else(|| swap(&devices))
        .or_else(|| layer(&devices))
        .or_else(|| mount_seen_elsewhere(&devices))
        .or_else(|| process(&devices))
        .unwrap_or(Holder::Unknown)
}

fn mount_seen_here(devices: &[DeviceNumber]) -> Option<Holder> {
    let point = mount_point(Path::new("/proc/self/mountinfo"), devices)?;
    Some(Holder::Mount { point, pid: None })
}

/// In another mount namespace, or outside the directory this process is confined to.
fn mount_seen_elsewhere(devices: &[DeviceNumber]) -> Option<Holder> {
    processes().find_map(|(pid, directory)| {
        let point = mount_point(&directory.join("mountinfo"), devices)?;
        Some(Holder::Mount { point, pid: Some(pid) })
    })
}

fn mount_point(mountinfo: &Path, devices: &[DeviceNumber]) -> Option<String> {
    let text = read_text(mountinfo).ok()?;
    mounts::parse(&text).find(|mount| is_on(mount, devices)).map(|mount| mount.point)
}

/// A file system of several devices (btrfs) has no number of its own, but a source.
fn is_on(mount: &Mount<'_>, devices: &[DeviceNumber]) -> bool {
    if !mount.number.is_anonymous() {
        return devices.contains(&mount.number);
    }
    mount.source.starts_with('/')
        && DeviceNumber::of_block_node(Path::new(&mount.source))
            .is_some_and(|source| devices.contains(&source))
}

fn swap(devices: &[DeviceNumber]) -> Option<Holder> {
    let text = read_text(Path::new("/proc/swaps")).ok()?;
    let used = swaps(&text).any(|path| {
        DeviceNumber::of_block_node(Path::new(&path)).is_some_and(|swap| devices.contains(&swap))
    });
    used.then_some(Holder::Swap)
}

/// The first column under the heading, escaped as mountinfo is.
fn swaps(text: &str) -> impl Iterator<Item = String> {
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(mounts::unescape)
}

fn layer(devices: &[DeviceNumber]) -> Option<Holder> {
    let holders = devices.iter().filter_map(|device| {
        let mut entries = fs::read_dir(device.sysfs().join("holders")).ok()?;
        entries.next()?.ok()
    });
    let first = holders.map(|entry| entry.path()).next()?;
    Some(Holder::Layer { name: layer_name(&first) })
}

/// Device-mapper's own name with the kernel's: `vg-root (dm-0)`.
fn layer_name(holder: &Path) -> String {
    let kernel = holder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match read_text(&holder.join("dm/name")) {
        Ok(name) => format!("{} ({kernel})", name.trim()),
        Err(_) => kernel,
    }
}

/// A process other than this one; the kernel does not tell who opened exclusively.
fn process(devices: &[DeviceNumber]) -> Option<Holder> {
    let (pid, directory) = processes().find(|(_, directory)| has_open(directory, devices))?;
    let name = read_text(&directory.join("comm")).unwrap_or_default();
    Some(Holder::Process { pid, name: name.trim().to_owned() })
}

fn has_open(process: &Path, devices: &[DeviceNumber]) -> bool {
    let Ok(entries) = fs::read_dir(process.join("fd")) else { return false };
    entries.flatten().map(|entry| entry.path()).any(|link| {
        // Only paths: a socket or pipe has none, and looking at one is for nothing.
        fs::read_link(&link).is_ok_and(|target| target.is_absolute())
            && DeviceNumber::of_block_node(&link).is_some_and(|open| devices.contains(&open))
    })
}

/// The other processes and their directories in /proc.
fn processes() -> impl Iterator<Item = (u32, PathBuf)> {
    let own = std::process::id();
    let entries = fs::read_dir("/proc").ok().into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (pid != own).then(|| (pid, entry.path()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_nobody_has_is_held_by_nobody_seen() {
        assert_eq!(of(DeviceNumber { major: 4095, minor: 1 }), Holder::Unknown);
    }

    #[test]
    fn swaps_are_listed_under_a_heading() {
        let text = "Filename\t\t\tType\t\tSize\tUsed\tPriority\n\
                    /dev/mmcblk0p4 partition\t524284\t0\t-2\n/swap\\040file file 1 0 -3\n";
        assert_eq!(swaps(text).collect::<Vec<_>>(), ["/dev/mmcblk0p4", "/swap file"]);
    }

    #[test]
    fn every_holder_completes_the_sentence_that_a_slot_is() {
        let said = |holder: Holder| format!("/dev/x is {holder}");
        let point = "/mnt".to_owned();
        assert_eq!(said(Holder::Mount { point, pid: None }), "/dev/x is mounted at /mnt");
        let process = Holder::Process { pid: 7, name: "dd".to_owned() };
        assert_eq!(said(process), "/dev/x is open in process 7 (dd)");
        assert_eq!(said(Holder::Layer { name: "md0".to_owned() }), "/dev/x is part of md0");
    }
}

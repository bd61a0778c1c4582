//! Device numbers, and what sysfs says about the block device behind one. Never opens a device.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A text of /proc or /sys is read up to this many bytes: room for 5000 mounts.
const TEXT_MAX: u64 = 1 << 20;

/// The kernel's name of a device: `dev_t` taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DeviceNumber {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

impl DeviceNumber {
    /// From `st_dev` or `st_rdev`.
    pub(crate) fn from_raw(dev: u64) -> Self {
        Self { major: libc::major(dev), minor: libc::minor(dev) }
    }

    /// The device that holds the file at `path` (`st_dev`).
    pub(crate) fn holding(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|found| Self::from_raw(found.dev()))
    }

    /// The block device that the node at `path` stands for (`st_rdev`).
    pub(crate) fn of_block_node(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        found.file_type().is_block_device().then(|| Self::from_raw(found.rdev()))
    }

    /// No device behind it: btrfs, overlayfs, tmpfs and their like (major 0).
    pub(crate) fn is_anonymous(self) -> bool {
        self.major == 0
    }

    /// The device's directory in sysfs: attributes of the disk or partition.
    pub(crate) fn sysfs(self) -> PathBuf {
        PathBuf::from(format!("/sys/dev/block/{self}"))
    }

    /// The trimmed text of an attribute; `None` if the device has none of that name.
    pub(crate) fn attribute(self, name: &str) -> Option<String> {
        let text = read_text(&self.sysfs().join(name)).ok()?;
        Some(text.trim().to_owned())
    }

    /// The partition's number on its disk; `None` for what is no partition.
    pub(crate) fn partition(self) -> Option<u32> {
        self.attribute("partition")?.parse().ok()
    }

    /// The disk a partition is on; `None` for what is no partition.
    pub(crate) fn disk(self) -> Option<Self> {
        self.partition()?;
        self.attribute("../dev")?.parse().ok()
    }

    /// The partitions the kernel knows on this disk.
    pub(crate) fn partitions(self) -> Vec<Self> {
        let Ok(entries) = fs::read_dir(self.sysfs()) else { return Vec::new() };
        entries
            .flatten()
            .filter(|entry| entry.path().join("partition").exists())
            .filter_map(|entry| read_text(&entry.path().join("dev")).ok()?.trim().parse().ok())
            .collect()
    }

    /// The kernel's name: `mmcblk0p2`.
    pub(crate) fn name(self) -> Option<String> {
        let uevent = self.attribute("uevent")?;
        uevent_value(&uevent, "DEVNAME").map(str::to_owned)
    }

    /// The node in /dev, if it is there and stands for this device.
    pub(crate) fn node(self) -> Option<PathBuf> {
        let path = Path::new("/dev").join(self.name()?);
        (Self::of_block_node(&path) == Some(self)).then_some(path)
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// The text is no device number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotANumber;

impl FromStr for DeviceNumber {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let (major, minor) = text.split_once(':').ok_or(NotANumber)?;
        let part = |digits: &str| digits.parse().map_err(|_| NotANumber);
        Ok(Self { major: part(major)?, minor: part(minor)? })
    }
}

/// Every block device the kernel knows, disks and partitions, by sysfs directory.
pub(crate) fn block_devices() -> Vec<DeviceNumber> {
    let Ok(entries) = fs::read_dir("/sys/class/block") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| read_text(&entry.path().join("dev")).ok()?.trim().parse().ok())
        .collect()
}

/// The value of `KEY=value` in a uevent file.
pub(crate) fn uevent_value<'a>(uevent: &'a str, key: &str) -> Option<&'a str> {
    uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

/// A text of /proc or /sys, as far as [`TEXT_MAX`]; bytes that are no UTF-8 are replaced.
///
/// # Errors
/// Those of opening and reading.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(TEXT_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_reads_as_it_prints() {
        let number: DeviceNumber = "179:2".parse().unwrap();
        assert_eq!(number, DeviceNumber { major: 179, minor: 2 });
        assert_eq!(number.to_string(), "179:2");
        assert_eq!("179".parse::<DeviceNumber>(), Err(NotANumber));
        assert_eq!("x:2".parse::<DeviceNumber>(), Err(NotANumber));
    }

    #[test]
    fn a_raw_number_splits_as_the_c_library_does() {
        let wide = DeviceNumber::from_raw(libc::makedev(259, 70_000));
        assert_eq!(wide, DeviceNumber { major: 259, minor: 70_000 });
    }

    #[test]
    fn a_uevent_key_matches_whole() {
        let text = "MAJOR=179\nPARTN=2\nPARTNAME=a=b\nDEVNAME=mmcblk0p2\n";
        assert_eq!(uevent_value(text, "PARTNAME"), Some("a=b"));
        assert_eq!(uevent_value(text, "PART"), None);
        assert_eq!(uevent_value(text, "DEVNAME"), Some("mmcblk0p2"));
    }

    #[test]
    fn a_character_device_has_no_block_number() {
        assert_eq!(DeviceNumber::of_block_node(Path::new("/dev/null")), None);
    }
}

//! Finds the block device that a configuration or the kernel's command line names. Reads sysfs,
//! udev's links and, where neither knows, the partition tables themselves. Never writes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::number::{DeviceNumber, block_devices, uevent_value};
use super::table::{Disk, Table};
use super::{Failure, block};

/// How a partition may be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spec {
    Path(PathBuf),
    /// Of a GPT entry, or `xxxxxxxx-NN` of an MBR; in any case.
    PartUuid(String),
    PartLabel(String),
}

/// A name that is none of those of [`Spec`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no absolute path, PARTUUID= or PARTLABEL=")]
pub(crate) struct Unsupported(pub(crate) String);

impl FromStr for Spec {
    type Err = Unsupported;

    fn from_str(text: &str) -> Result<Self, Unsupported> {
        match text.split_once('=') {
            _ if text.starts_with('/') => Ok(Self::Path(PathBuf::from(text))),
            // A slash follows the kernel's PARTUUID=..../PARTNROFF=n.
            Some(("PARTUUID", uuid)) if !uuid.is_empty() && !uuid.contains('/') => {
                Ok(Self::PartUuid(uuid.to_owned()))
            }
            Some(("PARTLABEL", label)) if !label.is_empty() => {
                Ok(Self::PartLabel(label.to_owned()))
            }
            _ => Err(Unsupported(text.to_owned())),
        }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::PartUuid(uuid) => write!(f, "PARTUUID={uuid}"),
            Self::PartLabel(label) => write!(f, "PARTLABEL={label}"),
        }
    }
}

/// A block device that can be a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Its node: the path that named it, or the kernel's name in /dev.
    pub(crate) path: PathBuf,
    pub(crate) device: DeviceNumber,
    /// What the boot loader calls it (`mender_boot_part`): the partition's number, or for what
    /// is no partition the digits its path ends in, as Mender has it.
    pub(crate) number: u32,
    /// The disk it is a partition of.
    pub(crate) disk: Option<DeviceNumber>,
}

/// Why a name leads to no partition.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("{spec}: no such partition")]
    Missing { spec: Spec },
    #[error("{} is not a block device", path.display())]
    NotBlockDevice { path: PathBuf },
    #[error("{spec} names both {} and {}", first.display(), second.display())]
    Ambiguous { spec: Spec, first: PathBuf, second: PathBuf },
    #[error("{} is no partition and its name ends in no number", path.display())]
    Unnumbered { path: PathBuf },
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The one partition that `spec` names.
///
/// # Errors
/// None or several have that name, or it has no number.
pub(crate) fn resolve(spec: &Spec) -> Result<Partition, ResolveError> {
    let mut found = candidates(spec)?.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(ResolveError::Missing { spec: spec.clone() }),
        (Some(first), Some(second)) => Err(ResolveError::Ambiguous {
            spec: spec.clone(),
            first: first.path,
            second: second.path,
        }),
    }
}

/// Every partition that `spec` names: a copied disk has the same UUIDs as its original.
///
/// # Errors
/// The path is there but unusable.
pub(crate) fn candidates(spec: &Spec) -> Result<Vec<Partition>, ResolveError> {
    if let Spec::Path(path) = spec {
        return Ok(at_path(path)?.into_iter().collect());
    }
    let devices = block_devices();
    for search in [published, recorded, linked] {
        let found: Vec<_> = search(spec, &devices).into_iter().filter_map(at_number).collect();
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// What the kernel itself says: PARTNAME since Linux 4.6, PARTUUID on newer ones.
fn published(spec: &Spec, devices: &[DeviceNumber]) -> Vec<DeviceNumber> {
    let named = |device: &&DeviceNumber| {
        device.attribute("uevent").is_some_and(|uevent| match spec {
            Spec::Path(_) => false,
            Spec::PartUuid(uuid) => uevent_value(&uevent, "PARTUUID")
                .is_some_and(|found| found.eq_ignore_ascii_case(uuid)),
            Spec::PartLabel(label) => uevent_value(&uevent, "PARTNAME") == Some(label),
        })
    };
    devices.iter().filter(named).copied().collect()
}

/// What the disks' own tables say, of partitions that the kernel has.
fn recorded(spec: &Spec, devices: &[DeviceNumber]) -> Vec<DeviceNumber> {
    let disks = devices.iter().filter(|device| device.partition().is_none());
    disks.flat_map(|disk| recorded_on(*disk, spec)).collect()
}

fn recorded_on(disk: DeviceNumber, spec: &Spec) -> Vec<DeviceNumber> {
    let parts = disk.partitions();
    if parts.is_empty() {
        return parts;
    }
    let numbers = table_of(disk).map(|table| table.numbers(spec)).unwrap_or_default();
    let named = |part: &DeviceNumber| part.partition().is_some_and(|n| numbers.contains(&n));
    parts.into_iter().filter(named).collect()
}

/// What udev or mdev linked: one of several, where several bear the name, hence asked last.
fn linked(spec: &Spec, _: &[DeviceNumber]) -> Vec<DeviceNumber> {
    let link = match spec {
        Spec::Path(path) => path.clone(),
        Spec::PartUuid(uuid) => Path::new("/dev/disk/by-partuuid").join(uuid.to_ascii_lowercase()),
        Spec::PartLabel(label) => Path::new("/dev/disk/by-partlabel").join(link_name(label)),
    };
    DeviceNumber::of_block_node(&link).into_iter().collect()
}

fn table_of(disk: DeviceNumber) -> Option<Table> {
    let path = disk.node()?;
    // O_NONBLOCK: do not wait for a medium in a drive without one.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).ok()?;
    read_table(&file, &path)
}

fn read_table(file: &File, path: &Path) -> Option<Table> {
    Table::read(&Disk {
        read: &|at, into| file.read_exact_at(into, at),
        block_bytes: block::block_bytes(file, path).ok()?,
        size_bytes: block::size_bytes(file).ok()?,
    })
}

/// `None` if nothing is there.
fn at_path(path: &Path) -> Result<Option<Partition>, ResolveError> {
    if let Err(error) = path.metadata() {
        return match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(Failure::new("stat", path, &error).into()),
        };
    }
    let path = path.to_owned();
    let Some(device) = DeviceNumber::of_block_node(&path) else {
        return Err(ResolveError::NotBlockDevice { path });
    };
    match device.partition().or_else(|| trailing_number(&path)) {
        Some(number) => Ok(Some(Partition { path, device, number, disk: device.disk() })),
        None => Err(ResolveError::Unnumbered { path }),
    }
}

/// `None` if the device has no node in /dev, or has gone meanwhile.
fn at_number(device: DeviceNumber) -> Option<Partition> {
    let (path, number) = (device.node()?, device.partition()?);
    Some(Partition { path, device, number, disk: device.disk() })
}

/// The digits the file name ends in: `/dev/loop3` is 3.
fn trailing_number(path: &Path) -> Option<u32> {
    let name = path.file_name()?.to_str()?;
    let digits = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name.get(digits..)?.parse().ok()
}

/// A label as udev writes it into a link's name: what is not plain becomes `\xNN`
/// (`udev_util_encode_string` in libudev).
fn link_name(label: &str) -> String {
    let mut name = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_ascii_alphanumeric() || "#+-.:=@_".contains(c) || !c.is_ascii() {
            name.push(c);
        } else {
            name.push_str(&format!("\\x{:02x}", u32::from(c)));
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_named_by_path_partuuid_or_partlabel() {
        let spec = |text: &str| text.parse::<Spec>().unwrap();
        assert_eq!(spec("/dev/mmcblk2p2"), Spec::Path("/dev/mmcblk2p2".into()));
        assert_eq!(spec("/dev/disk/by-x/a=b"), Spec::Path("/dev/disk/by-x/a=b".into()));
        assert_eq!(spec("PARTUUID=6A-02"), Spec::PartUuid("6A-02".to_owned()));
        assert_eq!(spec("PARTLABEL=slot a"), Spec::PartLabel("slot a".to_owned()));
    }

    #[test]
    fn other_names_are_refused_with_what_is_supported() {
        let others = ["", "UUID=1", "LABEL=x", "PARTUUID=", "PARTUUID=1/PARTNROFF=1", "sda1"];
        for text in others {
            assert_eq!(text.parse::<Spec>(), Err(Unsupported(text.to_owned())));
        }
        let said = "UUID=1".parse::<Spec>().unwrap_err().to_string();
        assert_eq!(said, "\"UUID=1\" is no absolute path, PARTUUID= or PARTLABEL=");
    }

    #[test]
    fn a_spec_prints_as_it_reads() {
        for text in ["/dev/loop3", "PARTUUID=ab-01", "PARTLABEL=b"] {
            assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_number_is_the_digits_the_path_ends_in() {
        let number = |path: &str| trailing_number(Path::new(path));
        assert_eq!(number("/dev/loop3"), Some(3));
        assert_eq!(number("/dev/mmcblk2p12"), Some(12));
        assert_eq!(number("/dev/slot7/root"), None);
        assert_eq!(number("/dev/x99999999999"), None);
        assert_eq!(number("/"), None);
    }

    #[test]
    fn a_label_with_a_space_links_as_udev_writes_it() {
        assert_eq!(link_name("slot a/1"), "slot\\x20a\\x2f1");
        assert_eq!(link_name("boot_1.2"), "boot_1.2");
    }

    #[test]
    fn a_path_to_nothing_is_missing_and_to_a_character_device_no_slot() {
        let resolved = |path: &str| resolve(&Spec::Path(path.into()));
        assert!(matches!(resolved("/dev/no-such"), Err(ResolveError::Missing { .. })));
        assert!(matches!(resolved("/dev/null"), Err(ResolveError::NotBlockDevice { .. })));
    }
}

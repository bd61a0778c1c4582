//! The copies of U-Boot's environment as fw_env.config places them: raw bytes of a block device,
//! of an eMMC boot partition, or for tests of a regular file. Never creates a file, never knows
//! what a copy says.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use twinslot::device::{Cause, EnvStore};
use twinslot::memory::ALIGN_BYTES;
use uboot_env::Which;
use uboot_env::config::{Config, Misplaced, Place};

use super::block::{self, OpenError};
use super::lock::EnvLock;
use super::number::DeviceNumber;
use super::{Failure, cause};

/// Why the places of fw_env.config cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnvError {
    /// UBI volumes and MTD are character devices: erasing before writing is not built.
    #[error("{} is {found}: not supported for an environment", path.display())]
    NotSupported { path: PathBuf, found: &'static str },
    #[error(
        "{}: the environment at {at_byte}, {size_bytes} bytes, does not fill whole blocks of \
         {block_bytes} bytes",
        path.display()
    )]
    Misaligned { path: PathBuf, at_byte: u64, size_bytes: usize, block_bytes: usize },
    #[error("{}: {reason}", path.display())]
    Misplaced { path: PathBuf, reason: Misplaced },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The copies, open for reading. Writing opens its own descriptor: what only looks need not be
/// allowed to write.
#[derive(Debug)]
pub(crate) struct EnvFiles {
    first: EnvCopy,
    second: Option<EnvCopy>,
}

impl EnvFiles {
    /// Opens what `config` names.
    ///
    /// # Errors
    /// A device that is missing, of the wrong kind or too small, and places it cannot serve.
    pub(crate) fn open(config: &Config<'_>) -> Result<Self, EnvError> {
        match config {
            Config::Single(place) => {
                let store = Store::open(place)?;
                let start = store.start(place)?;
                let first = EnvCopy::new(store, start, config.copy_bytes())?;
                Ok(Self { first, second: None })
            }
            Config::Redundant(pair) => {
                let (first, second) = (Store::open(pair.first())?, Store::open(pair.second())?);
                let starts = if first.is_same(&second) {
                    let starts = pair.starts(first.size_bytes);
                    starts.map_err(|reason| first.misplaced(reason))?
                } else {
                    (first.start(pair.first())?, second.start(pair.second())?)
                };
                Ok(Self {
                    first: EnvCopy::new(first, starts.0, config.copy_bytes())?,
                    second: Some(EnvCopy::new(second, starts.1, config.copy_bytes())?),
                })
            }
        }
    }

    /// Where a copy is, for a sentence: `/dev/mmcblk1 at 0x400000`.
    pub(crate) fn place(&self, copy: Which) -> Option<&dyn fmt::Display> {
        match copy {
            Which::First => Some(&self.first),
            Which::Second => self.second.as_ref().map(|copy| -> &dyn fmt::Display { copy }),
        }
    }

    fn copy(&self, copy: Which) -> Result<&EnvCopy, Cause> {
        const SINGLE: Cause = Cause { code: libc::ENXIO, text: "there is no second copy" };
        match copy {
            Which::First => Ok(&self.first),
            Which::Second => self.second.as_ref().ok_or(SINGLE),
        }
    }
}

impl EnvStore for EnvFiles {
    type Guard = EnvLock;

    fn lock(&mut self) -> Result<EnvLock, Cause> {
        EnvLock::take().map_err(Cause::from)
    }

    fn read(&mut self, copy: Which, into: &mut [u8]) -> Result<(), Cause> {
        self.copy(copy)?.read(into)
    }

    /// Also on the medium when this returns: an eMMC boot partition is locked again by then.
    fn write(&mut self, copy: Which, from: &[u8]) -> Result<(), Cause> {
        self.copy(copy)?.write(from)
    }

    fn flush(&mut self, copy: Which) -> Result<(), Cause> {
        self.copy(copy)?.store.file.sync_all().map_err(|error| cause(&error))
    }
}

/// One copy on what holds it.
#[derive(Debug)]
struct EnvCopy {
    store: Store,
    at_byte: u64,
    size_bytes: usize,
}

impl EnvCopy {
    fn new(store: Store, at_byte: u64, size_bytes: usize) -> Result<Self, EnvError> {
        let block_bytes = store.block_bytes.unwrap_or(1);
        let start = usize::try_from(at_byte).unwrap_or(1);
        if start.is_multiple_of(block_bytes) && size_bytes.is_multiple_of(block_bytes) {
            return Ok(Self { store, at_byte, size_bytes });
        }
        Err(EnvError::Misaligned { path: store.path, at_byte, size_bytes, block_bytes })
    }

    fn read(&self, into: &mut [u8]) -> Result<(), Cause> {
        self.check(into)?;
        let file = &self.store.file;
        if self.store.block_bytes.is_none() {
            // A regular file's pages, clean since the last fsync: read the medium, not them.
            posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
                .map_err(|errno| cause(&errno.into()))?;
        }
        file.read_exact_at(into, self.at_byte).map_err(|error| cause(&error))
    }

    fn write(&self, from: &[u8]) -> Result<(), Cause> {
        self.check(from)?;
        let lifted = Lifted::lift(self.store.force_ro.as_deref())?;
        let written = self.put(from);
        let restored = lifted.restore();
        written.map_err(|error| cause(&error)).and(restored)
    }

    fn put(&self, from: &[u8]) -> io::Result<()> {
        let flags = if self.store.block_bytes.is_some() { libc::O_DIRECT } else { 0 };
        let file = OpenOptions::new().write(true).custom_flags(flags).open(&self.store.path)?;
        self.store.check_same(&file)?;
        file.write_all_at(from, self.at_byte)?;
        file.sync_all()
    }

    fn check(&self, buffer: &[u8]) -> Result<(), Cause> {
        const WRONG: Cause = Cause { code: libc::EINVAL, text: "misaligned transfer" };
        let aligned = buffer.as_ptr().addr().is_multiple_of(ALIGN_BYTES);
        if buffer.len() == self.size_bytes && aligned { Ok(()) } else { Err(WRONG) }
    }
}

impl fmt::Display for EnvCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x}", self.store.path.display(), self.at_byte)
    }
}

/// A block device or a regular file that holds copies.
#[derive(Debug)]
struct Store {
    file: File,
    path: PathBuf,
    size_bytes: u64,
    /// The unit of `O_DIRECT`; a regular file has none and goes through the page cache.
    block_bytes: Option<usize>,
    /// The write protection switch of an eMMC boot partition.
    force_ro: Option<PathBuf>,
}

impl Store {
    fn open(place: &Place<'_>) -> Result<Self, EnvError> {
        let path = PathBuf::from(place.device());
        // Before the open: opening a character device to look at it may already act on it.
        let found = fs::metadata(&path).map_err(|error| Failure::new("open", &path, &error))?;
        let file_type = found.file_type();
        let is_device = file_type.is_block_device();
        if !is_device && !file_type.is_file() {
            return Err(EnvError::NotSupported { found: block::kind(file_type), path });
        }
        // O_DIRECT: what U-Boot will read, whatever the page cache thinks. No O_EXCL: the disk
        // is in use.
        let flags = if is_device { libc::O_DIRECT } else { 0 };
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let file = file.map_err(|error| Failure::new("open", &path, &error))?;
        if is_device { Self::device(file, path) } else { Ok(Self::regular(file, path, &found)) }
    }

    fn device(file: File, path: PathBuf) -> Result<Self, EnvError> {
        let size_bytes = block::size_bytes(&file)
            .map_err(|errno| Failure::new("measure", &path, &errno.into()))?;
        let block_bytes = Some(block::block_bytes(&file, &path)?);
        let force_ro = DeviceNumber::of_block_node(&path).and_then(force_ro);
        Ok(Self { file, path, size_bytes, block_bytes, force_ro })
    }

    fn regular(file: File, path: PathBuf, found: &fs::Metadata) -> Self {
        Self { file, path, size_bytes: found.len(), block_bytes: None, force_ro: None }
    }

    fn start(&self, place: &Place<'_>) -> Result<u64, EnvError> {
        place.start(self.size_bytes).map_err(|reason| self.misplaced(reason))
    }

    fn misplaced(&self, reason: Misplaced) -> EnvError {
        EnvError::Misplaced { path: self.path.clone(), reason }
    }

    /// Whether both are one device or one file, however the paths are written.
    fn is_same(&self, other: &Self) -> bool {
        identity(&self.file).is_ok_and(|own| identity(&other.file).is_ok_and(|its| own == its))
    }

    /// The path may lead elsewhere by the time it is opened again.
    fn check_same(&self, file: &File) -> io::Result<()> {
        if identity(&self.file)? == identity(file)? {
            return Ok(());
        }
        Err(io::Error::from_raw_os_error(libc::ESTALE))
    }
}

/// A block device is its number; a file its file system's and its own.
fn identity(file: &File) -> io::Result<(u64, u64, u64)> {
    let found = file.metadata()?;
    Ok(match found.file_type().is_block_device() {
        true => (found.rdev(), 0, 0),
        false => (0, found.dev(), found.ino()),
    })
}

/// The switch that write-protects an eMMC boot partition (Documentation/driver-api/mmc/
/// mmc-dev-parts.rst). Other disks have one too: that is their owner's and stays as it is.
fn force_ro(device: DeviceNumber) -> Option<PathBuf> {
    let switch = device.sysfs().join("force_ro");
    (is_boot_partition(&device.name()?) && switch.exists()).then_some(switch)
}

/// `mmcblk0boot1` and its like.
fn is_boot_partition(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix("mmcblk")
        .and_then(|rest| rest.split_once("boot"))
        .is_some_and(|(disk, part)| is_number(disk) && is_number(part))
}

/// Write protection that was on and is off while this lives.
#[must_use]
struct Lifted<'a> {
    switch: Option<&'a Path>,
}

impl<'a> Lifted<'a> {
    fn lift(switch: Option<&'a Path>) -> Result<Self, Cause> {
        let Some(path) = switch else { return Ok(Self { switch: None }) };
        let state = fs::read_to_string(path).map_err(|error| cause(&error))?;
        if state.trim() != "1" {
            return Ok(Self { switch: None });
        }
        set(path, "0").map_err(|error| cause(&error))?;
        Ok(Self { switch })
    }

    fn restore(mut self) -> Result<(), Cause> {
        const LEFT: &str = "the boot partition is written but its force_ro cannot be put back";
        let Some(path) = self.switch.take() else { return Ok(()) };
        set(path, "1").map_err(|error| Cause { code: cause(&error).code, text: LEFT })
    }
}

impl Drop for Lifted<'_> {
    /// Only if [`Lifted::restore`] was not reached; there is then nobody left to tell.
    fn drop(&mut self) {
        if let Some(path) = self.switch {
            let _ = set(path, "1");
        }
    }
}

/// Writes an attribute of sysfs; unlike `fs::write` never creates or truncates.
fn set(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all_at(value.as_bytes(), 0)
}

#[cfg(test)]
mod tests;

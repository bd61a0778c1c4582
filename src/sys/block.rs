//! A slot's block device, opened for one writer and past the page cache. Never creates a file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use twinslot::device::{BlockDevice, Cause};
use twinslot::memory::ALIGN_BYTES;

use super::number::DeviceNumber;
use super::{Failure, cause};

/// The requests of linux/fs.h that describe a block device.
mod request {
    // The kernel writes 8 bytes, though the number says size_t (linux/fs.h).
    nix::ioctl_read_bad!(size, nix::request_code_read!(0x12, 114, size_of::<usize>()), u64);
    nix::ioctl_read_bad!(block, nix::request_code_none!(0x12, 104), libc::c_int);
    nix::ioctl_read_bad!(read_only, nix::request_code_none!(0x12, 94), libc::c_int);
}

/// Why a path cannot be used as a slot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{} does not exist", path.display())]
    Missing { path: PathBuf },
    #[error("{} is {found}, not a block device", path.display())]
    NotBlockDevice { path: PathBuf, found: &'static str },
    #[error("{} is in use", path.display())]
    Busy { path: PathBuf, number: DeviceNumber },
    #[error("{} is read-only", path.display())]
    ReadOnly { path: PathBuf },
    #[error("{} has blocks of {found} bytes, wanted a divisor of {ALIGN_BYTES}", path.display())]
    BlockSize { path: PathBuf, found: i64 },
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// An open block device and what does not change about it.
#[derive(Debug)]
struct Medium {
    file: File,
    path: PathBuf,
    size_bytes: u64,
    block_bytes: usize,
}

/// A slot that this program alone may write: the kernel refuses every mount of it and every
/// other exclusive opener while this is open (`O_EXCL`, open(2)).
#[derive(Debug)]
pub(crate) struct SlotDevice(Medium);

/// A slot opened to look at it, in use or not.
#[derive(Debug)]
pub(crate) struct SlotReader(Medium);

impl SlotDevice {
    /// Opens the block device at `path` to write it.
    ///
    /// # Errors
    /// One for each thing a person can do something about.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_EXCL | libc::O_DIRECT);
        let medium = Medium::open(path, &options)?;
        if medium.is_read_only()? {
            return Err(OpenError::ReadOnly { path: path.to_owned() });
        }
        Ok(Self(medium))
    }
}

impl SlotReader {
    /// Opens the block device at `path` to read it, also while it is mounted.
    ///
    /// # Errors
    /// As [`SlotDevice::open`], but for busy and read-only.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_DIRECT);
        Medium::open(path, &options).map(Self)
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.0.size_bytes
    }
}

impl BlockDevice for SlotDevice {
    fn block_bytes(&self) -> usize {
        self.0.block_bytes
    }

    fn size_bytes(&self) -> u64 {
        self.0.size_bytes
    }

    fn read(&mut self, at_byte: u64, into: &mut [u8]) -> Result<(), Cause> {
        self.0.read(at_byte, into)
    }

    fn write(&mut self, at_byte: u64, from: &[u8]) -> Result<(), Cause> {
        self.0.check(at_byte, from)?;
        self.0.file.write_all_at(from, at_byte).map_err(|error| cause(&error))
    }

    /// On a block device fdatasync(2) sends the device's own flush command.
    fn flush(&mut self) -> Result<(), Cause> {
        self.0.file.sync_data().map_err(|error| cause(&error))
    }
}

impl Medium {
    /// Std adds `O_CLOEXEC` to every open, and `O_CREAT` to none of these.
    fn open(path: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        // Before the open: opening a tape or a serial line to look at it may already act on it.
        expect_block_device(path, &stat(path)?)?;
        let file = options.open(path).map_err(|error| refusal(path, &error))?;
        let found = file.metadata().map_err(|error| Failure::new("stat", path, &error))?;
        expect_block_device(path, &found)?;
        Ok(Self {
            size_bytes: size_bytes(&file).map_err(|errno| failed("measure", path, errno))?,
            block_bytes: block_bytes(&file, path)?,
            path: path.to_owned(),
            file,
        })
    }

    fn is_read_only(&self) -> Result<bool, Failure> {
        let mut flag: libc::c_int = 0;
        // SAFETY: the kernel writes one int; `flag` is one, and lives and is borrowed alone here.
        match unsafe { request::read_only(self.file.as_raw_fd(), &raw mut flag) } {
            Ok(_) => Ok(flag != 0),
            Err(errno) => Err(failed("ask for the write protection of", &self.path, errno)),
        }
    }

    fn read(&self, at_byte: u64, into: &mut [u8]) -> Result<(), Cause> {
        self.check(at_byte, into)?;
        self.file.read_exact_at(into, at_byte).map_err(|error| cause(&error))
    }

    /// Refuses what `O_DIRECT` or the device's end would: the same on every kernel and device.
    fn check(&self, at_byte: u64, buffer: &[u8]) -> Result<(), Cause> {
        const MISALIGNED: Cause = Cause { code: libc::EINVAL, text: "misaligned transfer" };
        const BEYOND: Cause = Cause { code: libc::ENOSPC, text: "transfer beyond the end" };
        let block = u64::try_from(self.block_bytes).map_err(|_| MISALIGNED)?;
        let length = u64::try_from(buffer.len()).map_err(|_| MISALIGNED)?;
        let placed = at_byte.is_multiple_of(block) && length.is_multiple_of(block);
        if !placed || !buffer.as_ptr().addr().is_multiple_of(ALIGN_BYTES) {
            return Err(MISALIGNED);
        }
        match at_byte.checked_add(length) {
            Some(end) if end <= self.size_bytes => Ok(()),
            _ => Err(BEYOND),
        }
    }
}

/// The size of the block device behind `file`, in bytes.
///
/// # Errors
/// `ENOTTY` if there is no block device behind it.
pub(super) fn size_bytes(file: &File) -> Result<u64, nix::Error> {
    let mut size = 0_u64;
    // SAFETY: the kernel writes 8 bytes; `size` is 8 bytes, and lives and is borrowed alone here.
    unsafe { request::size(file.as_raw_fd(), &raw mut size) }?;
    Ok(size)
}

/// The logical block of the block device behind `file`, in bytes: the unit of `O_DIRECT`.
///
/// # Errors
/// The kernel's, and a size that does not divide a page.
pub(super) fn block_bytes(file: &File, path: &Path) -> Result<usize, OpenError> {
    let mut block: libc::c_int = 0;
    // SAFETY: the kernel writes one int; `block` is one, and lives and is borrowed alone here.
    unsafe { request::block(file.as_raw_fd(), &raw mut block) }
        .map_err(|errno| failed("measure the blocks of", path, errno))?;
    match usize::try_from(block) {
        Ok(bytes) if bytes > 0 && ALIGN_BYTES.is_multiple_of(bytes) => Ok(bytes),
        _ => Err(OpenError::BlockSize { path: path.to_owned(), found: block.into() }),
    }
}

fn stat(path: &Path) -> Result<fs::Metadata, OpenError> {
    fs::metadata(path).map_err(|error| refusal(path, &error))
}

fn expect_block_device(path: &Path, found: &fs::Metadata) -> Result<(), OpenError> {
    if found.file_type().is_block_device() {
        return Ok(());
    }
    Err(OpenError::NotBlockDevice { path: path.to_owned(), found: kind(found.file_type()) })
}

/// What a file is, for a sentence.
pub(super) fn kind(file_type: fs::FileType) -> &'static str {
    if file_type.is_char_device() {
        "a character device"
    } else if file_type.is_dir() {
        "a directory"
    } else if file_type.is_file() {
        "a regular file"
    } else if file_type.is_block_device() {
        "a block device"
    } else {
        "a pipe or a socket"
    }
}

/// What a failed open means. A write-protected device may answer `EACCES`, which is also what
/// missing permission looks like: sysfs tells them apart.
fn refusal(path: &Path, error: &io::Error) -> OpenError {
    let failed = Failure::new("open", path, error);
    let path = path.to_owned();
    match failed.cause.code {
        libc::ENOENT | libc::ENOTDIR | libc::ENXIO | libc::ENODEV => OpenError::Missing { path },
        libc::EROFS => OpenError::ReadOnly { path },
        libc::EACCES | libc::EPERM if is_write_protected(&path) => OpenError::ReadOnly { path },
        libc::EBUSY => match DeviceNumber::of_block_node(&path) {
            Some(number) => OpenError::Busy { path, number },
            None => OpenError::Failed(failed),
        },
        _ => OpenError::Failed(failed),
    }
}

fn is_write_protected(path: &Path) -> bool {
    let number = DeviceNumber::of_block_node(path);
    number.and_then(|number| number.attribute("ro")).is_some_and(|flag| flag == "1")
}

fn failed(action: &'static str, path: &Path, errno: nix::Error) -> Failure {
    let cause = cause(&errno.into());
    Failure { action, path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_block_device_is_named_for_what_it_is() {
        for (path, word) in [("/dev/null", "a character device"), ("/proc", "a directory")] {
            let refused = SlotDevice::open(Path::new(path)).unwrap_err();
            assert_eq!(refused.to_string(), format!("{path} is {word}, not a block device"));
        }
    }

    #[test]
    fn a_missing_slot_is_not_created() {
        let path = std::env::temp_dir().join("twinslot-no-such-slot");
        assert!(matches!(SlotDevice::open(&path), Err(OpenError::Missing { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn a_transfer_must_be_aligned_and_inside_the_device() {
        #[repr(C, align(4096))]
        struct Page([u8; 8192]);
        let medium = Medium {
            file: File::open("/dev/null").unwrap(),
            path: PathBuf::from("/dev/null"),
            size_bytes: 8192 + 512,
            block_bytes: 512,
        };
        let page = Page([0; 8192]);
        let codes = [(0, 0, 512), (8192, 0, 512), (0, 0, 8192), (512, 0, 8192)]
            .map(|(at, from, length)| medium.check(at, &page.0[from..from + length]));
        assert_eq!(codes, [Ok(()); 4]);
        let code = |at, from: usize, length: usize| {
            medium.check(at, &page.0[from..from + length]).unwrap_err().code
        };
        assert_eq!(code(1, 0, 512), libc::EINVAL);
        assert_eq!(code(0, 512, 512), libc::EINVAL);
        assert_eq!(code(0, 0, 511), libc::EINVAL);
        assert_eq!(code(8704, 0, 512), libc::ENOSPC);
        assert_eq!(code(1024, 0, 8192), libc::ENOSPC);
        assert_eq!(code(u64::MAX - 511, 0, 512), libc::ENOSPC);
    }
}

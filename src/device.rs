//! The seams to everything that can lose power: block devices and the environment's two copies.
//! Never knows a path, a file descriptor or an errno.
//!
//! The contract of every write here: *power may fail inside any call; blocks named by an
//! interrupted write may then hold anything; nothing written since the last flush need survive,
//! in any subset.* The simulator in `tests/sim` does exactly that.

use uboot_env::Which;

/// Why the outside failed, in the shell's words. The core passes it on and never looks inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    /// The shell's own number for the reason (Linux: errno).
    pub code: i32,
    /// The reason for a person.
    pub text: &'static str,
}

/// A slot's medium, addressed in bytes. Offsets and lengths are multiples of its block, the
/// address of every buffer of [`crate::memory::ALIGN_BYTES`]; implementors refuse others.
pub trait BlockDevice {
    /// The smallest unit of a transfer, in bytes: a power of two, at most
    /// [`crate::memory::ALIGN_BYTES`].
    fn block_bytes(&self) -> usize;

    /// The medium's size in bytes, a multiple of the block, fixed while it is open.
    fn size_bytes(&self) -> u64;

    /// Fills `into` from the medium itself, not from a cache of the operating system.
    ///
    /// # Errors
    /// The medium's, and a short read.
    fn read(&mut self, at_byte: u64, into: &mut [u8]) -> Result<(), Cause>;

    /// Writes all of `from`; durable only after [`BlockDevice::flush`].
    ///
    /// # Errors
    /// The medium's, and a short write.
    fn write(&mut self, at_byte: u64, from: &[u8]) -> Result<(), Cause>;

    /// Returns once everything written before is on the medium for good.
    ///
    /// # Errors
    /// The medium's; what was written since the last flush is then unknown.
    fn flush(&mut self) -> Result<(), Cause>;
}

/// The raw copies of U-Boot's environment.
pub trait EnvStore {
    /// Held while no other program may touch the environment; dropped, it lets go.
    type Guard;

    /// Keeps every other program that follows the tools' convention off the environment.
    ///
    /// # Errors
    /// Someone else holds it and does not let go.
    fn lock(&mut self) -> Result<Self::Guard, Cause>;

    /// Fills `into`, which is as long as a copy, from the medium itself.
    ///
    /// # Errors
    /// The medium's, and a short read.
    fn read(&mut self, copy: Which, into: &mut [u8]) -> Result<(), Cause>;

    /// Writes one whole copy; durable only after [`EnvStore::flush`].
    ///
    /// # Errors
    /// The medium's, and a short write.
    fn write(&mut self, copy: Which, from: &[u8]) -> Result<(), Cause>;

    /// Returns once the copy written last is on the medium for good.
    ///
    /// # Errors
    /// The medium's.
    fn flush(&mut self, copy: Which) -> Result<(), Cause>;
}

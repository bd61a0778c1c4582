//! The shape of a slot's bytes: payload of any length becomes whole transfers. Counts and writes
//! the same slice; what the medium already holds is not written again.

use core::ops::Range;

use crate::device::{BlockDevice, Cause};
use crate::memory::{ALIGN_BYTES, Aligned, BLOCK_BYTES, Block, HEAD_BYTES};

/// A transfer that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {doing} the slot at byte {at_byte}: {cause}")]
pub struct Fault {
    /// The verb: read, write, flush.
    pub doing: &'static str,
    /// Where, in bytes from the start of the slot.
    pub at_byte: u64,
    /// Why.
    pub cause: Cause,
}

impl Fault {
    /// For `map_err`: the failure of `doing` at `at_byte`.
    pub fn at(doing: &'static str, at_byte: u64) -> impl FnOnce(Cause) -> Self {
        move |cause| Self { doing, at_byte, cause }
    }
}

/// What to do with a transfer whose bytes the medium may already hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unchanged {
    /// Read and compare first; it is faster on eMMC and wears less.
    Skip,
    /// Write without looking.
    Rewrite,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Written.
    Written,
    /// The medium held the same bytes.
    Skipped,
}

/// Writes payload to a device, a transfer at a time.
#[derive(Debug)]
pub struct BlockWriter<'m, D> {
    device: D,
    held: &'m mut Block,
    unchanged: Unchanged,
}

impl<'m, D: BlockDevice> BlockWriter<'m, D> {
    /// A writer on `device`; `held` is room for what the device holds.
    pub fn new(device: D, held: &'m mut Block, unchanged: Unchanged) -> Self {
        Self { device, held, unchanged }
    }

    /// The device's size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.device.size_bytes()
    }

    /// `bytes` rounded up to whole blocks of the device; saturates.
    pub fn padded(&self, bytes: u64) -> u64 {
        let block = u64::try_from(self.device.block_bytes()).unwrap_or(u64::MAX);
        bytes.checked_next_multiple_of(block).unwrap_or(u64::MAX)
    }

    /// Where the block of the device begins that `at_byte` is in.
    pub fn block_start(&self, at_byte: u64) -> u64 {
        let block = u64::try_from(self.device.block_bytes()).unwrap_or(u64::MAX).max(1);
        at_byte - at_byte % block
    }

    /// Puts the payload bytes `part` of `block` on the device, byte `part.start` of the block at
    /// `at_byte`. A part that ends inside a block of the device is filled up with what the device
    /// holds there, so the bytes behind the payload stay.
    ///
    /// # Errors
    /// [`Fault`] with the device's cause.
    pub fn put(
        &mut self,
        at_byte: u64,
        block: &mut Block,
        part: Range<usize>,
    ) -> Result<Put, Fault> {
        let end = self.padded_within(part.end, BLOCK_BYTES);
        let base = at_byte.saturating_sub(offset(part.start));
        self.fill_up(base, block, part.end..end)?;
        let bytes = &block.0[part.start..end];
        if self.unchanged == Unchanged::Skip && self.holds(at_byte, bytes) {
            return Ok(Put::Skipped);
        }
        self.device.write(at_byte, bytes).map_err(Fault::at("write", at_byte))?;
        Ok(Put::Written)
    }

    /// Completes the last device block of `block` from the device. `base` is where byte 0 of
    /// `block` belongs.
    fn fill_up(&mut self, base: u64, block: &mut Block, rest: Range<usize>) -> Result<(), Fault> {
        if rest.is_empty() {
            return Ok(());
        }
        let block_bytes = self.device.block_bytes();
        let at_byte = base.saturating_add(offset(rest.end - block_bytes));
        // To the buffer's start: transfers need an aligned address.
        let held = &mut self.held.0[..block_bytes];
        self.device.read(at_byte, held).map_err(Fault::at("read", at_byte))?;
        let kept = rest.len();
        block.0[rest].copy_from_slice(&held[block_bytes - kept..]);
        Ok(())
    }

    /// Whether the device holds `bytes` already. Their first 4 KiB are asked first: another image
    /// seldom agrees there, and then the rest need not be read.
    fn holds(&mut self, at_byte: u64, bytes: &[u8]) -> bool {
        let (first, rest) = bytes.split_at(bytes.len().min(ALIGN_BYTES));
        let rest_at_byte = at_byte.saturating_add(offset(first.len()));
        self.same(at_byte, first) && (rest.is_empty() || self.same(rest_at_byte, rest))
    }

    /// Whether the device holds `bytes` at `at_byte`. A block that cannot be read may still be
    /// written: that is "no".
    fn same(&mut self, at_byte: u64, bytes: &[u8]) -> bool {
        let held = &mut self.held.0[..bytes.len()];
        self.device.read(at_byte, held).is_ok() && *held == *bytes
    }

    /// Makes everything put so far durable.
    ///
    /// # Errors
    /// The device's, at byte 0.
    pub fn flush(&mut self) -> Result<(), Fault> {
        self.device.flush().map_err(Fault::at("flush", 0))
    }

    /// Reads `len` bytes at `at_byte` back from the medium.
    ///
    /// # Errors
    /// [`Fault`] with the device's cause.
    pub fn get(&mut self, at_byte: u64, len: usize) -> Result<&[u8], Fault> {
        let end = self.padded_within(len, BLOCK_BYTES);
        let held = &mut self.held.0[..end];
        self.device.read(at_byte, held).map_err(Fault::at("read back", at_byte))?;
        Ok(&self.held.0[..len])
    }

    /// Zeroes what of the first `payload_bytes` lies in the head. `head` then holds zeroes and,
    /// behind a payload that ends in its last block, the bytes that stay.
    ///
    /// # Errors
    /// [`Fault`] with the device's cause.
    pub fn clear(
        &mut self,
        head: &mut Aligned<HEAD_BYTES>,
        payload_bytes: u64,
    ) -> Result<(), Fault> {
        let len = usize::try_from(payload_bytes).map_or(HEAD_BYTES, |len| len.min(HEAD_BYTES));
        let padded = self.padded_within(len, HEAD_BYTES);
        head.0[..len].fill(0);
        if padded > len {
            head.0[len..padded].copy_from_slice(&self.get(0, padded)?[len..]);
        }
        self.write(0, &head.0[..padded])
    }

    /// `len` rounded up to whole blocks of the device, at most `most`.
    pub fn padded_within(&self, len: usize, most: usize) -> usize {
        len.next_multiple_of(self.device.block_bytes().clamp(1, ALIGN_BYTES)).min(most)
    }

    /// Writes `bytes`, whole blocks of the device, without looking.
    ///
    /// # Errors
    /// [`Fault`] with the device's cause.
    pub fn write(&mut self, at_byte: u64, bytes: &[u8]) -> Result<(), Fault> {
        self.device.write(at_byte, bytes).map_err(Fault::at("write", at_byte))
    }
}

/// A position inside a block as a distance on the device.
fn offset(position: usize) -> u64 {
    u64::try_from(position).unwrap_or(u64::MAX)
}

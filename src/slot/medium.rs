//! A slot while it is written. It cannot be started from the first write to the last: its head
//! is zeroed before and written after everything else has been read back. Never arms.

use crate::device::BlockDevice;
use crate::memory::{Aligned, BLOCK_BYTES, Block, HEAD_BYTES};
use crate::progress::{Phase, Progress};
use crate::slot::{BootedSlot, InactiveSlot, Slot};
use crate::stream::block::{BlockWriter, Fault, Put, Unchanged};
use crate::stream::digest::{Digest, Hasher};

/// Why a slot does not hold the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing to write.
    #[error("the payload is empty")]
    Empty,
    /// Found before the first write.
    #[error("the payload has {payload} bytes, the slot only {slot}")]
    TooLarge {
        /// Payload size in bytes.
        payload: u64,
        /// Slot size in bytes.
        slot: u64,
    },
    /// A transfer failed.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The payload's bytes are not those the manifest names.
    #[error("the payload's digest is {found}, the manifest says {expected}")]
    Digest {
        /// Of the manifest.
        expected: Digest,
        /// Of the bytes that came.
        found: Digest,
    },
    /// The medium returned other bytes than were written.
    #[error("the slot reads back as {found}, {expected} was written: the medium is failing")]
    ReadBack {
        /// Of the manifest.
        expected: Digest,
        /// Of the bytes the medium holds.
        found: Digest,
    },
    /// The medium returned another head than was written.
    #[error("the slot's first {0} bytes read back changed: the medium is failing")]
    Head(usize),
}

/// How a written slot is made sure of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Everything is read back from the medium and its digest compared (`ReadBack: true`).
    Everything,
    /// Only the head is; for the rest the device's word is taken (`ReadBack: false`).
    Head,
}

/// What writing a slot works with.
#[derive(Debug)]
pub struct Work<'m> {
    /// Room for what the slot holds.
    pub held: &'m mut Block,
    /// Room for the payload's first bytes until the end.
    pub head: &'m mut Aligned<HEAD_BYTES>,
    /// What to do with blocks that the slot holds already.
    pub unchanged: Unchanged,
    /// How the written slot is made sure of.
    pub check: Check,
}

/// A slot that cannot be started and takes payload.
///
/// ```compile_fail,E0451
/// # use twinslot::slot::{InactiveSlot, medium::OpenSlot};
/// # use twinslot::device::BlockDevice;
/// fn forge<D: BlockDevice>(open: OpenSlot<'static, D>, slot: InactiveSlot) {
///     let forged = OpenSlot { slot, ..open };
/// }
/// ```
#[derive(Debug)]
pub struct OpenSlot<'m, D> {
    slot: InactiveSlot,
    writer: BlockWriter<'m, D>,
    head: &'m mut Aligned<HEAD_BYTES>,
    check: Check,
    payload_bytes: u64,
}

/// A slot whose device has room for the payload; nothing is written yet.
#[derive(Debug)]
pub struct RoomySlot<'m, D> {
    slot: InactiveSlot,
    writer: BlockWriter<'m, D>,
    head: &'m mut Aligned<HEAD_BYTES>,
    check: Check,
    payload_bytes: u64,
}

impl InactiveSlot {
    /// Checks that `payload_bytes` of payload fit on `device`. Writes nothing.
    ///
    /// # Errors
    /// [`Error::Empty`] and [`Error::TooLarge`].
    pub fn fit<D: BlockDevice>(
        self,
        device: D,
        payload_bytes: u64,
        work: Work<'_>,
    ) -> Result<RoomySlot<'_, D>, Error> {
        let Work { held, head, unchanged, check } = work;
        let writer = BlockWriter::new(device, held, unchanged);
        let slot = writer.size_bytes();
        match writer.padded(payload_bytes) {
            0 => Err(Error::Empty),
            padded if padded > slot => Err(Error::TooLarge { payload: payload_bytes, slot }),
            _ => Ok(RoomySlot { slot: self, writer, head, check, payload_bytes }),
        }
    }
}

impl<'m, D: BlockDevice> RoomySlot<'m, D> {
    /// The slot that will be written.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot.slot()
    }

    /// The slot that runs meanwhile.
    #[must_use]
    pub const fn booted(&self) -> &BootedSlot {
        self.slot.booted()
    }

    /// Makes the slot unstartable: zeroes the head and waits until that is durable.
    ///
    /// # Errors
    /// The device's.
    pub fn open(mut self) -> Result<OpenSlot<'m, D>, Fault> {
        self.writer.clear(self.head, self.payload_bytes)?;
        self.writer.flush()?;
        let Self { slot, writer, head, check, payload_bytes } = self;
        Ok(OpenSlot { slot, writer, head, check, payload_bytes })
    }
}

impl<D: BlockDevice> OpenSlot<'_, D> {
    /// Writes the next `len` bytes of payload, which belong at `at_byte`; the head is kept back.
    /// Every block but the last ends where one of the device does.
    ///
    /// # Errors
    /// The device's.
    pub fn put(&mut self, at_byte: u64, block: &mut Block, len: usize) -> Result<Put, Fault> {
        if at_byte > 0 {
            return self.writer.put(at_byte, block, 0..len);
        }
        let head = len.min(HEAD_BYTES);
        self.head.0[..head].copy_from_slice(&block.0[..head]);
        if len == head {
            return Ok(Put::Written);
        }
        let after = u64::try_from(head).unwrap_or(u64::MAX);
        self.writer.put(after, block, head..len)
    }

    /// The slot.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot.slot()
    }

    /// Room for the payload's first bytes, which are written last: for whoever puts only what
    /// comes behind them.
    pub fn head(&mut self) -> &mut [u8] {
        let len = self.head_len();
        &mut self.head.0[..len]
    }

    /// Where the block of the device begins that `at_byte` is in.
    pub fn block_start(&self, at_byte: u64) -> u64 {
        self.writer.block_start(at_byte)
    }

    /// The `len` bytes that the medium holds at `at_byte`, where a block of the device begins.
    ///
    /// # Errors
    /// The device's.
    pub fn held(&mut self, at_byte: u64, len: usize) -> Result<&[u8], Fault> {
        self.writer.get(at_byte, len)
    }

    /// Makes everything put so far durable.
    ///
    /// # Errors
    /// The device's.
    pub fn flush(&mut self) -> Result<(), Fault> {
        self.writer.flush()
    }

    /// Makes the slot startable: the payload is durable and proven to be the manifest's, then
    /// the head is written, made durable and read back.
    ///
    /// `found` is the digest of the bytes that were put, `expected` the manifest's.
    ///
    /// # Errors
    /// [`Error`]; the slot then still cannot be started, as far as the medium does what it is
    /// told. It is not armed in any case.
    pub fn finish(
        mut self,
        found: Digest,
        expected: Digest,
        progress: &mut impl Progress,
    ) -> Result<WrittenSlot, Error> {
        if found != expected {
            return Err(Error::Digest { expected, found });
        }
        self.writer.flush()?;
        if self.check == Check::Everything {
            self.read_back(expected, progress)?;
        }
        if let Err(error) = self.write_head() {
            // The head may be on the medium, whole or not, over bytes that are not what was
            // written: nothing must start there. If this fails too, the slot is not armed still.
            let _ = self.writer.clear(self.head, self.payload_bytes);
            let _ = self.writer.flush();
            return Err(error);
        }
        Ok(WrittenSlot { slot: self.slot })
    }

    /// The digest of what the medium holds, its head taken from memory.
    fn read_back(&mut self, expected: Digest, progress: &mut impl Progress) -> Result<(), Error> {
        progress.phase(Phase::ReadBack, self.payload_bytes);
        let mut hasher = Hasher::default();
        let head = self.head_len();
        hasher.update(&self.head.0[..head]);
        let mut at_byte = u64::try_from(head).unwrap_or(u64::MAX);
        while at_byte < self.payload_bytes {
            let left = self.payload_bytes - at_byte;
            let len = usize::try_from(left).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
            hasher.update(self.writer.get(at_byte, len)?);
            at_byte = at_byte.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            progress.advance(at_byte, 0);
        }
        let found = hasher.finish();
        if found == expected { Ok(()) } else { Err(Error::ReadBack { expected, found }) }
    }

    /// The head last: only now can the slot be started.
    fn write_head(&mut self) -> Result<(), Error> {
        let len = self.head_len();
        let padded = self.writer.padded_within(len, HEAD_BYTES);
        self.writer.write(0, &self.head.0[..padded])?;
        self.writer.flush()?;
        if self.writer.get(0, len)? == &self.head.0[..len] { Ok(()) } else { Err(Error::Head(len)) }
    }

    fn head_len(&self) -> usize {
        usize::try_from(self.payload_bytes).map_or(HEAD_BYTES, |len| len.min(HEAD_BYTES))
    }
}

/// Proof that the slot's medium holds the payload the manifest names.
///
/// ```compile_fail,E0451
/// # use twinslot::slot::{InactiveSlot, medium::WrittenSlot};
/// fn forge(slot: InactiveSlot) -> WrittenSlot {
///     WrittenSlot { slot }
/// }
/// ```
#[derive(Debug)]
pub struct WrittenSlot {
    slot: InactiveSlot,
}

impl WrittenSlot {
    /// The slot that was written.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot.slot()
    }

    /// Spends the proof.
    pub(crate) fn into_booted(self) -> BootedSlot {
        self.slot.into_booted()
    }
}

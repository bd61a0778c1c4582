//! The seams of the core, on a board with power: as strict about offsets, lengths and addresses
//! as Linux with `O_DIRECT`.

use twinslot::device::{BlockDevice, Cause, EnvStore};
use twinslot::journal::{self, Event, Journal};
use twinslot::memory::ALIGN_BYTES;
use twinslot::progress::{Phase, Progress};
use twinslot::provides::Provides;
use twinslot::slot::Slot;
use uboot_env::Which;

use super::power::Power;
use super::store::Place;
use super::tape::Line;
use super::uboot::COPY_BYTES;

/// A slot's device.
#[derive(Debug)]
pub struct SlotDevice {
    pub power: Power,
    pub slot: Slot,
    pub size_bytes: u64,
    pub block_bytes: usize,
}

impl SlotDevice {
    fn check(&self, at_byte: u64, buffer: &[u8]) -> Result<usize, Cause> {
        const MISALIGNED: Cause = Cause { code: 22, text: "misaligned transfer" };
        const BEYOND: Cause = Cause { code: 28, text: "transfer beyond the end" };
        let at = usize::try_from(at_byte).unwrap();
        let placed =
            at.is_multiple_of(self.block_bytes) && buffer.len().is_multiple_of(self.block_bytes);
        if !placed || !buffer.as_ptr().addr().is_multiple_of(ALIGN_BYTES) {
            return Err(MISALIGNED);
        }
        let end = at_byte + u64::try_from(buffer.len()).unwrap();
        if end <= self.size_bytes { Ok(at) } else { Err(BEYOND) }
    }
}

impl BlockDevice for SlotDevice {
    fn block_bytes(&self) -> usize {
        self.block_bytes
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read(&mut self, at_byte: u64, into: &mut [u8]) -> Result<(), Cause> {
        let at = self.check(at_byte, into)?;
        self.power.read(Place::Slot(self.slot), at, into)
    }

    fn write(&mut self, at_byte: u64, from: &[u8]) -> Result<(), Cause> {
        let at = self.check(at_byte, from)?;
        self.power.write(Place::Slot(self.slot), at, from)
    }

    fn flush(&mut self) -> Result<(), Cause> {
        self.power.flush(Place::Slot(self.slot))
    }
}

/// The environment's copies; nobody else is there to be locked out.
#[derive(Debug)]
pub struct Copies(pub Power);

impl EnvStore for Copies {
    type Guard = ();

    fn lock(&mut self) -> Result<(), Cause> {
        Ok(())
    }

    fn read(&mut self, copy: Which, into: &mut [u8]) -> Result<(), Cause> {
        assert_eq!(into.len(), COPY_BYTES);
        self.0.read(Place::Copy(copy), 0, into)
    }

    fn write(&mut self, copy: Which, from: &[u8]) -> Result<(), Cause> {
        assert_eq!(from.len(), COPY_BYTES);
        self.0.write(Place::Copy(copy), 0, from)
    }

    fn flush(&mut self, copy: Which) -> Result<(), Cause> {
        self.0.flush(Place::Copy(copy))
    }
}

/// The records, with a clock that stands still.
#[derive(Debug)]
pub struct Records(pub Power);

impl Journal for Records {
    fn append(&mut self, event: Event<&str>) -> Result<(), Cause> {
        let (word, started) = match event {
            Event::Started { slot, .. } => ("started", Some(slot)),
            Event::Failed { .. } => ("failed", None),
            Event::Armed { .. } => ("armed", None),
            Event::Reverting { .. } => ("reverting", None),
            Event::RolledBack { .. } => ("rolled-back", None),
            Event::Committed => ("committed", None),
            Event::Adopted { .. } => ("adopted", None),
            Event::Ran(_) => ("ran", None),
        };
        let text = journal::line(1, event).as_bytes().to_vec();
        self.0.append(Line { text, word, started })
    }

    fn remember(&mut self, slot: Slot, provides: &Provides) -> Result<(), Cause> {
        self.0.remember(slot, provides.as_str().as_bytes())
    }

    fn forget(&mut self, slot: Slot) -> Result<(), Cause> {
        self.0.forget(slot)
    }

    fn keep(&mut self, checkpoint: &str) -> Result<(), Cause> {
        self.0.keep_checkpoint(checkpoint.as_bytes())
    }

    fn discard(&mut self) -> Result<(), Cause> {
        self.0.discard_checkpoint()
    }
}

/// Nobody looks.
#[derive(Debug)]
pub struct Unseen;

impl Progress for Unseen {
    fn phase(&mut self, _: Phase, _: u64) {}

    fn advance(&mut self, _: u64, _: u64) {}
}

//! What a power cut may leave of the disk below dm-log-writes, and whether it starts.

use super::super::medium::Copies;
use super::log::Entry;
use crate::board::Board;
use anyhow::{Context, Result, bail, ensure};
use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use uboot_env::{Layout, choose, decode};

/// Where things are on it.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) bytes: usize,
    pub(super) copies: [Range<usize>; 2],
    pub(super) slots: [Slot; 2],
}

#[derive(Debug)]
pub(super) struct Slot {
    /// What `mender_boot_part` says.
    pub(super) number: u32,
    pub(super) place: Range<usize>,
}

const COPY_STRIDE: usize = 512 << 10;
const SLOTS_START: usize = 1 << 20;

impl Disk {
    /// For the environment and the slots of a board.
    pub(super) fn of(board: &Board) -> Result<Self> {
        let copy_bytes = usize::try_from(board.environment.bytes)?;
        let (a, b) = (board.partition("slot-a")?, board.partition("slot-b")?);
        let slot_bytes = usize::try_from(a.bytes)?;
        let middle = SLOTS_START + slot_bytes;
        let bytes = middle + slot_bytes;
        Ok(Self {
            bytes,
            copies: [0, COPY_STRIDE].map(|start| start..start + copy_bytes),
            slots: [
                Slot { number: a.number, place: SLOTS_START..middle },
                Slot { number: b.number, place: middle..bytes },
            ],
        })
    }
}

/// The disk as it was, and what its slots may hold.
#[derive(Debug)]
pub(super) struct Wrecks {
    pub(super) disk: Disk,
    /// What is on the medium for good.
    durable: Vec<u8>,
    /// The only system each slot may start.
    systems: [Vec<u8>; 2],
    counts: Counts,
}

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    writes: usize,
    flushes: usize,
    judged: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { writes, flushes, judged } = self;
        write!(f, "{writes} writes, {flushes} flushes, {judged} wrecks, 0 bad")
    }
}

impl Wrecks {
    /// Of a disk that holds these copies, the first of the systems in slot a, and nothing in b.
    pub(super) fn new(disk: Disk, copies: &Copies, systems: &[PathBuf; 2]) -> Result<Self> {
        let mut durable = vec![0; disk.bytes];
        for (place, copy) in disk.copies.iter().zip(copies) {
            durable[place.clone()].copy_from_slice(copy);
        }
        let read = |path: &PathBuf| fs::read(path).with_context(|| path.display().to_string());
        let systems = [read(&systems[0])?, read(&systems[1])?];
        let start = disk.slots[0].place.start;
        durable[start..start + systems[0].len()].copy_from_slice(&systems[0]);
        Ok(Self { disk, durable, systems, counts: Counts::default() })
    }

    /// Replays a log. Between two flushes any prefix of the writes may be on the medium, each
    /// alone, and all but each.
    ///
    /// # Errors
    /// A wreck does not start a whole system, or a mark's state is not on the medium for good.
    pub(super) fn judge(mut self, entries: &[Entry]) -> Result<Counts> {
        let mut pending = Vec::new();
        for (number, entry) in entries.iter().enumerate() {
            let what = || format!("entry {number} of {}", entries.len());
            match entry {
                Entry::Write { start, bytes } => pending.push((*start, bytes.as_slice())),
                Entry::Flush => self.flush(&pending).with_context(what)?,
                Entry::Mark(name) => self.marked(name).with_context(what)?,
            }
            if *entry == Entry::Flush {
                pending.clear();
            }
        }
        ensure!(self.counts.writes > 20, "only {} writes: what was logged?", self.counts.writes);
        ensure!(pending.is_empty(), "{} writes were never flushed", pending.len());
        Ok(self.counts)
    }

    fn flush(&mut self, pending: &[Write<'_>]) -> Result<()> {
        self.counts.flushes += 1;
        self.counts.writes += pending.len();
        let mut kept = Vec::new();
        for end in 0..pending.len() {
            let others = pending.iter().enumerate().filter(|(other, _)| *other != end);
            let others: Vec<Write<'_>> = others.map(|(_, write)| *write).collect();
            for left in [&pending[..end], &pending[end..=end], &others] {
                self.survives(left, &mut kept)?;
            }
        }
        for (start, bytes) in pending {
            let place = *start..*start + bytes.len();
            let there = self.durable.get_mut(place).context("a write beyond the disk")?;
            there.copy_from_slice(bytes);
        }
        self.boots().map(drop)
    }

    /// Whether the disk starts with these writes on it; puts back what they replaced.
    fn survives(&mut self, writes: &[Write<'_>], kept: &mut Vec<(usize, Vec<u8>)>) -> Result<()> {
        for (start, bytes) in writes {
            let place = *start..*start + bytes.len();
            let there = self.durable.get_mut(place).context("a write beyond the disk")?;
            kept.push((*start, there.to_vec()));
            there.copy_from_slice(bytes);
        }
        let judged = self.boots();
        for (start, bytes) in kept.drain(..).rev() {
            self.durable[start..start + bytes.len()].copy_from_slice(&bytes);
        }
        judged.map(drop)
    }
}

type Write<'e> = (usize, &'e [u8]);

/// What the environment tells U-Boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    slot: usize,
    trial: bool,
}

impl Wrecks {
    /// What U-Boot starts is whole, and so is what it goes back to if that was a trial.
    fn boots(&mut self) -> Result<Told> {
        self.counts.judged += 1;
        let told = self.told()?;
        self.whole(told.slot)?;
        if told.trial {
            self.whole(1 - told.slot)?;
        }
        Ok(told)
    }

    fn told(&self) -> Result<Told> {
        let copies = self.disk.copies.each_ref().map(|place| &self.durable[place.clone()]);
        let [first, second] = copies.map(|copy| decode(copy, Layout::Redundant));
        let chosen = choose(first, second).context("both environment copies are lost")?;
        let value = |name: &str| {
            let value = chosen.current().get(name);
            String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
        };
        let part = value("mender_boot_part");
        let slot = self.disk.slots.iter().position(|slot| slot.number.to_string() == part);
        let slot = slot.with_context(|| format!("mender_boot_part={part}"))?;
        Ok(Told { slot, trial: value("upgrade_available") == "1" })
    }

    fn whole(&self, slot: usize) -> Result<()> {
        let place = self.disk.slots[slot].place.clone();
        let (found, system) = (&self.durable[place], &self.systems[slot]);
        ensure!(found.starts_with(system), "slot {slot} is started, and not whole");
        Ok(())
    }

    /// A step that was said to be done stays done, whatever the power does next.
    fn marked(&mut self, name: &str) -> Result<()> {
        let wanted = match name {
            "armed" => Told { slot: 1, trial: true },
            "disarmed" => Told { slot: 0, trial: false },
            "committed" => Told { slot: 1, trial: false },
            // The kernel's own, when the device goes.
            "dm-log-writes-end" => return Ok(()),
            other => bail!("a mark {other:?} that nobody made"),
        };
        let told = self.boots()?;
        ensure!(told == wanted, "{name}, and on the medium it says {told:?}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY_BYTES: usize = 64;

    fn copy(serial: u8, part: u32, trial: u8) -> Vec<u8> {
        let mut copy = vec![0; COPY_BYTES];
        let text = format!("mender_boot_part={part}\0upgrade_available={trial}\0");
        copy[4] = serial;
        copy[5..5 + text.len()].copy_from_slice(text.as_bytes());
        let crc = crc32fast::hash(&copy[5..]).to_le_bytes();
        copy[..4].copy_from_slice(&crc);
        copy
    }

    /// Slot a is whole and named; slot b is empty.
    fn wrecks() -> Wrecks {
        let slots = [(2, 200..210), (3, 210..220)];
        let disk = Disk {
            bytes: 220,
            copies: [0..COPY_BYTES, 100..100 + COPY_BYTES],
            slots: slots.map(|(number, place)| Slot { number, place }),
        };
        let mut durable = vec![0; disk.bytes];
        durable[..COPY_BYTES].copy_from_slice(&copy(1, 2, 0));
        durable[200..210].fill(7);
        Wrecks { disk, durable, systems: [vec![7; 10], vec![8; 10]], counts: Counts::default() }
    }

    fn write(start: usize, bytes: &[u8]) -> Entry {
        Entry::Write { start, bytes: bytes.to_vec() }
    }

    #[test]
    fn an_update_in_order_leaves_no_bad_wreck() {
        let mark = |name: &str| Entry::Mark(name.to_owned());
        let mut log: Vec<Entry> = (210..220).map(|at| write(at, &[8])).collect();
        log.extend((210..220).map(|at| write(at, &[8])));
        log.extend([Entry::Flush, write(100, &copy(2, 3, 1)), Entry::Flush, mark("armed")]);
        let counts = wrecks().judge(&log).unwrap();
        assert_eq!((counts.writes, counts.flushes), (21, 2));
    }

    #[test]
    fn a_slot_that_is_named_before_it_is_durable_is_found() {
        let log = [write(210, &[8; 10]), write(100, &copy(2, 3, 1)), Entry::Flush];
        let said = format!("{:#}", wrecks().judge(&log).unwrap_err());
        assert_eq!(said, "entry 2 of 3: slot 1 is started, and not whole");
    }

    #[test]
    fn a_step_said_to_be_done_before_its_flush_is_found() {
        let armed = Entry::Mark("armed".to_owned());
        let log =
            [write(210, &[8; 10]), Entry::Flush, write(100, &copy(2, 3, 1)), armed, Entry::Flush];
        let said = format!("{:#}", wrecks().judge(&log).unwrap_err());
        assert!(said.starts_with("entry 3 of 5: armed, and on the medium"), "{said}");
    }
}

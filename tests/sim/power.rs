//! A board with power: takes reads, writes and flushes, records them, and gives trouble where it
//! is asked to. What was written is read back at once, as from a cache.

use std::sync::{Arc, Mutex, MutexGuard};

use twinslot::device::Cause;
use twinslot::slot::Slot;

use super::board::{Board, Data};
use super::store::{Fate, Place, Store, Write};
use super::tape::{Deed, Line, Op};
use super::uboot;

pub const EIO: Cause = Cause { code: 5, text: "input/output error" };
pub const GONE: Cause = Cause { code: 6, text: "no such device or address" };

/// What goes wrong, besides the power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    /// The operation with this number fails, counted from 0; a write leaves half of itself.
    Fails(usize),
    /// From this operation on the medium is gone; the data partition stays.
    Gone(usize),
    /// From this operation on the data partition takes nothing.
    Full(usize),
    /// Reads of this byte return a flipped bit.
    Lies(Place, usize),
    /// Writes of this sector are taken and change nothing.
    Stuck(Place, usize),
    /// Before this operation somebody else makes the environment boot the other slot.
    Meddled(usize),
}

/// A handle on the board; all handles are one board.
#[derive(Debug, Clone)]
pub struct Power(Arc<Mutex<Live>>);

#[derive(Debug)]
struct Live {
    stores: [Store; 4],
    data: Data,
    tape: Vec<Op>,
    trouble: Trouble,
    /// Operations so far.
    count: usize,
    /// Payload that was not fetched again by the last install, in bytes.
    resumed_bytes: u64,
}

impl Power {
    pub fn on(board: &Board) -> Self {
        Self::in_trouble(board, Trouble::None)
    }

    pub fn in_trouble(board: &Board, trouble: Trouble) -> Self {
        let mut stores = board.stores.clone();
        for write in &board.cache {
            stores[write.place.index()].apply(write);
        }
        let data = board.data.clone();
        let live = Live { stores, data, tape: Vec::new(), trouble, count: 0, resumed_bytes: 0 };
        Self(Arc::new(Mutex::new(live)))
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap()
    }

    /// What was done so far.
    pub fn tape(&self) -> Vec<Op> {
        self.live().tape.clone()
    }

    pub fn count(&self) -> usize {
        self.live().count
    }

    pub fn resumed(&self, bytes: u64) {
        self.live().resumed_bytes = bytes;
    }

    pub fn resumed_bytes(&self) -> u64 {
        self.live().resumed_bytes
    }

    pub fn content(&self, place: Place) -> Store {
        self.live().stores[place.index()].clone()
    }

    pub fn stores(&self) -> [Store; 4] {
        self.live().stores.clone()
    }

    pub fn data(&self) -> Data {
        self.live().data.clone()
    }

    pub fn begin(&self, deed: Deed) {
        self.live().tape.push(Op::Begin(deed));
    }

    pub fn said(&self, deed: Deed) {
        self.live().tape.push(Op::Said(deed));
    }

    pub fn read(&self, place: Place, at_byte: usize, into: &mut [u8]) -> Result<(), Cause> {
        let mut live = self.live();
        live.step()?;
        live.tape.push(Op::Read(place, at_byte, into.len()));
        live.stores[place.index()].read(at_byte, into);
        if let Trouble::Lies(liar, byte) = live.trouble
            && liar == place
            && let Some(lie) = byte.checked_sub(at_byte)
            && let Some(read) = into.get_mut(lie)
        {
            *read ^= 4;
        }
        Ok(())
    }

    pub fn write(&self, place: Place, at_byte: usize, from: &[u8]) -> Result<(), Cause> {
        let mut live = self.live();
        let write = Write::new(place, at_byte, from);
        let done = live.step();
        let half = write.sectors() / 2;
        let stuck = match live.trouble {
            Trouble::Stuck(stuck, sector) if stuck == place => sector.checked_sub(at_byte / 512),
            _ => None,
        };
        let is_gone = done == Err(GONE);
        live.stores[place.index()].apply_in_part(&write, &mut |sector| match done {
            _ if is_gone || stuck == Some(sector) => Fate::Lost,
            Err(_) if sector == half => Fate::Garbled(sector),
            Err(_) if sector > half => Fate::Lost,
            _ => Fate::Kept,
        });
        if !is_gone {
            live.tape.push(Op::Write(write));
        }
        done
    }

    pub fn flush(&self, place: Place) -> Result<(), Cause> {
        let mut live = self.live();
        live.step()?;
        live.tape.push(Op::Flush(place));
        Ok(())
    }

    pub fn append(&self, line: Line) -> Result<(), Cause> {
        let mut live = self.live();
        live.keep()?;
        live.data.append(&line.text);
        live.tape.push(Op::Append(line));
        Ok(())
    }

    pub fn remember(&self, slot: Slot, text: &[u8]) -> Result<(), Cause> {
        let mut live = self.live();
        live.keep()?;
        *live.data.provides_mut(slot) = Some(text.to_vec());
        live.tape.push(Op::Remember(slot, text.to_vec()));
        Ok(())
    }

    pub fn forget(&self, slot: Slot) -> Result<(), Cause> {
        let mut live = self.live();
        live.keep()?;
        *live.data.provides_mut(slot) = None;
        live.tape.push(Op::Forget(slot));
        Ok(())
    }

    pub fn keep_checkpoint(&self, line: &[u8]) -> Result<(), Cause> {
        let mut live = self.live();
        live.keep()?;
        live.data.checkpoint = Some(line.to_vec());
        live.tape.push(Op::Keep(line.to_vec()));
        Ok(())
    }

    /// No operation where there is none.
    pub fn discard_checkpoint(&self) -> Result<(), Cause> {
        let mut live = self.live();
        if live.data.checkpoint.is_none() {
            return Ok(());
        }
        live.keep()?;
        live.data.checkpoint = None;
        live.tape.push(Op::Discard);
        Ok(())
    }
}

impl Live {
    /// An operation on the medium.
    fn step(&mut self) -> Result<(), Cause> {
        let now = self.count;
        self.count += 1;
        match self.trouble {
            Trouble::Fails(at) if at == now => Err(EIO),
            Trouble::Gone(from) if from <= now => Err(GONE),
            Trouble::Meddled(at) if at == now => {
                self.meddle();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn meddle(&mut self) {
        let mut loaded = uboot::load(&self.stores[2], &self.stores[3]).unwrap();
        loaded.set("mender_boot_part", 11);
        loaded.set("mender_boot_part_hex", "b");
        let copy = uboot::export(&loaded.vars, loaded.flags.wrapping_add(1));
        let place = Place::Copy(loaded.place().other());
        self.stores[place.index()].apply(&Write::new(place, 0, &copy));
    }

    /// An operation on the data partition.
    fn keep(&mut self) -> Result<(), Cause> {
        let now = self.count;
        self.count += 1;
        match self.trouble {
            Trouble::Fails(at) if at == now => Err(EIO),
            Trouble::Full(from) if from <= now => Err(EIO),
            _ => Ok(()),
        }
    }
}

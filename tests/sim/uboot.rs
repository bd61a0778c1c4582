//! U-Boot on a simulated board: what its rules make of the copies there, and which system is up in
//! the end. Shares no code with the crate under test.

use twinslot::slot::{Parts, Slot};
use uboot_env::Which;

use super::power::Power;
use super::store::{Place, Store};

mod rules;

pub use rules::{Loaded, Vars, is_good};

/// `CONFIG_ENV_SIZE`
pub const COPY_BYTES: usize = 4096;
/// More boots than any bootlimit here allows, and the one that goes back.
const BOOTS_MAX: usize = 8;

impl Loaded {
    pub fn place(&self) -> Which {
        if self.copy == 0 { Which::First } else { Which::Second }
    }

    pub fn slot(&self, parts: Parts) -> Option<Slot> {
        parts.slot(self.part()?)
    }
}

/// Chooses and imports; `None` where U-Boot would fall back to its compiled-in defaults.
pub fn load(first: &Store, second: &Store) -> Option<Loaded> {
    rules::load([&first.bytes(), &second.bytes()])
}

/// A copy of `vars` with these flags.
pub fn export(vars: &Vars, flags: u8) -> Vec<u8> {
    rules::export(vars, flags, COPY_BYTES)
}

/// U-Boot never turns the cache of an eMMC on, so what it wrote is durable; the write itself can
/// be torn.
fn save(power: &Power, loaded: &Loaded) {
    let place = Place::Copy(loaded.place());
    power.write(place, 0, &export(&loaded.vars, loaded.flags)).unwrap();
    power.flush(place).unwrap();
}

/// The slot whose system comes up in the end. One that does not start hangs until the watchdog
/// resets the board.
pub fn boot(
    power: &Power,
    parts: Parts,
    starts: impl Fn(Slot, &Store) -> bool,
) -> Result<Slot, String> {
    let numbers = [Slot::A, Slot::B].map(|slot| parts.number(slot));
    for _ in 0..BOOTS_MAX {
        let [first, second] =
            [Which::First, Which::Second].map(|copy| power.content(Place::Copy(copy)));
        let mut loaded = load(&first, &second).ok_or("both copies of the environment are lost")?;
        let tries = loaded.tries();
        loaded.count_boot(numbers, |loaded| save(power, loaded));
        let slot = loaded.slot(parts).ok_or("the environment names no slot")?;
        if starts(slot, &power.content(Place::Slot(slot))) {
            return Ok(slot);
        }
        if !tries {
            return Err(format!("settled on slot {slot}, which does not start"));
        }
    }
    Err("never stops trying a slot that does not start".to_owned())
}

//! U-Boot, as far as it decides what boots: a second statement of its rules, made from U-Boot's
//! own sources (env/common.c, drivers/bootcount/bootcount_env.c) and Mender's boot script, and
//! sharing no code with the crate under test.

use std::collections::BTreeMap;

use twinslot::slot::{Parts, Slot};
use uboot_env::Which;

use super::power::Power;
use super::store::{Place, Store};

/// `CONFIG_ENV_SIZE`
pub const COPY_BYTES: usize = 4096;
const HEADER_BYTES: usize = 5;
/// More boots than any bootlimit here allows, and the one that goes back.
const BOOTS_MAX: usize = 8;

pub type Vars = BTreeMap<String, String>;

/// The environment in use.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub place: Which,
    pub flags: u8,
    pub vars: Vars,
}

impl Loaded {
    fn number(&self, name: &str) -> u32 {
        self.vars.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Whether `upgrade_available` is set.
    pub fn tries(&self) -> bool {
        self.number("upgrade_available") != 0
    }

    /// The partition that boots: U-Boot's commands take the hexadecimal one, and the kernel's
    /// command line is made from the other.
    pub fn part(&self) -> Option<u32> {
        let hex = self.vars.get("mender_boot_part_hex")?;
        let part = u32::from_str_radix(hex, 16).ok()?;
        (part == self.number("mender_boot_part")).then_some(part)
    }

    pub fn slot(&self, parts: Parts) -> Option<Slot> {
        parts.slot(self.part()?)
    }

    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.vars.insert(name.to_owned(), value.to_string());
    }
}

/// Chooses and imports; `None` where U-Boot would fall back to its compiled-in defaults.
pub fn load(first: &Store, second: &Store) -> Option<Loaded> {
    let copies = [first.bytes(), second.bytes()];
    let good = [is_good(&copies[0]), is_good(&copies[1])];
    let flags = [copies[0][4], copies[1][4]];
    let second_wins = match good {
        [false, false] => return None,
        [true, false] => false,
        [false, true] => true,
        [true, true] if flags[0] == 255 && flags[1] == 0 => true,
        [true, true] if flags[1] == 255 && flags[0] == 0 => false,
        [true, true] => flags[0] < flags[1],
    };
    let index = usize::from(second_wins);
    let place = if second_wins { Which::Second } else { Which::First };
    Some(Loaded { place, flags: flags[index], vars: import(&copies[index][HEADER_BYTES..]) })
}

/// Whether a copy has the CRC it says it has.
pub fn is_good(copy: &[u8]) -> bool {
    crc32fast::hash(&copy[HEADER_BYTES..]).to_le_bytes() == copy[..4]
}

fn import(data: &[u8]) -> Vars {
    let entries = data.split(|byte| *byte == 0).take_while(|entry| !entry.is_empty());
    let pair = |entry: &[u8]| {
        let text = String::from_utf8(entry.to_vec()).ok()?;
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    entries.filter_map(pair).collect()
}

/// A copy of `vars` with these flags.
pub fn export(vars: &Vars, flags: u8) -> Vec<u8> {
    let text: String = vars.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    let mut copy = vec![0; COPY_BYTES];
    copy[HEADER_BYTES..HEADER_BYTES + text.len()].copy_from_slice(text.as_bytes());
    copy[4] = flags;
    let crc = crc32fast::hash(&copy[HEADER_BYTES..]);
    copy[..4].copy_from_slice(&crc.to_le_bytes());
    copy
}

/// `saveenv`: the other copy, flags plus one. U-Boot never turns the cache of an eMMC on, so
/// what it wrote is durable; the write itself can be torn.
fn save(power: &Power, loaded: &mut Loaded) {
    loaded.place = loaded.place.other();
    loaded.flags = loaded.flags.wrapping_add(1);
    power.write(Place::Copy(loaded.place), 0, &export(&loaded.vars, loaded.flags)).unwrap();
    power.flush(Place::Copy(loaded.place)).unwrap();
}

/// The slot whose system comes up in the end. One that does not start hangs until the watchdog
/// resets the board.
pub fn boot(
    power: &Power,
    parts: Parts,
    starts: impl Fn(Slot, &Store) -> bool,
) -> Result<Slot, String> {
    for _ in 0..BOOTS_MAX {
        let [first, second] =
            [Which::First, Which::Second].map(|copy| power.content(Place::Copy(copy)));
        let mut loaded = load(&first, &second).ok_or("both copies of the environment are lost")?;
        let tries = loaded.tries();
        count_boot(power, &mut loaded, parts);
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

/// `bootcount`, which counts only during a trial, and `altbootcmd` once it is over the limit.
fn count_boot(power: &Power, loaded: &mut Loaded, parts: Parts) {
    let count = if loaded.tries() { loaded.number("bootcount") + 1 } else { 1 };
    let limit = loaded.number("bootlimit");
    loaded.set("bootcount", count);
    if loaded.tries() {
        save(power, loaded);
    }
    if limit > 0 && count > limit {
        let [a, b] = [Slot::A, Slot::B].map(|slot| parts.number(slot));
        let other = if loaded.number("mender_boot_part") == a { b } else { a };
        loaded.set("mender_boot_part", other);
        loaded.set("mender_boot_part_hex", format!("{other:x}"));
        loaded.set("upgrade_available", 0);
        save(power, loaded);
    }
}

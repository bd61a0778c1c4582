//! U-Boot's rules on bytes alone: which copy of the environment counts, and what the counting of a
//! boot saves. A second statement of them, made from U-Boot's own sources (env/common.c,
//! drivers/bootcount/bootcount_env.c) and the boot script's; names nothing of ours. Real U-Boot is
//! held to it (scenario: boot-rules).

use std::collections::BTreeMap;

const HEADER_BYTES: usize = 5;

pub type Vars = BTreeMap<String, String>;

/// The environment in use.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The index of the copy it came from, or was saved to.
    pub copy: usize,
    pub flags: u8,
    pub vars: Vars,
}

impl Loaded {
    pub fn number(&self, name: &str) -> u32 {
        self.vars.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Whether `upgrade_available` is set.
    pub fn tries(&self) -> bool {
        self.number("upgrade_available") != 0
    }

    /// The partition that boots: Mender's commands take the hexadecimal one, and the kernel's
    /// command line is made from the other.
    pub fn part(&self) -> Option<u32> {
        let hex = self.vars.get("mender_boot_part_hex")?;
        let part = u32::from_str_radix(hex, 16).ok()?;
        (part == self.number("mender_boot_part")).then_some(part)
    }

    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.vars.insert(name.to_owned(), value.to_string());
    }

    /// `bootcount`, which counts only during a trial, and `altbootcmd` once it is over the limit.
    /// `save` is `saveenv`, with what is saved.
    pub fn count_boot(&mut self, parts: [u32; 2], mut save: impl FnMut(&Self)) {
        let count = if self.tries() { self.number("bootcount") + 1 } else { 1 };
        let limit = self.number("bootlimit");
        self.set("bootcount", count);
        if self.tries() {
            self.turn();
            save(self);
        }
        if limit > 0 && count > limit {
            let [a, b] = parts;
            let other = if self.number("mender_boot_part") == a { b } else { a };
            self.set("mender_boot_part", other);
            self.set("mender_boot_part_hex", format!("{other:x}"));
            self.set("upgrade_available", 0);
            self.turn();
            save(self);
        }
    }

    /// `saveenv` goes to the other copy, flags plus one.
    fn turn(&mut self) {
        self.copy = 1 - self.copy;
        self.flags = self.flags.wrapping_add(1);
    }
}

/// Chooses and imports; `None` where U-Boot would fall back to its compiled-in defaults.
pub fn load(copies: [&[u8]; 2]) -> Option<Loaded> {
    let flags = copies.map(|copy| copy[4]);
    let second_wins = match copies.map(is_good) {
        [false, false] => return None,
        [true, false] => false,
        [false, true] => true,
        [true, true] if flags[0] == 255 && flags[1] == 0 => true,
        [true, true] if flags[1] == 255 && flags[0] == 0 => false,
        [true, true] => flags[0] < flags[1],
    };
    let copy = usize::from(second_wins);
    Some(Loaded { copy, flags: flags[copy], vars: import(&copies[copy][HEADER_BYTES..]) })
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

/// A copy of `vars` with these flags, `bytes` long.
pub fn export(vars: &Vars, flags: u8, bytes: usize) -> Vec<u8> {
    let text: String = vars.iter().map(|(name, value)| format!("{name}={value}\0")).collect();
    let mut copy = vec![0; bytes];
    copy[HEADER_BYTES..HEADER_BYTES + text.len()].copy_from_slice(text.as_bytes());
    copy[4] = flags;
    let crc = crc32fast::hash(&copy[HEADER_BYTES..]);
    copy[..4].copy_from_slice(&crc.to_le_bytes());
    copy
}

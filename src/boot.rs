//! The boot loader's variables: what they say and what each step of an update sets them to.
//! Names and meaning are Mender's, so that either client can take over a board. Never writes.

use core::fmt::Write as _;

use heapless::{String, Vec};

use crate::slot::{BootedSlot, Slot};

/// Decimal number of the partition to boot.
pub const BOOT_PART: &str = "mender_boot_part";
/// The same in hexadecimal, as U-Boot's own commands read numbers.
pub const BOOT_PART_HEX: &str = "mender_boot_part_hex";
/// `1` while a slot is armed or on trial; only then does U-Boot store `bootcount`.
pub const UPGRADE_AVAILABLE: &str = "upgrade_available";
/// Boots since armed.
pub const BOOTCOUNT: &str = "bootcount";
/// U-Boot runs `altbootcmd` once `bootcount` is greater than this.
pub const BOOTLIMIT: &str = "bootlimit";
/// `1` when the boot loader demands the canary below.
const CHECK_CANARY: &str = "mender_check_saveenv_canary";
/// `1` once U-Boot itself saved the environment: proof that both read the same one.
const CANARY: &str = "mender_saveenv_canary";

/// Why the environment cannot be trusted to say what the next boot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// A variable without which nothing can be decided is not there.
    #[error("the environment has no {0}: this boot loader is not set up for two slots")]
    Missing(&'static str),
    /// A variable that must be a number is none.
    #[error("the environment's {0} is not a number")]
    NotANumber(&'static str),
    /// U-Boot has never saved this environment, though it should have.
    #[error(
        "the boot loader asks for a saved canary and it is not there: \
         it does not use the environment that fw_env.config names"
    )]
    Canary,
    /// `mender_boot_part` is the number of neither slot.
    #[error("the environment boots partition {named}, but the slots are partitions {a} and {b}")]
    UnknownPart {
        /// What the environment names.
        named: u32,
        /// Slot a.
        a: u32,
        /// Slot b.
        b: u32,
    },
    /// The environment names the other slot, and no trial.
    #[error("slot {booted} runs, but the environment boots slot {next}: reboot first")]
    OtherNext {
        /// The slot that runs.
        booted: Slot,
        /// The slot the environment names.
        next: Slot,
    },
    /// The environment changed between two looks at it.
    #[error("the environment was changed by someone else meanwhile")]
    Changed,
}

/// What the environment says about booting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootVars {
    /// `mender_boot_part`
    pub boot_part: u32,
    /// `upgrade_available`, absent counting as 0 as in U-Boot.
    pub upgrade_available: bool,
    /// `bootcount`, absent counting as 0.
    pub bootcount: u32,
    /// `bootlimit`; without it, or with 0, U-Boot never falls back.
    pub bootlimit: Option<u32>,
}

impl BootVars {
    /// Reads the variables through `get`.
    ///
    /// # Errors
    /// [`Disagreement`] when one is missing or no number, or when the canary is.
    pub fn read<'v>(get: impl Fn(&str) -> Option<&'v [u8]>) -> Result<Self, Disagreement> {
        if get(CHECK_CANARY) == Some(b"1") && get(CANARY) != Some(b"1") {
            return Err(Disagreement::Canary);
        }
        let number = |name| get(name).map(|text| parse(text, name)).transpose();
        Ok(Self {
            boot_part: number(BOOT_PART)?.ok_or(Disagreement::Missing(BOOT_PART))?,
            upgrade_available: number(UPGRADE_AVAILABLE)?.unwrap_or(0) != 0,
            bootcount: number(BOOTCOUNT)?.unwrap_or(0),
            bootlimit: number(BOOTLIMIT)?.filter(|limit| *limit != 0),
        })
    }
}

fn parse(text: &[u8], name: &'static str) -> Result<u32, Disagreement> {
    core::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Disagreement::NotANumber(name))
}

/// The variables one step sets, in one write.
#[derive(Debug, Default)]
pub struct Changes(Vec<(&'static str, String<10>), 4>);

impl Changes {
    /// Try the slot that is not `booted` at the next boot.
    #[must_use]
    pub fn arm(booted: &BootedSlot) -> Self {
        Self::default()
            .boot(booted, booted.slot().other())
            .set(UPGRADE_AVAILABLE, 1)
            .set(BOOTCOUNT, 0)
    }

    /// Keep the slot that is on trial. `bootcount` stays, as with Mender: arming resets it.
    #[must_use]
    pub fn commit() -> Self {
        Self::default().set(UPGRADE_AVAILABLE, 0)
    }

    /// Give up the slot on trial: the other one at the next boot.
    #[must_use]
    pub fn rollback(booted: &BootedSlot) -> Self {
        Self::default().boot(booted, booted.slot().other()).set(UPGRADE_AVAILABLE, 0)
    }

    /// Stay with the slot that runs.
    #[must_use]
    pub fn disarm(booted: &BootedSlot) -> Self {
        Self::default().boot(booted, booted.slot()).set(UPGRADE_AVAILABLE, 0)
    }

    /// Name and value of each variable.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (*name, Some(value.as_str())))
    }

    fn boot(self, booted: &BootedSlot, slot: Slot) -> Self {
        let part = booted.parts().number(slot);
        let mut hex = String::new();
        // Eight digits fit in ten characters.
        let _ = write!(hex, "{part:x}");
        self.set(BOOT_PART, part).push(BOOT_PART_HEX, hex)
    }

    fn set(self, name: &'static str, value: u32) -> Self {
        let mut text = String::new();
        // Ten digits hold any u32.
        let _ = write!(text, "{value}");
        self.push(name, text)
    }

    fn push(mut self, name: &'static str, value: String<10>) -> Self {
        // Four variables are the most any step sets; the tests count them.
        let _ = self.0.push((name, value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Parts;

    fn read(vars: &[(&str, &'static str)]) -> Result<BootVars, Disagreement> {
        BootVars::read(|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_bytes())
        })
    }

    fn pairs(changes: &Changes) -> std::vec::Vec<(&str, &str)> {
        changes.iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
    }

    #[test]
    fn absent_variables_mean_what_they_mean_to_u_boot() {
        let vars = read(&[("mender_boot_part", "2")]);
        let expected =
            BootVars { boot_part: 2, upgrade_available: false, bootcount: 0, bootlimit: None };
        assert_eq!(vars, Ok(expected));
    }

    #[test]
    fn a_missing_or_garbled_variable_is_named() {
        assert_eq!(read(&[]), Err(Disagreement::Missing(BOOT_PART)));
        for bad in ["", " 2", "2 ", "0x2", "-1", "4294967296", "two"] {
            let refused = Err(Disagreement::NotANumber(BOOT_PART));
            assert_eq!(read(&[(BOOT_PART, bad)]), refused, "{bad:?}");
        }
    }

    #[test]
    fn a_demanded_canary_that_u_boot_never_saved_is_refused() {
        let base = [("mender_boot_part", "2"), ("mender_check_saveenv_canary", "1")];
        assert_eq!(read(&base), Err(Disagreement::Canary));
        assert!(read(&[base[0], base[1], ("mender_saveenv_canary", "1")]).is_ok());
        assert!(read(&[base[0], ("mender_check_saveenv_canary", "0")]).is_ok());
    }

    #[test]
    fn each_step_sets_the_variables_mender_sets() {
        let parts = Parts::new(2, 11).unwrap_or_else(|| unreachable!("2 and 11 differ"));
        let booted = BootedSlot::assertion(Slot::A, parts);
        let (part, hex) = ("mender_boot_part", "mender_boot_part_hex");
        let (trial, count) = ("upgrade_available", "bootcount");
        let armed = Changes::arm(&booted);
        assert_eq!(pairs(&armed), [(part, "11"), (hex, "b"), (trial, "1"), (count, "0")]);
        assert_eq!(pairs(&Changes::commit()), [(trial, "0")]);
        let back = Changes::rollback(&booted);
        assert_eq!(pairs(&back), [(part, "11"), (hex, "b"), (trial, "0")]);
        let stay = Changes::disarm(&booted);
        assert_eq!(pairs(&stay), [(part, "2"), (hex, "2"), (trial, "0")]);
    }
}

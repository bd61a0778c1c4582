//! Which slot runs, and what may be done with the other one. Each answer is a value that only
//! the question can make; later steps demand it. Never touches a device.

use core::fmt;

use crate::boot::{BootVars, Disagreement};

pub mod medium;

/// One of the two slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `RootfsPartA`
    A,
    /// `RootfsPartB`
    B,
}

impl Slot {
    /// The slot that is not this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// `a` or `b`, as every text and JSON names it.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// The numbers by which the boot loader knows the slots (`mender_boot_part`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    a: u32,
    b: u32,
}

impl Parts {
    /// The partition numbers of slot a and slot b; `None` when they are the same.
    #[must_use]
    pub const fn new(a: u32, b: u32) -> Option<Self> {
        if a == b { None } else { Some(Self { a, b }) }
    }

    /// The number of `slot`.
    #[must_use]
    pub const fn number(self, slot: Slot) -> u32 {
        match slot {
            Slot::A => self.a,
            Slot::B => self.b,
        }
    }

    /// The slot with `number`.
    #[must_use]
    pub const fn slot(self, number: u32) -> Option<Slot> {
        if number == self.a {
            Some(Slot::A)
        } else if number == self.b {
            Some(Slot::B)
        } else {
            None
        }
    }
}

/// Proof that a slot is the one whose system runs now.
///
/// ```compile_fail,E0451
/// # use twinslot::slot::*;
/// let forged = BootedSlot { slot: Slot::A, parts: Parts::new(2, 3).unwrap() };
/// ```
/// ```compile_fail,E0599
/// # use twinslot::slot::*;
/// fn twice(booted: BootedSlot) -> (BootedSlot, BootedSlot) { (booted.clone(), booted) }
/// ```
#[derive(Debug)]
pub struct BootedSlot {
    slot: Slot,
    parts: Parts,
}

impl BootedSlot {
    /// The one statement the core cannot check: `slot` is the root of the running system. Only
    /// the shell's search for the root may say it (`grep -rn assertion src` is the audit).
    #[must_use]
    pub const fn assertion(slot: Slot, parts: Parts) -> Self {
        Self { slot, parts }
    }

    /// Which slot runs.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// The boot loader's numbers.
    #[must_use]
    pub const fn parts(&self) -> Parts {
        self.parts
    }

    /// What the environment says about this boot.
    ///
    /// # Errors
    /// The environment names a partition that is no slot, or names the other slot without a
    /// trial: then nobody can say what the next boot does, and nothing may be written.
    pub fn state(self, vars: &BootVars) -> Result<State, Disagreement> {
        let next = self.parts.slot(vars.boot_part).ok_or(Disagreement::UnknownPart {
            named: vars.boot_part,
            a: self.parts.a,
            b: self.parts.b,
        })?;
        match (vars.upgrade_available, next == self.slot) {
            (false, true) => Ok(State::Settled(Settled { booted: self })),
            (true, true) => Ok(State::Trial(Trial { booted: self })),
            (true, false) => Ok(State::Armed(Armed { booted: self })),
            (false, false) => Err(Disagreement::OtherNext { booted: self.slot, next }),
        }
    }
}

/// Where the board is in an update.
#[derive(Debug)]
pub enum State {
    /// No update in progress.
    Settled(Settled),
    /// The other slot will be tried at the next boot.
    Armed(Armed),
    /// The running slot is being tried.
    Trial(Trial),
}

impl State {
    /// The word of `status --json`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Settled(_) => "settled",
            Self::Armed(_) => "armed",
            Self::Trial(_) => "trial",
        }
    }
}

/// Proof that no update is in progress: the environment names the booted slot and no trial.
///
/// ```compile_fail,E0451
/// # use twinslot::slot::*;
/// # fn with(booted: BootedSlot) {
/// let forged = Settled { booted };
/// # }
/// ```
#[derive(Debug)]
pub struct Settled {
    booted: BootedSlot,
}

impl Settled {
    /// Spends the proof: the other slot may now be written.
    #[must_use]
    pub fn inactive(self) -> InactiveSlot {
        InactiveSlot { booted: self.booted }
    }
}

/// Proof that the other slot will be tried at the next boot.
///
/// ```compile_fail,E0451
/// # use twinslot::slot::*;
/// # fn with(booted: BootedSlot) {
/// let forged = Armed { booted };
/// # }
/// ```
#[derive(Debug)]
pub struct Armed {
    pub(crate) booted: BootedSlot,
}

impl Armed {
    /// The slot that will be tried.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.booted.slot.other()
    }
}

/// Proof that the running slot is on trial.
///
/// ```compile_fail,E0451
/// # use twinslot::slot::*;
/// # fn with(booted: BootedSlot) {
/// let forged = Trial { booted };
/// # }
/// ```
#[derive(Debug)]
pub struct Trial {
    pub(crate) booted: BootedSlot,
}

/// Proof that a slot neither runs nor will run next: it may be written.
///
/// ```compile_fail,E0451
/// # use twinslot::slot::*;
/// # fn with(booted: BootedSlot) {
/// let forged = InactiveSlot { booted };
/// # }
/// ```
#[derive(Debug)]
pub struct InactiveSlot {
    booted: BootedSlot,
}

impl InactiveSlot {
    /// The slot that may be written.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        self.booted.slot.other()
    }

    /// The slot that runs meanwhile.
    #[must_use]
    pub const fn booted(&self) -> &BootedSlot {
        &self.booted
    }

    pub(crate) fn into_booted(self) -> BootedSlot {
        self.booted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(
        booted: Slot,
        (boot_part, upgrade_available): (u32, bool),
    ) -> Result<State, Disagreement> {
        let parts = Parts { a: 2, b: 3 };
        let vars = BootVars { boot_part, upgrade_available, bootcount: 0, bootlimit: Some(1) };
        BootedSlot::assertion(booted, parts).state(&vars)
    }

    #[test]
    fn every_combination_of_booted_slot_named_slot_and_trial_has_one_state() {
        for (booted, own, other) in [(Slot::A, 2, 3), (Slot::B, 3, 2)] {
            assert!(matches!(state(booted, (own, false)), Ok(State::Settled(_))));
            assert!(matches!(state(booted, (own, true)), Ok(State::Trial(_))));
            assert!(matches!(state(booted, (other, true)), Ok(State::Armed(_))));
            assert!(matches!(
                state(booted, (other, false)),
                Err(Disagreement::OtherNext { next, .. }) if next == booted.other()
            ));
        }
    }

    #[test]
    fn a_partition_that_is_no_slot_is_refused_with_all_three_numbers() {
        for trial in [false, true] {
            let refused = state(Slot::A, (1, trial)).map(|state| state.word());
            assert_eq!(refused, Err(Disagreement::UnknownPart { named: 1, a: 2, b: 3 }));
        }
    }

    #[test]
    fn two_slots_with_one_number_are_no_slots() {
        assert_eq!(Parts::new(2, 2), None);
        let parts = Parts::new(2, 10).map(|parts| (parts.slot(2), parts.slot(10), parts.slot(3)));
        assert_eq!(parts, Some((Some(Slot::A), Some(Slot::B), None)));
    }

    #[test]
    fn the_slot_that_may_be_written_is_never_the_booted_one() {
        for booted in [Slot::A, Slot::B] {
            let number = Parts { a: 2, b: 3 }.number(booted);
            let Ok(State::Settled(settled)) = state(booted, (number, false)) else {
                unreachable!("settled, as the first test shows")
            };
            assert_eq!(settled.inactive().slot(), booted.other());
        }
    }
}

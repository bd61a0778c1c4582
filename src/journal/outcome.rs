//! How the last attempt ended: told from the records and from where the board is now, because
//! the boot loader falls back without writing a record. Pure.

use core::fmt;

use super::{Event, Record};
use crate::json::Text;
use crate::slot::Slot;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There was no attempt, or none has ended yet.
    None,
    /// The new system was kept.
    Committed,
    /// The new system was tried or armed, and given up.
    RolledBack,
    /// The new system was never armed.
    Failed,
}

impl Outcome {
    /// The word of `status --json`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Committed => "committed",
            Self::RolledBack => "rolled-back",
            Self::Failed => "failed",
        }
    }
}

/// Why an attempt ended as it did.
#[derive(Clone, Copy, Debug)]
pub enum Reason<'j> {
    /// As recorded.
    Said(Text<'j>),
    /// Nothing was recorded after the writing began.
    Interrupted(Slot),
    /// Everything was written, but the environment was never changed.
    NeverArmed(Slot),
    /// The boot loader went back by itself.
    FellBack(Slot),
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(text) => write!(f, "{text}"),
            Self::Interrupted(slot) => {
                write!(f, "interrupted while slot {slot} was written, by power loss or a kill")
            }
            Self::NeverArmed(slot) => {
                write!(f, "interrupted after slot {slot} was written, before it was armed")
            }
            Self::FellBack(slot) => write!(
                f,
                "slot {slot} was not committed within the boots it had: \
                 the boot loader went back by itself"
            ),
        }
    }
}

/// The last attempt that ended.
#[derive(Clone, Copy, Debug)]
pub struct Last<'j> {
    /// How.
    pub outcome: Outcome,
    /// The artifact's name, when it was known.
    pub artifact: Option<Text<'j>>,
    /// Why, where there is more to say than the outcome.
    pub reason: Option<Reason<'j>>,
    /// Whether the records say so themselves; else it was told from where the board is, and the
    /// next attempt has to record it first.
    pub recorded: bool,
}

/// Where the board is now.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The slot that the environment names.
    pub next: Slot,
    /// Whether an update is being written, armed or on trial.
    pub in_progress: bool,
    /// The serial of the environment in use.
    pub serial: u8,
}

/// What the records so far say of the attempt they are about.
#[derive(Clone, Copy)]
enum Attempt<'j> {
    Over(Outcome, Option<Reason<'j>>),
    Writing(Slot),
    Armed { slot: Slot, serial: u8 },
    Reverting { armed: Option<Slot>, serial: u8, reason: Text<'j> },
}

/// How the last attempt ended, `now` being where the board is. One that is still in progress has
/// not ended: the one before it is told.
pub fn last<'j>(records: impl Iterator<Item = Record<'j>>, now: Now) -> Last<'j> {
    let mut ended = Last { outcome: Outcome::None, artifact: None, reason: None, recorded: true };
    let (mut artifact, mut attempt) = (None, Attempt::Over(Outcome::None, None));
    for record in records.filter(|record| record.event.is_step()) {
        if let Event::Started { artifact: name, .. } | Event::Adopted { artifact: name } =
            record.event
        {
            artifact = Some(name);
        }
        attempt = follow(attempt, record.event);
        if let Attempt::Over(outcome, reason) = attempt {
            ended = Last { outcome, artifact: artifact.take(), reason, recorded: true };
        }
    }
    match end(attempt, now) {
        Some((outcome, reason)) => Last { outcome, artifact, reason, recorded: false },
        None => ended,
    }
}

fn follow<'j>(attempt: Attempt<'j>, event: Event<Text<'j>>) -> Attempt<'j> {
    match event {
        Event::Started { slot, .. } => Attempt::Writing(slot),
        Event::Armed { slot, serial } => Attempt::Armed { slot, serial },
        Event::Reverting { serial, reason } => {
            let armed = match attempt {
                Attempt::Armed { slot, .. } => Some(slot),
                // Tried again: the one before did not happen.
                Attempt::Reverting { armed, .. } => armed,
                _ => None,
            };
            Attempt::Reverting { armed, serial, reason }
        }
        Event::Failed { reason, .. } => Attempt::Over(Outcome::Failed, Some(Reason::Said(reason))),
        Event::RolledBack { reason } => {
            Attempt::Over(Outcome::RolledBack, Some(Reason::Said(reason)))
        }
        Event::Committed | Event::Adopted { .. } => Attempt::Over(Outcome::Committed, None),
        Event::Ran(_) => attempt,
    }
}

/// How an attempt without a last record ended, unless it goes on.
fn end(attempt: Attempt<'_>, now: Now) -> Option<(Outcome, Option<Reason<'_>>)> {
    let fell_back = |slot| Some((Outcome::RolledBack, Some(Reason::FellBack(slot))));
    match attempt {
        Attempt::Over(..) => None,
        _ if now.in_progress => None,
        Attempt::Writing(slot) => Some((Outcome::Failed, Some(Reason::Interrupted(slot)))),
        Attempt::Armed { slot, .. } if slot == now.next => Some((Outcome::Committed, None)),
        Attempt::Armed { slot, serial } if serial == now.serial => {
            Some((Outcome::Failed, Some(Reason::NeverArmed(slot))))
        }
        Attempt::Armed { slot, .. } => fell_back(slot),
        // Announced, but power failed before: what was armed went its way.
        Attempt::Reverting { armed: Some(slot), .. } if slot == now.next => {
            Some((Outcome::Committed, None))
        }
        // A way back is one save; a boot loader that goes back counts the boot in one before.
        Attempt::Reverting { armed: Some(slot), serial, .. }
            if serial.wrapping_add(1) != now.serial =>
        {
            fell_back(slot)
        }
        Attempt::Reverting { reason, .. } => {
            Some((Outcome::RolledBack, Some(Reason::Said(reason))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::string::{String, ToString as _};

    use super::*;
    use crate::journal::{Program, Ran, Verdict, line, records};

    const STARTED: Event<&str> = Event::Started { slot: Slot::B, artifact: "new" };
    const ARMED: Event<&str> = Event::Armed { slot: Slot::B, serial: 7 };
    const SETTLED: Now = Now { next: Slot::A, in_progress: false, serial: 7 };

    fn told(events: &[Event<&str>], now: Now) -> (Outcome, Option<String>, Option<String>, bool) {
        let journal: String = events.iter().map(|event| line(1, *event).to_string()).collect();
        let last = last(records(journal.as_bytes()), now);
        let text = |text: Text<'_>| text.to_string();
        let reason = last.reason.map(|reason| reason.to_string());
        (last.outcome, last.artifact.map(text), reason, last.recorded)
    }

    #[test]
    fn an_empty_journal_tells_of_nothing() {
        assert_eq!(told(&[], SETTLED), (Outcome::None, None, None, true));
    }

    #[test]
    fn an_attempt_that_recorded_its_end_is_told_as_recorded() {
        let failed = Event::Failed { code: "digest-mismatch", reason: "why" };
        let (outcome, artifact, reason, recorded) = told(&[STARTED, failed], SETTLED);
        assert_eq!((outcome, recorded), (Outcome::Failed, true));
        assert_eq!((artifact.as_deref(), reason.as_deref()), (Some("new"), Some("why")));
        let kept = told(&[STARTED, ARMED, Event::Committed], SETTLED);
        assert_eq!(kept, (Outcome::Committed, Some("new".into()), None, true));
    }

    #[test]
    fn a_refusal_without_a_start_has_no_name_of_an_earlier_artifact() {
        let refused = Event::Failed { code: "signature-missing", reason: "unsigned" };
        let (outcome, artifact, ..) = told(&[STARTED, ARMED, Event::Committed, refused], SETTLED);
        assert_eq!((outcome, artifact), (Outcome::Failed, None));
    }

    #[test]
    fn what_ran_beside_an_update_changes_nothing_about_its_end() {
        let (name, said) = ("ArtifactFailure_Enter_00", "");
        let (program, verdict) = (Program::Script, Verdict::Passed);
        let ran = Event::Ran(Ran { program, name, verdict, took_ms: 1, said });
        let gone = Event::RolledBack { reason: "asked" };
        let plain = [STARTED, ARMED, gone];
        for now in [SETTLED, Now { serial: 9, ..SETTLED }] {
            assert_eq!(told(&[STARTED, ran, ARMED, ran, gone, ran], now), told(&plain, now));
            assert_eq!(told(&[STARTED, ran, ARMED, ran], now), told(&plain[..2], now));
        }
    }

    #[test]
    fn power_lost_while_writing_is_a_failure_of_the_update_not_of_the_new_system() {
        let (outcome, _, reason, recorded) = told(&[STARTED], SETTLED);
        assert_eq!((outcome, recorded), (Outcome::Failed, false));
        assert!(reason.is_some_and(|reason| reason.contains("while slot b was written")));
    }

    #[test]
    fn power_lost_before_the_environment_was_written_was_never_armed() {
        let (outcome, _, reason, _) = told(&[STARTED, ARMED], SETTLED);
        assert_eq!(outcome, Outcome::Failed);
        assert!(reason.is_some_and(|reason| reason.contains("before it was armed")));
    }

    #[test]
    fn a_boot_loader_that_went_back_by_itself_is_told_from_the_serial() {
        let now = Now { serial: 10, ..SETTLED };
        let (outcome, artifact, reason, recorded) = told(&[STARTED, ARMED], now);
        assert_eq!((outcome, recorded), (Outcome::RolledBack, false));
        assert_eq!(artifact.as_deref(), Some("new"));
        assert!(reason.is_some_and(|reason| reason.contains("went back by itself")));
    }

    #[test]
    fn a_commit_that_was_not_recorded_is_told_from_the_slot_that_runs() {
        let now = Now { next: Slot::B, in_progress: false, serial: 9 };
        assert_eq!(told(&[STARTED, ARMED], now).0, Outcome::Committed);
    }

    #[test]
    fn while_a_slot_is_armed_or_on_trial_the_attempt_before_is_told() {
        let earlier = [STARTED, ARMED, Event::RolledBack { reason: "asked" }, STARTED, ARMED];
        for booted in [Slot::A, Slot::B] {
            let now = Now { next: booted, in_progress: true, serial: 8 };
            let (outcome, _, reason, recorded) = told(&earlier, now);
            assert_eq!((outcome, recorded), (Outcome::RolledBack, true));
            assert_eq!(reason.as_deref(), Some("asked"));
        }
    }

    #[test]
    fn a_rollback_whose_end_was_not_recorded_keeps_its_reason() {
        let reverting = Event::Reverting { serial: 8, reason: "check 10-web failed" };
        let events = [STARTED, ARMED, reverting];
        let told = |now| told(&events, now);
        let (outcome, _, reason, _) = told(Now { serial: 9, ..SETTLED });
        assert_eq!(outcome, Outcome::RolledBack);
        assert_eq!(reason.as_deref(), Some("check 10-web failed"));
        let still_on_trial = Now { next: Slot::B, in_progress: true, serial: 8 };
        assert_eq!(told(still_on_trial).0, Outcome::None);
    }

    #[test]
    fn a_rollback_that_power_cut_off_is_told_by_what_happened_then() {
        let events = [STARTED, ARMED, Event::Reverting { serial: 8, reason: "asked" }];
        let (outcome, _, reason, _) = told(&events, Now { serial: 10, ..SETTLED });
        assert_eq!(outcome, Outcome::RolledBack);
        assert!(reason.is_some_and(|reason| reason.contains("went back by itself")));
        let kept = Now { next: Slot::B, in_progress: false, serial: 9 };
        assert_eq!(told(&events, kept).0, Outcome::Committed);
    }
}

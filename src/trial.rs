//! The end of an update: commit and rollback by the owner's word, settle by the owner's health
//! checks. Never reboots.

use std::time::Duration;

use twinslot::environment::CopyBuffer;
use twinslot::environment::Environment;
use twinslot::journal::{self, Event};
use twinslot::slot::{Armed, Slot, State, Trial};
use twinslot::update::{self, ArmedBy, Recorded};

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::health::Checks;
use crate::machine::Machine;
use crate::session::{self, Place};
use crate::state::StateDir;
use crate::sys::env::EnvFiles;
use crate::sys::lock::UpdaterLock;
use crate::sys::watchdog::Watchdog;

/// What the records say when a person rolls back.
const ASKED: &str = "rolled back as asked";

/// Room for both copies of the environment.
type Copies = [CopyBuffer; 2];

/// What a decision is made with.
struct Desk<'d, 'm> {
    config: &'d Config,
    environment: &'d mut Environment<'m, EnvFiles>,
    state: &'d mut StateDir,
}

/// What was decided.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// There was nothing to decide: no update is in progress.
    Settled,
    /// There was nothing to decide yet: the slot is armed and was not booted.
    Armed,
    /// The system on trial is kept; these health checks passed.
    Committed { slot: Slot, passed: Vec<String> },
    /// The system on trial is given up: `next` starts with the next boot, which is due.
    RolledBack { given_up: Slot, next: Slot, reason: String },
    /// The slot that was armed is not started.
    Disarmed { slot: Slot, next: Slot },
}

/// What was decided, and whether that could be recorded.
type Decision = Result<(Decided, Recorded), Failure>;

/// Keeps the system on trial.
///
/// # Errors
/// There is none, or the environment cannot be changed.
pub(crate) fn commit(config: &Config, buffers: &mut Copies) -> Result<Decided, Failure> {
    decide(config, buffers, |place, mut desk| match place.state? {
        State::Settled(_) => Err(nothing()),
        State::Armed(_) => {
            let armed = place.booted.other();
            let message = format!("slot {armed} is armed but not booted: reboot into it first");
            Err(Failure::new(Exit::InProgress, "not-on-trial", message))
        }
        State::Trial(trial) => desk.commit((trial, place.booted), Vec::new()),
    })
}

/// Gives up the system on trial, or the one that is armed.
///
/// # Errors
/// There is neither, or the environment cannot be changed.
pub(crate) fn rollback(config: &Config, buffers: &mut Copies) -> Result<Decided, Failure> {
    decide(config, buffers, |place, mut desk| match place.state? {
        State::Settled(_) => Err(nothing()),
        State::Trial(trial) => desk.rollback((trial, place.booted), ASKED),
        State::Armed(armed) => desk.disarm((armed, place.booted)),
    })
}

/// Tests the system on trial; keeps it, or gives it up. A settled board only has told on record
/// how the last attempt ended.
///
/// # Errors
/// The environment cannot be changed.
pub(crate) fn settle(config: &Config, buffers: &mut Copies) -> Result<Decided, Failure> {
    decide(config, buffers, |place, mut desk| {
        let now = place.now();
        match place.state? {
            State::Trial(trial) => desk.settle((trial, place.booted)),
            State::Armed(_) => Ok((Decided::Armed, Ok(()))),
            State::Settled(_) => {
                let journal = desk.state.journal()?;
                let recorded = update::conclude(&session::last(&journal, now), desk.state);
                Ok((Decided::Settled, recorded))
            }
        }
    })
}

fn nothing() -> Failure {
    Failure::new(Exit::NothingInProgress, "nothing-in-progress", "no update in progress")
}

impl Desk<'_, '_> {
    fn commit(&mut self, (trial, slot): (Trial, Slot), passed: Vec<String>) -> Decision {
        let by = armed_by(slot, &self.state.journal().unwrap_or_default());
        let recorded = update::commit(trial, by, self.environment, self.state)?;
        Ok((Decided::Committed { slot, passed }, recorded))
    }

    fn rollback(&mut self, (trial, booted): (Trial, Slot), reason: &str) -> Decision {
        let recorded = update::rollback(trial, reason, self.environment, self.state)?;
        let (next, reason) = (booted.other(), reason.to_owned());
        Ok((Decided::RolledBack { given_up: booted, next, reason }, recorded))
    }

    fn disarm(&mut self, (armed, booted): (Armed, Slot)) -> Decision {
        let recorded = update::disarm(armed, ASKED, self.environment, self.state)?;
        Ok((Decided::Disarmed { slot: booted.other(), next: booted }, recorded))
    }

    /// Runs the health checks, the watchdog fed meanwhile.
    fn settle(&mut self, (trial, booted): (Trial, Slot)) -> Decision {
        let mut watchdog = self.watchdog();
        let timeout = Duration::from_secs(self.config.health_timeout_s);
        let checks = Checks::new(&self.config.health_checks, timeout);
        let result = checks.run(&mut || watchdog.iter_mut().for_each(Watchdog::feed));
        match result {
            Ok(passed) => {
                let decision = self.commit((trial, booted), passed)?;
                if let Some(Err(failure)) = watchdog.map(Watchdog::stop) {
                    log::warn!("{failure}");
                }
                Ok(decision)
            }
            // The watchdog goes on: should the reboot hang, it bites.
            Err(unhealthy) => self.rollback((trial, booted), &unhealthy.to_string()),
        }
    }

    /// A board without a watchdog, or with one that somebody else feeds, is tested all the same.
    fn watchdog(&self) -> Option<Watchdog> {
        Watchdog::start(&self.config.watchdog).unwrap_or_else(|failure| {
            log::warn!("{failure}");
            None
        })
    }
}

/// Whether the last record is that of this program arming `slot`. A way back that was announced
/// and cut off changes nothing about that.
fn armed_by(slot: Slot, journal: &[u8]) -> ArmedBy {
    let events = journal::records(journal).map(|record| record.event);
    match events.filter(|event| !matches!(event, Event::Reverting { .. })).last() {
        Some(Event::Armed { slot: armed, .. }) if armed == slot => ArmedBy::Us,
        _ => ArmedBy::Another,
    }
}

/// Finds where the board is, alone, and lets `step` act on it.
fn decide(
    config: &Config,
    buffers: &mut Copies,
    step: impl FnOnce(Place, Desk<'_, '_>) -> Decision,
) -> Result<Decided, Failure> {
    let machine = Machine::find(config)?;
    let mut state = StateDir::new(&config.state_dir);
    let _lock = lock(&state)?;
    let mut environment = session::environment(&config.fw_env_config, buffers)?;
    // A settled board has told on record how its last attempt ended: from what is durable.
    drop(environment.begin()?);
    let place = Place::find(&machine, &environment)?;
    let desk = Desk { config, environment: &mut environment, state: &mut state };
    let (decided, recorded) = step(place, desk)?;
    if let Err(cause) = recorded {
        log::warn!("done, but not on record: {cause}");
    }
    Ok(decided)
}

/// Makes sure of being alone. A board whose data partition is broken must still be able to
/// decide: it does so without a lock and without records.
fn lock(state: &StateDir) -> Result<Option<UpdaterLock>, Failure> {
    let lock = state.prepare().map_err(Failure::from);
    match lock.and_then(|()| Ok(UpdaterLock::take(state.path())?)) {
        Ok(lock) => Ok(Some(lock)),
        Err(held) if held.exit == Exit::InProgress => Err(held),
        Err(failure) => {
            log::warn!("nothing can be recorded: {}", failure.message);
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[Event<&str>]) -> ArmedBy {
        let journal: String =
            events.iter().map(|event| journal::line(1, *event).to_string()).collect();
        armed_by(Slot::B, journal.as_bytes())
    }

    #[test]
    fn a_way_back_that_was_cut_off_leaves_the_trial_ours() {
        let armed = Event::Armed { slot: Slot::B, serial: 7 };
        let reverting = Event::Reverting { serial: 8, reason: "asked" };
        assert_eq!(told(&[armed]), ArmedBy::Us);
        assert_eq!(told(&[armed, reverting]), ArmedBy::Us);
        assert_eq!(
            told(&[armed, reverting, Event::RolledBack { reason: "asked" }]),
            ArmedBy::Another
        );
        assert_eq!(told(&[Event::Armed { slot: Slot::A, serial: 7 }]), ArmedBy::Another);
        assert_eq!(told(&[]), ArmedBy::Another);
    }
}

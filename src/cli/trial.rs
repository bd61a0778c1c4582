//! The end of an update: `commit` and `rollback` by the owner's word, `settle` by the owner's
//! health checks.

use std::time::Duration;

use twinslot::environment::Environment;
use twinslot::journal::{self, Event};
use twinslot::slot::{Armed, Slot, State, Trial};
use twinslot::update::{self, ArmedBy, Recorded};

use super::args::{After, Common};
use super::exit::{Exit, Failure};
use super::object::{Object, array};
use super::session::{self, Place};
use super::{Report, inspect, warn};
use crate::config::Config;
use crate::health::Checks;
use crate::machine::Machine;
use crate::state::StateDir;
use crate::sys::env::EnvFiles;
use crate::sys::lock::UpdaterLock;
use crate::sys::watchdog::Watchdog;

/// What the records say when a person rolls back.
const ASKED: &str = "rolled back as asked";

/// What a decision is made with.
struct Desk<'d, 'm> {
    config: &'d Config,
    common: &'d Common,
    environment: &'d mut Environment<'m, EnvFiles>,
    state: &'d mut StateDir,
}

/// What was decided, and whether that could be recorded.
type Decision = Result<(Report, Recorded), Failure>;

/// Keeps the system on trial.
pub(crate) fn commit(common: &Common) -> Result<Report, Failure> {
    decide(common, |place, mut desk| match place.state? {
        State::Settled(_) => Err(nothing()),
        State::Armed(_) => {
            let armed = place.booted.other();
            let message = format!("slot {armed} is armed but not booted: reboot into it first");
            Err(Failure::new(Exit::InProgress, "not-on-trial", message))
        }
        State::Trial(trial) => desk.commit((trial, place.booted)),
    })
}

/// Gives up the system on trial, or the one that is armed.
pub(crate) fn rollback(after: After, common: &Common) -> Result<Report, Failure> {
    decide(common, |place, mut desk| match place.state? {
        State::Settled(_) => Err(nothing()),
        State::Trial(trial) => desk.rollback((trial, place.booted), ASKED, after),
        State::Armed(armed) => desk.disarm((armed, place.booted)),
    })
}

/// Tests the system on trial; keeps it, or goes back and reboots. A settled board only has told
/// on record how the last attempt ended.
pub(crate) fn settle(after: After, common: &Common) -> Result<Report, Failure> {
    decide(common, |place, mut desk| {
        let now = place.now();
        match place.state? {
            State::Trial(trial) => desk.settle((trial, place.booted), after),
            State::Armed(_) => {
                Ok((Report::done("armed: nothing to settle\n", Object::default()), Ok(())))
            }
            State::Settled(_) => {
                let journal = desk.state.journal()?;
                let recorded = update::conclude(&session::last(&journal, now), desk.state);
                let report = Report::done("settled\n", Object::default());
                Ok((report, recorded))
            }
        }
    })
}

fn nothing() -> Failure {
    Failure::new(Exit::NothingInProgress, "nothing-in-progress", "no update in progress")
}

impl Desk<'_, '_> {
    fn commit(&mut self, (trial, booted): (Trial, Slot)) -> Decision {
        let by = armed_by(booted, &self.state.journal().unwrap_or_default());
        let recorded = update::commit(trial, by, self.environment, self.state)?;
        let fields = Object::default().text("slot", booted);
        Ok((Report::done(format!("slot {booted} is committed\n"), fields), recorded))
    }

    fn rollback(&mut self, (trial, booted): (Trial, Slot), reason: &str, after: After) -> Decision {
        let recorded = update::rollback(trial, reason, self.environment, self.state)?;
        let old = booted.other();
        let text = format!("slot {booted} is given up: the next boot starts slot {old} again\n");
        let fields = Object::default().text("next", old).text("reason", reason);
        Ok((Report::done(text, fields).then(after), recorded))
    }

    fn disarm(&mut self, (armed, booted): (Armed, Slot)) -> Decision {
        let recorded = update::disarm(armed, ASKED, self.environment, self.state)?;
        let text = format!("slot {} is no longer armed: slot {booted} stays\n", booted.other());
        Ok((Report::done(text, Object::default().text("next", booted)), recorded))
    }

    /// Runs the health checks, the watchdog fed meanwhile.
    fn settle(&mut self, (trial, booted): (Trial, Slot), after: After) -> Decision {
        let mut watchdog = self.watchdog();
        let timeout = Duration::from_secs(self.config.health_timeout_s);
        let checks = Checks::new(&self.config.health_checks, timeout);
        let result = checks.run(&mut || watchdog.iter_mut().for_each(Watchdog::feed));
        match result {
            Ok(passed) => {
                let (report, recorded) = self.commit((trial, booted))?;
                if let Some(Err(failure)) = watchdog.map(Watchdog::stop) {
                    warn(self.common, failure);
                }
                let passed = array(passed.iter().map(twinslot::json::Escaped));
                Ok((Report { fields: report.fields.raw("passed", passed), ..report }, recorded))
            }
            // The watchdog goes on: should the reboot hang, it bites.
            Err(unhealthy) => self.rollback((trial, booted), &unhealthy.to_string(), after),
        }
    }

    /// A board without a watchdog, or with one that somebody else feeds, is tested all the same.
    fn watchdog(&self) -> Option<Watchdog> {
        Watchdog::start(&self.config.watchdog).unwrap_or_else(|failure| {
            warn(self.common, failure);
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
    common: &Common,
    step: impl FnOnce(Place, Desk<'_, '_>) -> Decision,
) -> Result<Report, Failure> {
    let config = session::configuration(common)?;
    let machine = Machine::find(&config)?;
    let mut state = StateDir::new(&config.state_dir);
    let _lock = lock(&state, common)?;
    let buffers = inspect::buffers()?;
    let mut environment = session::environment(&config.fw_env_config, &mut buffers.environment)?;
    // A settled board has told on record how its last attempt ended: from what is durable.
    drop(environment.begin()?);
    let place = Place::find(&machine, &environment)?;
    let desk = Desk { config: &config, common, environment: &mut environment, state: &mut state };
    let (report, recorded) = step(place, desk)?;
    if let Err(cause) = recorded {
        warn(common, format_args!("done, but not on record: {cause}"));
    }
    Ok(report)
}

/// Makes sure of being alone. A board whose data partition is broken must still be able to
/// decide: it does so without a lock and without records.
fn lock(state: &StateDir, common: &Common) -> Result<Option<UpdaterLock>, Failure> {
    let lock = state.prepare().map_err(Failure::from);
    match lock.and_then(|()| Ok(UpdaterLock::take(state.path())?)) {
        Ok(lock) => Ok(Some(lock)),
        Err(held) if held.exit == Exit::InProgress => Err(held),
        Err(failure) => {
            warn(common, format_args!("nothing can be recorded: {}", failure.message));
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

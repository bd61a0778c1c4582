//! `commit` and `rollback`: the end of an update, by the owner's word.

use twinslot::environment::Environment;
use twinslot::journal::{self, Event};
use twinslot::slot::{Armed, Slot, State, Trial};
use twinslot::update::{self, ArmedBy, Recorded};

use super::args::{After, Common};
use super::exit::{Exit, Failure};
use super::object::Object;
use super::session::{self, Place};
use super::{Report, inspect, warn};
use crate::machine::Machine;
use crate::state::StateDir;
use crate::sys::env::EnvFiles;
use crate::sys::lock::UpdaterLock;

/// What the records say when a person rolls back.
const ASKED: &str = "rolled back as asked";

/// Keeps the system on trial.
pub(crate) fn commit(common: &Common) -> Result<Report, Failure> {
    decide(common, |place, environment, state| match place.state {
        State::Settled(_) => Err(nothing()),
        State::Armed(_) => {
            let message = format!(
                "slot {} is armed but was not booted yet: reboot into it first",
                place.booted.other()
            );
            Err(Failure::new(Exit::InProgress, "not-on-trial", message))
        }
        State::Trial(trial) => commit_trial(trial, place.booted, environment, state),
    })
}

fn commit_trial(
    trial: Trial,
    booted: Slot,
    environment: &mut Environment<'_, EnvFiles>,
    state: &mut StateDir,
) -> Result<(Report, Recorded), Failure> {
    let by = armed_by(booted, &state.journal().unwrap_or_default());
    let recorded = update::commit(trial, by, environment, state)?;
    let fields = Object::default().text("slot", booted);
    Ok((Report::done(format!("slot {booted} is committed\n"), fields), recorded))
}

/// Whether the last records are those of this program arming `slot`.
fn armed_by(slot: Slot, journal: &[u8]) -> ArmedBy {
    match journal::records(journal).last().map(|record| record.event) {
        Some(Event::Armed { slot: armed, .. }) if armed == slot => ArmedBy::Us,
        _ => ArmedBy::Another,
    }
}

/// Gives up the system on trial, or the one that is armed.
pub(crate) fn rollback(after: After, common: &Common) -> Result<Report, Failure> {
    decide(common, |place, environment, state| match place.state {
        State::Settled(_) => Err(nothing()),
        State::Trial(trial) => rollback_trial((trial, place.booted), after, environment, state),
        State::Armed(armed) => disarm((armed, place.booted), environment, state),
    })
}

fn rollback_trial(
    (trial, booted): (Trial, Slot),
    after: After,
    environment: &mut Environment<'_, EnvFiles>,
    state: &mut StateDir,
) -> Result<(Report, Recorded), Failure> {
    let recorded = update::rollback(trial, ASKED, environment, state)?;
    let old = booted.other();
    let text = format!("slot {booted} is given up: the next boot starts slot {old} again\n");
    Ok((Report::done(text, Object::default().text("next", old)).then(after), recorded))
}

fn disarm(
    (armed, booted): (Armed, Slot),
    environment: &mut Environment<'_, EnvFiles>,
    state: &mut StateDir,
) -> Result<(Report, Recorded), Failure> {
    let recorded = update::disarm(armed, ASKED, environment, state)?;
    let text = format!("slot {} is no longer armed: slot {booted} stays\n", booted.other());
    Ok((Report::done(text, Object::default().text("next", booted)), recorded))
}

fn nothing() -> Failure {
    Failure::new(Exit::NothingInProgress, "nothing-in-progress", "no update in progress")
}

/// Finds where the board is, alone, and lets `step` act on it.
fn decide(
    common: &Common,
    step: impl FnOnce(
        Place,
        &mut Environment<'_, EnvFiles>,
        &mut StateDir,
    ) -> Result<(Report, Recorded), Failure>,
) -> Result<Report, Failure> {
    let config = session::configuration(common)?;
    let machine = Machine::find(&config)?;
    let mut state = StateDir::new(&config.state_dir);
    // A board whose data partition is broken must still be able to decide.
    let lock = state.prepare().map_err(Failure::from);
    let lock = lock.and_then(|()| Ok(UpdaterLock::take(state.path())?));
    let _lock = match lock {
        Err(held) if held.exit == Exit::InProgress => return Err(held),
        Err(failure) => {
            warn(common, format_args!("nothing can be recorded: {}", failure.message));
            None
        }
        Ok(lock) => Some(lock),
    };
    let buffers = inspect::buffers()?;
    let mut environment = session::environment(&config.fw_env_config, &mut buffers.environment)?;
    let place = Place::find(&machine, &environment)?;
    let (report, recorded) = step(place, &mut environment, &mut state)?;
    if let Err(cause) = recorded {
        warn(common, format_args!("done, but not on record: {cause}"));
    }
    Ok(report)
}

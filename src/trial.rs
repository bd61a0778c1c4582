//! The end of an update: commit and rollback by the owner's word, settle by the owner's health
//! checks, and the artifact's state scripts around them. Never reboots.

use twinslot::environment::CopyBuffer;
use twinslot::environment::Environment;
use twinslot::journal::{self, Event, Journal as _, Verdict};
use twinslot::json::Escaped;
use twinslot::provides::ARTIFACT_NAME;
use twinslot::slot::{Armed, Slot, State, Trial};
use twinslot::update::{self, ArmedBy, Recorded};

use crate::aftermath;
use crate::config::Config;
use crate::contact::Contact;
use crate::failure::{Exit, Failure};
use crate::health::results::{Occasion, Results};
use crate::health::{Checks, complaint};
use crate::machine::Machine;
use crate::object::{Object, array};
use crate::program::{Tend, Wish};
use crate::scripts::State::{
    ArtifactCommit, ArtifactFailure, ArtifactReboot, ArtifactRollback, ArtifactRollbackReboot,
};
use crate::scripts::Transition::{Enter, Error, Leave};
use crate::scripts::{Broken, Kept, Moment, Scripts, Stage, patiently};
use crate::session::{self, Place};
use crate::state::StateDir;
use crate::sys::env::EnvFiles;
use crate::sys::lock::UpdaterLock;
use crate::sys::notify;
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
    /// Of the artifact that the update brought.
    scripts: Scripts<'d>,
    armed_by: ArmedBy,
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

impl Decided {
    /// For an app.
    pub(crate) fn fields(&self) -> Object {
        match self {
            Self::Settled | Self::Armed => Object::default(),
            Self::Committed { slot, passed } => {
                let passed = array(passed.iter().map(Escaped));
                Object::default().text("slot", slot).raw("passed", passed)
            }
            Self::RolledBack { next, reason, .. } => {
                Object::default().text("next", next).text("reason", reason)
            }
            Self::Disarmed { next, .. } => Object::default().text("next", next),
        }
    }
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
        State::Trial(trial) => desk.commit_if_entered((trial, place.booted)),
    })
}

/// Gives up the system on trial, or the one that is armed.
///
/// # Errors
/// There is neither, or the environment cannot be changed.
pub(crate) fn rollback(config: &Config, buffers: &mut Copies) -> Result<Decided, Failure> {
    decide(config, buffers, |place, mut desk| match place.state? {
        State::Settled(_) => Err(nothing()),
        State::Trial(trial) => desk.rollback((trial, place.booted), ASKED, &mut patiently),
        State::Armed(armed) => desk.disarm((armed, place.booted), ASKED),
    })
}

/// Tests the system on trial, with `contact` also that it reaches its server; keeps it, or gives
/// it up. A settled board has the state scripts of an update that was given up finish, and told on
/// record how the last attempt ended.
///
/// # Errors
/// The environment cannot be changed.
pub(crate) fn settle(
    config: &Config,
    buffers: &mut Copies,
    contact: Option<Contact<'_>>,
) -> Result<Decided, Failure> {
    decide(config, buffers, |place, mut desk| {
        let now = place.now();
        match place.state? {
            State::Trial(trial) => desk.settle((trial, place.booted), contact),
            State::Armed(_) => Ok((Decided::Armed, Ok(()))),
            State::Settled(_) => {
                aftermath::finish(desk.config, place.booted, &mut patiently);
                let journal = desk.state.journal()?;
                let recorded = update::conclude(&session::last(&journal, now), desk.state);
                Ok((Decided::Settled, recorded))
            }
        }
    })
}

/// Before a reboot that this program does itself: runs the scripts that come before it, of a slot
/// that is armed or of a system that was given up.
///
/// # Errors
/// A script of the armed slot fails: it is no longer armed, and no reboot is due.
pub(crate) fn before_reboot(config: &Config, buffers: &mut Copies) -> Result<(), Failure> {
    let decided = decide(config, buffers, |place, mut desk| match place.state {
        Ok(State::Armed(armed)) => match desk.step((ArtifactReboot, Enter), &mut patiently) {
            Ok(()) => Ok((Decided::Armed, Ok(()))),
            Err(broken) => {
                let failure = Failure::from(broken);
                let (_, recorded) = desk.disarm((armed, place.booted), &failure.message)?;
                tell(&recorded);
                Err(failure)
            }
        },
        Err(_) => {
            desk.scripts.run_all(&[(ArtifactRollbackReboot, Enter)], &mut patiently);
            Ok((Decided::Settled, Ok(())))
        }
        Ok(State::Settled(_) | State::Trial(_)) => Ok((Decided::Settled, Ok(()))),
    });
    decided.map(drop)
}

fn nothing() -> Failure {
    Failure::new(Exit::NothingInProgress, "nothing-in-progress", "no update in progress")
}

impl Desk<'_, '_> {
    /// Runs the scripts of a moment, and those of its state's error if one fails.
    fn step(&mut self, moment: Moment, tend: Tend<'_>) -> Result<(), Broken> {
        let (state, transition) = moment;
        let done = self.scripts.run(state, transition, tend);
        if done.is_err() {
            self.scripts.run_all(&[(state, Error)], tend);
        }
        done
    }

    /// Commits by the owner's word, unless a script of the artifact's speaks against it.
    fn commit_if_entered(&mut self, (trial, booted): (Trial, Slot)) -> Decision {
        let tend = &mut patiently;
        let mut entered = self.step((ArtifactReboot, Leave), tend);
        if entered.is_ok() {
            entered = self.step((ArtifactCommit, Enter), tend);
        }
        let Err(broken) = entered else { return self.commit((trial, booted), Vec::new(), tend) };
        let failure = Failure::from(broken);
        let (_, recorded) = self.rollback((trial, booted), &failure.message, tend)?;
        tell(&recorded);
        let next = booted.other();
        let message = format!(
            "{}: slot {booted} is given up, the next boot starts slot {next} again",
            failure.message
        );
        Err(Failure { message, ..failure })
    }

    fn commit(
        &mut self,
        (trial, slot): (Trial, Slot),
        passed: Vec<String>,
        tend: Tend<'_>,
    ) -> Decision {
        let committed = update::commit(trial, self.armed_by, self.environment, self.state);
        if committed.is_err() {
            self.scripts.run_all(&[(ArtifactCommit, Error)], tend);
        }
        let recorded = committed?;
        self.scripts.run_all(&[(ArtifactCommit, Leave)], tend);
        self.scripts.forget(slot);
        Ok((Decided::Committed { slot, passed }, recorded))
    }

    fn rollback(
        &mut self,
        (trial, booted): (Trial, Slot),
        reason: &str,
        tend: Tend<'_>,
    ) -> Decision {
        self.scripts.run_all(&[(ArtifactRollback, Enter)], tend);
        let recorded = update::rollback(trial, reason, self.environment, self.state)?;
        self.scripts.run_all(&[(ArtifactRollback, Leave)], tend);
        self.scripts.go_on(Stage::GivenUp);
        let (next, reason) = (booted.other(), reason.to_owned());
        Ok((Decided::RolledBack { given_up: booted, next, reason }, recorded))
    }

    fn disarm(&mut self, (armed, booted): (Armed, Slot), reason: &str) -> Decision {
        let tend = &mut patiently;
        self.scripts.run_all(&[(ArtifactRollback, Enter)], tend);
        let recorded = update::disarm(armed, reason, self.environment, self.state)?;
        let rest = [(ArtifactRollback, Leave), (ArtifactFailure, Enter), (ArtifactFailure, Leave)];
        self.scripts.run_all(&rest, tend);
        self.scripts.forget(booted.other());
        Ok((Decided::Disarmed { slot: booted.other(), next: booted }, recorded))
    }

    /// Runs scripts and health checks and reaches the server, the watchdog fed meanwhile.
    fn settle(&mut self, (trial, booted): (Trial, Slot), contact: Option<Contact<'_>>) -> Decision {
        let mut watchdog = self.watchdog();
        let mut tend = || {
            watchdog.iter_mut().for_each(Watchdog::feed);
            notify::beat();
            Wish::GoOn
        };
        match self.examine((booted, contact), &mut tend) {
            Ok(passed) => {
                let decision = self.commit((trial, booted), passed, &mut tend)?;
                if let Some(Err(failure)) = watchdog.map(Watchdog::stop) {
                    log::warn!("{failure}");
                }
                Ok(decision)
            }
            // The watchdog goes on: should the reboot hang, it bites.
            Err(reason) => self.rollback((trial, booted), &reason, &mut tend),
        }
    }

    /// All that must go well on a trial; returns the health checks that passed.
    ///
    /// # Errors
    /// Why the system is not kept.
    fn examine(
        &mut self,
        (booted, contact): (Slot, Option<Contact<'_>>),
        tend: Tend<'_>,
    ) -> Result<Vec<String>, String> {
        self.step((ArtifactReboot, Leave), tend).map_err(|broken| broken.to_string())?;
        let passed = self.check(booted, tend)?;
        if let Some(contact) = contact {
            contact.make(tend).map_err(|cut| cut.to_string())?;
        }
        self.step((ArtifactCommit, Enter), tend).map_err(|broken| broken.to_string())?;
        Ok(passed)
    }

    fn check(&mut self, booted: Slot, tend: Tend<'_>) -> Result<Vec<String>, String> {
        let mut checks = Checks::new(self.config).run(tend)?;
        let artifact = artifact_in(booted, self.state).unwrap_or_default();
        if let Some(before) = self.before(booted, &artifact) {
            before.excuse(&mut checks);
        }
        for check in &checks {
            if let Err(cause) = self.state.append(Event::Ran(check.record())) {
                log::warn!("a health check is not on record: {cause}");
            }
        }
        let results = Results { slot: booted, artifact, checks };
        if let Err(failure) = results.keep(Occasion::Trial, self.state) {
            log::warn!("{failure}");
        }
        match complaint(&results.checks) {
            Some(reason) => Err(reason),
            None => {
                let all = results.checks.into_iter();
                let passed = all.filter(|check| check.verdict == Verdict::Passed);
                Ok(passed.map(|check| check.name).collect())
            }
        }
    }

    /// What the checks said before this very update, where that counts.
    fn before(&self, booted: Slot, artifact: &str) -> Option<Results> {
        if !self.config.health_baseline || self.armed_by != ArmedBy::Us {
            return None;
        }
        let found = Results::find(Occasion::Before, self.state).unwrap_or_else(|error| {
            log::warn!("no baseline: {error}");
            None
        });
        found.filter(|before| before.slot == booted && before.artifact == artifact)
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
    let events = journal::records(journal).map(|record| record.event).filter(Event::is_step);
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
    let (scripts, armed_by) = update_in(config, &place, &state);
    let desk = Desk { config, environment: &mut environment, state: &mut state, scripts, armed_by };
    let (decided, recorded) = step(place, desk)?;
    tell(&recorded);
    Ok(decided)
}

fn tell(recorded: &Recorded) {
    if let Err(cause) = recorded {
        log::warn!("done, but not on record: {cause}");
    }
}

/// The scripts of the update in progress, and who armed its slot. Scripts that came in another
/// artifact than the one that is there now are none of its.
fn update_in<'c>(config: &'c Config, place: &Place, state: &StateDir) -> (Scripts<'c>, ArmedBy) {
    let slot = match place.state {
        Ok(State::Trial(_)) | Err(_) => place.booted,
        Ok(State::Armed(_)) => place.booted.other(),
        Ok(State::Settled(_)) => return (Scripts::new(config), ArmedBy::Another),
    };
    let armed_by = armed_by(slot, &state.journal().unwrap_or_default());
    let scripts = Scripts::of(config, slot);
    let is_ours = |kept: &Kept| {
        let given_up = place.state.is_err() && kept.stage() == Stage::GivenUp;
        (given_up || armed_by == ArmedBy::Us)
            && artifact_in(slot, state).is_some_and(|name| name == kept.artifact())
    };
    let is_ours = scripts.kept().is_some_and(is_ours);
    (if is_ours { scripts } else { Scripts::new(config) }, armed_by)
}

/// The name of the artifact that an update put into `slot`.
fn artifact_in(slot: Slot, state: &StateDir) -> Option<String> {
    let recorded = state.recorded(slot).unwrap_or_else(|error| {
        log::warn!("{error}");
        None
    });
    recorded?.get(ARTIFACT_NAME).map(str::to_owned)
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

//! `commit`, `rollback` and `settle`: what was decided, as it is said.

use super::Report;
use super::args::{After, Common};
use crate::failure::Failure;
use crate::probation;
use crate::session;
use crate::trial::{self, Decided};

/// Keeps the system on trial.
pub(crate) fn commit(common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let decided = trial::commit(&config, &mut session::buffers()?.environment)?;
    Ok(report(&decided, After::Nothing))
}

/// Gives up the system on trial, or the one that is armed.
pub(crate) fn rollback(after: After, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let environment = &mut session::buffers()?.environment;
    let decided = trial::rollback(&config, environment)?;
    leave(&decided, after, &mut || trial::before_reboot(&config, environment));
    Ok(report(&decided, after))
}

/// Tests the system on trial; keeps it, or goes back and reboots.
pub(crate) fn settle(after: After, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let environment = &mut session::buffers()?.environment;
    let decided = probation::settle(&config, environment)?;
    leave(&decided, after, &mut || trial::before_reboot(&config, environment));
    Ok(report(&decided, after))
}

/// Does what comes before the reboot that `after` asks for, if one is due. Nothing keeps a system
/// that was given up from going.
fn leave(decided: &Decided, after: After, before: &mut dyn FnMut() -> Result<(), Failure>) {
    if after != After::Reboot || !matches!(decided, Decided::RolledBack { .. }) {
        return;
    }
    if let Err(failure) = before() {
        log::warn!("{}", failure.message);
    }
}

/// Only a system that is left needs the reboot that `after` is about.
fn report(decided: &Decided, after: After) -> Report {
    let text = match decided {
        Decided::Settled => "settled\n".to_owned(),
        Decided::Armed => "armed: nothing to settle\n".to_owned(),
        Decided::Committed { slot, .. } => format!("slot {slot} is committed\n"),
        Decided::RolledBack { given_up, next, .. } => {
            format!("slot {given_up} is given up: the next boot starts slot {next} again\n")
        }
        Decided::Disarmed { slot, next } => {
            format!("slot {slot} is no longer armed: slot {next} stays\n")
        }
    };
    let report = Report::done(text, decided.fields());
    match decided {
        Decided::RolledBack { .. } => report.then(after),
        _ => report,
    }
}

//! `commit`, `rollback` and `settle`: what was decided, as it is said.

use twinslot::json::Escaped;

use super::Report;
use super::args::{After, Common};
use crate::failure::Failure;
use crate::object::{Object, array};
use crate::session;
use crate::trial::{self, Decided};

/// Keeps the system on trial.
pub(crate) fn commit(common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let decided = trial::commit(&config, &mut session::buffers()?.environment)?;
    Ok(report(decided, After::Nothing))
}

/// Gives up the system on trial, or the one that is armed.
pub(crate) fn rollback(after: After, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let environment = &mut session::buffers()?.environment;
    let decided = trial::rollback(&config, environment)?;
    leave(&decided, after, &mut || trial::before_reboot(&config, environment));
    Ok(report(decided, after))
}

/// Tests the system on trial; keeps it, or goes back and reboots.
pub(crate) fn settle(after: After, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let environment = &mut session::buffers()?.environment;
    let decided = trial::settle(&config, environment)?;
    leave(&decided, after, &mut || trial::before_reboot(&config, environment));
    Ok(report(decided, after))
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
fn report(decided: Decided, after: After) -> Report {
    match decided {
        Decided::Settled => Report::done("settled\n", Object::default()),
        Decided::Armed => Report::done("armed: nothing to settle\n", Object::default()),
        Decided::Committed { slot, passed } => {
            let fields = Object::default().text("slot", slot);
            let fields = fields.raw("passed", array(passed.iter().map(Escaped)));
            Report::done(format!("slot {slot} is committed\n"), fields)
        }
        Decided::RolledBack { given_up, next, reason } => {
            let text =
                format!("slot {given_up} is given up: the next boot starts slot {next} again\n");
            let fields = Object::default().text("next", next).text("reason", reason);
            Report::done(text, fields).then(after)
        }
        Decided::Disarmed { slot, next } => {
            let text = format!("slot {slot} is no longer armed: slot {next} stays\n");
            Report::done(text, Object::default().text("next", next))
        }
    }
}

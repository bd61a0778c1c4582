//! `why`: what was tried, what happened, and how the last attempt ended.

use std::fmt::Write as _;

use super::Report;
use super::args::{Common, Scope};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::session::{self, Place};
use crate::state::StateDir;
use crate::why;

/// Tells what happened.
pub(crate) fn run(scope: Scope, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let journal = StateDir::new(&config.state_dir).journal()?;
    let machine = Machine::find(&config)?;
    let buffers = session::buffers()?;
    let environment = session::environment(&config.fw_env_config, &mut buffers.environment)?;
    let place = Place::find(&machine, &environment)?;
    let last = session::last(&journal, place.now());
    let (mut text, records) = match scope {
        Scope::All => why::records(&journal),
        Scope::Last => Default::default(),
    };
    // Writing to a String does not fail.
    let _ = writeln!(text, "last: {}", why::summary(&last));
    Ok(Report::done(text, why::answer(&last, records)))
}

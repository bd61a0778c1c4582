//! `daemon`: runs until it is told to end.

use super::Report;
use super::args::Common;
use super::install::OWN_BYTES;
use crate::failure::Failure;
use crate::object::Object;
use crate::sys::heap;
use crate::{daemon, logger, session};

/// Serves the board. What it does, its log tells: to the kernel's too.
pub(crate) fn run(common: &Common) -> Result<Report, Failure> {
    logger::listen(common.verbosity.saturating_add(1));
    logger::tell_kernel();
    let config = session::configuration(common.config.as_deref())?;
    heap::set_ceiling(config.memory_max_bytes.saturating_add(OWN_BYTES));
    daemon::run(&config)?;
    Ok(Report::done("", Object::default()))
}

//! `check`: whether an update waits. Never installs.

use super::Report;
use super::args::Common;
use crate::check::Prompt;
use crate::failure::{Exit, Failure};
use crate::net::http::Stop;
use crate::sys::signal;
use crate::{servers, session, status};

/// Asks the server; exit 3 says that nothing waits.
pub(crate) fn run(common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let mut server = servers::connect(&config, Stop::new(signal::requested))?;
    let running = status::running(&config, &mut session::buffers()?.environment)?;
    let prompt = Prompt::ask(&mut *server, &config, &running)?;
    let report = Report::done(prompt.text(), prompt.fields());
    let exit = if prompt.offered.is_some() { report.exit } else { Exit::NothingWaits };
    Ok(Report { exit, ..report })
}

//! `status`, `show-artifact`, `show-provides`.

use twinslot::provides::ARTIFACT_NAME;

use super::Report;
use super::args::Common;
use crate::failure::Failure;
use crate::object::Object;
use crate::session;
use crate::status::{self, Status};

/// Everything at once.
pub(crate) fn run(common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let status = Status::find(&config, &mut session::buffers()?.environment)?;
    Ok(Report::done(status.text(), status.fields()))
}

/// The running system's artifact name.
pub(crate) fn show_artifact(common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let provides = status::running(&config, &mut session::buffers()?.environment)?;
    let name = provides.get(ARTIFACT_NAME).unwrap_or("unknown");
    Ok(Report::done(format!("{name}\n"), Object::default().text("artifact_name", name)))
}

/// Everything the running system provides, a line `KEY=VALUE` each.
pub(crate) fn show_provides(common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let provides = status::running(&config, &mut session::buffers()?.environment)?;
    let object = Object::default().raw("provides", status::provides(&provides));
    Ok(Report::done(provides.as_str(), object))
}

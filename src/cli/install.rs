//! `install`: where the artifact comes from, how progress is shown, and what is said at the end.

use std::ffi::OsStr;

use super::Report;
use super::args::{After, Common};
use super::input::Input;
use super::show::Show;
use crate::failure::{Exit, Failure};
use crate::installer::{self, Done, Order, Resume};
use crate::net::download::Tally;
use crate::object::Object;
use crate::session;
use crate::sys::{heap, signal};
use crate::trial;

/// What the program itself allocates at most besides what an artifact asks for, in bytes.
pub(super) const OWN_BYTES: u64 = 4 << 20;

/// Verifies, writes, reads back and arms.
pub(crate) fn run(source: &OsStr, after: After, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    heap::set_ceiling(config.memory_max_bytes.saturating_add(OWN_BYTES));
    signal::listen().map_err(|cause| Failure::new(Exit::Failed, "internal", cause))?;
    let mut show = Show::new(common.progress);
    let input = Input::open(source, &config)?;
    let told = input.told();
    let order = Order {
        config: &config,
        resume: if input.skips() { Resume::Possible } else { Resume::Pointless },
        input,
        reason: &|| told.failure(),
        progress: &mut show,
        stop: &signal::requested,
        expected_name: None,
    };
    let buffers = session::buffers()?;
    let done = installer::install(order, buffers);
    show.end();
    let done = done?;
    if after == After::Reboot && done.slot.is_some() {
        trial::before_reboot(&config, &mut buffers.environment)?;
    }
    Ok(report(&done, told.tally(), after))
}

fn report(done: &Done, tally: Option<Tally>, after: After) -> Report {
    let heap = Object::default()
        .raw("allocations_while_writing", done.allocations)
        .raw("peak_bytes", heap::tally().peak_bytes);
    let fields = Object::default()
        .text("artifact_name", &done.artifact_name)
        .text_or_null("slot", done.slot)
        .raw("download", tally.map_or("null".to_owned(), |tally| download(tally).to_string()))
        .raw("resumed_bytes", done.resumed_bytes)
        .raw("heap", heap);
    let name = &done.artifact_name;
    let Some(slot) = done.slot else {
        return Report::done(format!("{name}: no system in it; installed and committed\n"), fields);
    };
    let text = format!(
        "{name} is in slot {slot}, verified and armed: the next boot tries it.\n\
         then 'twinslot commit' keeps it, 'twinslot rollback' gives it up\n"
    );
    Report::done(text, fields).then(after)
}

fn download(tally: Tally) -> Object {
    Object::default()
        .raw("received_bytes", tally.received_bytes)
        .raw("wasted_bytes", tally.wasted_bytes)
        .raw("resumes", tally.resumes)
}

//! The command line's other side: what is meant becomes steps of the core and a report.

mod args;
mod check;
mod daemon;
mod environment;
mod input;
mod inspect;
mod install;
mod show;
mod status;
mod trial;
mod why;

use std::ffi::OsString;
use std::io::Write as _;

use crate::events;
use crate::failure::{Exit, Failure};
use crate::logger;
use crate::object::Object;
use args::{After, Command, Common, Invocation, Output, ProgressStyle};

/// What a command that did its work has to say.
#[derive(Debug)]
pub(crate) struct Report {
    exit: Exit,
    /// For a person; empty to say nothing.
    text: String,
    /// For an app.
    fields: Object,
    /// What follows once it is said.
    after: After,
}

impl Report {
    fn done(text: impl Into<String>, fields: Object) -> Self {
        Self { exit: Exit::Done, text: text.into(), fields, after: After::Nothing }
    }

    /// The step needs a reboot, and `after` says what to do about it.
    fn then(self, after: After) -> Self {
        let exit = if after == After::ExitCode { Exit::RebootNeeded } else { self.exit };
        Self { exit, after, ..self }
    }
}

/// Does what the arguments say.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Exit {
    let invocation = match args::parse(args) {
        Ok(invocation) => invocation,
        Err(error) => {
            let failure = Failure::new(Exit::Usage, "usage", error);
            return emit(Err(failure), &Common::default());
        }
    };
    let Invocation { command, common } = invocation;
    logger::listen(common.verbosity);
    let result = dispatch(command, &common);
    let after = result.as_ref().map_or(After::Nothing, |report| report.after);
    let exit = emit(result, &common);
    if after == After::Reboot {
        return reboot(exit);
    }
    exit
}

/// Returns only if the system does not go down.
fn reboot(exit: Exit) -> Exit {
    match crate::sys::reboot::restart() {
        Ok(never) => match never {},
        Err(cause) => {
            log::error!("cannot reboot: {cause}");
            if exit == Exit::Done { Exit::Failed } else { exit }
        }
    }
}

fn dispatch(command: Command, common: &Common) -> Result<Report, Failure> {
    match command {
        Command::Install { source, after } => install::run(&source, after, common),
        Command::Commit => trial::commit(common),
        Command::Rollback { after } => trial::rollback(after, common),
        Command::Settle { after } => trial::settle(after, common),
        Command::Daemon => daemon::run(common),
        Command::Status => status::run(common),
        Command::Why { scope } => why::run(scope, common),
        Command::Check => check::run(common),
        Command::Inspect { source } => inspect::run(&source, common),
        Command::EnvPrint { names, style } => environment::print(&names, style, common),
        Command::EnvSet { changes } => environment::set(changes, common),
        Command::EnvCheck => environment::check(common),
        Command::EnvRepair => environment::repair(common),
        Command::ShowArtifact => status::show_artifact(common),
        Command::ShowProvides => status::show_provides(common),
        Command::Help => Ok(Report::done(HELP, Object::default())),
        Command::Version => {
            let version = env!("CARGO_PKG_VERSION");
            Ok(Report::done(
                format!("twinslot {version}\n"),
                Object::default().text("version", version),
            ))
        }
    }
}

/// Prints the outcome: text for a person on standard output, errors on standard error, or the one
/// JSON object that an app reads.
fn emit(result: Result<Report, Failure>, common: &Common) -> Exit {
    let events = common.progress == ProgressStyle::Json;
    let head = if events { Object::default().text("event", "result") } else { Object::default() };
    let wants_json = events || common.output == Output::Json;
    match result {
        Ok(report) if wants_json => {
            show::print(format_args!(
                "{}",
                head.raw("exit", report.exit.number()).and(&report.fields)
            ));
            report.exit
        }
        Ok(report) => {
            // A reader that went away is no reason to fail.
            let _ = std::io::stdout().write_all(report.text.as_bytes());
            report.exit
        }
        Err(failure) => {
            show::tell(format_args!("twinslot: {}\n", failure.message));
            if wants_json {
                let object = head.raw("exit", failure.exit.number());
                let object = object.raw("error", events::error(&failure));
                show::print(format_args!("{object}"));
            }
            failure.exit
        }
    }
}

const HELP: &str = include_str!("cli/help.txt");

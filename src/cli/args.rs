//! The command line: what was typed becomes what is meant. Says nothing else and does nothing.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use lexopt::{Arg, Error, Parser, ValueExt as _};

mod tools;

/// What is meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) command: Command,
    pub(crate) common: Common,
}

/// Options of every command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Common {
    pub(crate) config: Option<PathBuf>,
    /// In place of the configuration's `FwEnvConfig` (`fw_printenv -c`).
    pub(crate) fw_env_config: Option<PathBuf>,
    pub(crate) output: Output,
    pub(crate) progress: ProgressStyle,
    /// Steps louder (`-v`) less steps quieter (`-q`).
    pub(crate) verbosity: i8,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Output {
    /// For a person.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProgressStyle {
    /// A bar when standard error is a terminal.
    #[default]
    Auto,
    Bar,
    Json,
    None,
}

/// A verb and what belongs to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Install { source: OsString, after: After },
    Commit,
    Rollback { after: After },
    Settle { after: After },
    Daemon,
    Status,
    Why { scope: Scope },
    Inspect { source: OsString },
    Check,
    EnvPrint { names: Vec<String>, style: PrintStyle },
    EnvSet { changes: Changes },
    EnvCheck,
    EnvRepair,
    ShowArtifact,
    ShowProvides,
    Help,
    Version,
}

/// Variables to set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Changes {
    /// Each with its value; an empty one deletes.
    Given(Vec<(String, String)>),
    /// A line each in this file, `-` for standard input (`fw_setenv -s`).
    Script(PathBuf),
}

/// What follows a step that needs a reboot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum After {
    /// Exit 0; the caller reboots when it wants.
    #[default]
    Nothing,
    /// Reboot.
    Reboot,
    /// Exit 4.
    ExitCode,
}

/// How much `why` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    #[default]
    All,
    Last,
}

/// How variables are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PrintStyle {
    #[default]
    Pairs,
    /// Only the value (`fw_printenv -n`).
    ValueOnly,
}

/// Parses the arguments, the program's own name first: it may be one of U-Boot's tools.
pub(crate) fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Invocation, Error> {
    let program = args.next().map(PathBuf::from).unwrap_or_default();
    let parser = Parser::from_args(args);
    match program.file_name().and_then(OsStr::to_str) {
        Some("fw_printenv") => tools::printenv(parser),
        Some("fw_setenv") => tools::setenv(parser),
        _ => verb(parser),
    }
}

fn verb(mut parser: Parser) -> Result<Invocation, Error> {
    let mut typed = Typed::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('h') | Arg::Long("help") => return Ok(typed.common.then(Command::Help)),
            Arg::Short('V') | Arg::Long("version") => {
                return Ok(typed.common.then(Command::Version));
            }
            Arg::Long("config") => typed.common.config = Some(parser.value()?.into()),
            Arg::Long("json") => typed.common.output = Output::Json,
            Arg::Long("progress") => typed.common.progress = style(&parser.value()?.string()?)?,
            Arg::Short('v') => typed.common.verbosity = typed.common.verbosity.saturating_add(1),
            Arg::Short('q') => typed.common.verbosity = typed.common.verbosity.saturating_sub(1),
            Arg::Long("reboot") => typed.after = Some(After::Reboot),
            Arg::Long("reboot-exit-code") => typed.after = Some(After::ExitCode),
            Arg::Long("last") => typed.scope = Some(Scope::Last),
            Arg::Value(word) => typed.words.push_back(word),
            other => return Err(other.unexpected()),
        }
    }
    typed.invocation()
}

fn style(word: &str) -> Result<ProgressStyle, Error> {
    match word {
        "auto" => Ok(ProgressStyle::Auto),
        "bar" => Ok(ProgressStyle::Bar),
        "json" => Ok(ProgressStyle::Json),
        "none" => Ok(ProgressStyle::None),
        other => Err(format!("--progress {other}: wanted auto, bar, json or none").into()),
    }
}

impl Common {
    fn then(self, command: Command) -> Invocation {
        Invocation { command, common: self }
    }
}

/// Everything typed, in no order; a command takes what it knows, and nothing may be left.
#[derive(Default)]
struct Typed {
    common: Common,
    words: VecDeque<OsString>,
    after: Option<After>,
    scope: Option<Scope>,
}

impl Typed {
    fn invocation(mut self) -> Result<Invocation, Error> {
        let Some(verb) = self.word()? else { return Ok(self.common.then(Command::Help)) };
        let command = self.command(&verb)?;
        self.nothing_left(&verb)?;
        Ok(self.common.then(command))
    }

    fn command(&mut self, verb: &str) -> Result<Command, Error> {
        Ok(match verb {
            "install" => Command::Install {
                source: self.source("install")?,
                after: self.after.take().unwrap_or_default(),
            },
            "commit" => Command::Commit,
            "rollback" => Command::Rollback { after: self.after.take().unwrap_or_default() },
            // Unattended: a system that is given up is left at once.
            "settle" => Command::Settle { after: self.after.take().unwrap_or(After::Reboot) },
            "daemon" => Command::Daemon,
            "status" => Command::Status,
            "why" => Command::Why { scope: self.scope.take().unwrap_or_default() },
            "inspect" => Command::Inspect { source: self.source("inspect")? },
            "check" => Command::Check,
            "env" => self.env()?,
            "show-artifact" => Command::ShowArtifact,
            "show-provides" => Command::ShowProvides,
            "help" => Command::Help,
            other => return Err(format!("unknown command {other}; see twinslot --help").into()),
        })
    }

    fn env(&mut self) -> Result<Command, Error> {
        match self.word()?.as_deref() {
            Some("print") => {
                Ok(Command::EnvPrint { names: self.texts()?, style: PrintStyle::Pairs })
            }
            Some("set") => {
                let pairs = self.texts()?.iter().map(|word| change(word)).collect::<Result<_, _>>();
                Ok(Command::EnvSet { changes: Changes::Given(pairs?) })
            }
            Some("check") => Ok(Command::EnvCheck),
            Some("repair") => Ok(Command::EnvRepair),
            Some(other) => Err(format!("env {other}: {ENV_VERBS}").into()),
            None => Err(format!("env: {ENV_VERBS}").into()),
        }
    }

    fn source(&mut self, verb: &str) -> Result<OsString, Error> {
        self.words.pop_front().ok_or_else(|| format!("{verb}: which file? (- reads stdin)").into())
    }

    fn word(&mut self) -> Result<Option<String>, Error> {
        self.words.pop_front().map(|word| word.string()).transpose()
    }

    fn texts(&mut self) -> Result<Vec<String>, Error> {
        self.words.drain(..).map(|word| word.string()).collect()
    }

    fn nothing_left(&mut self, verb: &str) -> Result<(), Error> {
        if let Some(word) = self.words.pop_front() {
            return Err(format!("{verb}: unexpected argument {}", word.display()).into());
        }
        match (self.after, self.scope) {
            (None, None) => Ok(()),
            _ => {
                Err(format!("{verb} takes neither --reboot, --reboot-exit-code nor --last").into())
            }
        }
    }
}

const ENV_VERBS: &str = "wanted print, set, check or repair";

/// `NAME=VALUE`; an empty value deletes.
fn change(word: &str) -> Result<(String, String), Error> {
    match word.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("env set {word}: wanted NAME=VALUE").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, String> {
        parse(line.split(' ').map(OsString::from)).map_err(|error| error.to_string())
    }

    fn command(line: &str) -> Command {
        parsed(line).map_or_else(|error| panic!("{line}: {error}"), |typed| typed.command)
    }

    #[test]
    fn options_stand_before_or_after_the_verb() {
        for line in ["twinslot --json status", "twinslot status --json"] {
            let typed = parsed(line).map(|typed| (typed.command, typed.common.output));
            assert_eq!(typed, Ok((Command::Status, Output::Json)));
        }
    }

    #[test]
    fn install_takes_one_source_and_says_what_follows() {
        let source = || "-".into();
        let install = |after| Command::Install { source: source(), after };
        assert_eq!(command("twinslot install -"), install(After::Nothing));
        assert_eq!(command("twinslot install --reboot -"), install(After::Reboot));
        assert_eq!(command("twinslot install - --reboot-exit-code"), install(After::ExitCode));
        for wrong in ["twinslot install", "twinslot install a b", "twinslot status --reboot"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn env_set_wants_names_with_values() {
        let pairs = vec![("a".into(), "1=2".into()), ("b".into(), String::new())];
        let expected = Command::EnvSet { changes: Changes::Given(pairs) };
        assert_eq!(command("twinslot env set a=1=2 b="), expected);
        assert!(parsed("twinslot env set a").is_err());
        assert!(parsed("twinslot env").is_err());
    }

    #[test]
    fn under_the_names_of_u_boots_tools_it_takes_their_options() {
        let printed = command("/usr/bin/fw_printenv -n -c /etc/x bootcount");
        let names = vec!["bootcount".into()];
        assert_eq!(printed, Command::EnvPrint { names, style: PrintStyle::ValueOnly });
        let given = |pair: (&str, &str)| Command::EnvSet {
            changes: Changes::Given(vec![(pair.0.into(), pair.1.into())]),
        };
        assert_eq!(command("fw_setenv bootcmd run -x y"), given(("bootcmd", "run -x y")));
        assert_eq!(command("fw_setenv gone"), given(("gone", "")));
        let script = Command::EnvSet { changes: Changes::Script("-".into()) };
        assert_eq!(command("fw_setenv -s -"), script);
        assert!(parsed("fw_setenv").is_err());
    }
}

//! The command lines of U-Boot's own tools, which this program replaces under their names. The
//! options of both families (u-boot-tools, libubootenv) are understood.

use lexopt::{Arg, Error, Parser, ValueExt as _};

use super::{Changes, Command, Common, Invocation, PrintStyle};

/// `fw_printenv [-c CONFIG] [-n] [NAME..]`
pub(super) fn printenv(mut parser: Parser) -> Result<Invocation, Error> {
    let (mut common, mut names, mut style) = (Common::default(), Vec::new(), PrintStyle::default());
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('n') | Arg::Long("noheader" | "no-header") => style = PrintStyle::ValueOnly,
            Arg::Value(name) => names.push(name.string()?),
            other => {
                let option = Shared::of(other)?;
                if let Some(command) = option.take(&mut parser, &mut common)? {
                    return Ok(common.then(command));
                }
            }
        }
    }
    Ok(common.then(Command::EnvPrint { names, style }))
}

/// `fw_setenv [-c CONFIG] [-s SCRIPT | NAME [VALUE..]]`; no value deletes, several are joined by
/// blanks.
pub(super) fn setenv(mut parser: Parser) -> Result<Invocation, Error> {
    let (mut common, mut words, mut script) = (Common::default(), Vec::new(), None);
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Short('s') | Arg::Long("script") => script = Some(parser.value()?.into()),
            Arg::Value(word) => {
                words.push(word.string()?);
                // What follows the name is value, also where it looks like an option.
                for raw in parser.raw_args()? {
                    words.push(raw.string()?);
                }
            }
            other => {
                let option = Shared::of(other)?;
                if let Some(command) = option.take(&mut parser, &mut common)? {
                    return Ok(common.then(command));
                }
            }
        }
    }
    let changes = match (script, words.split_first()) {
        (Some(script), None) => Changes::Script(script),
        (None, Some((name, values))) => Changes::Given(vec![(name.clone(), values.join(" "))]),
        (Some(_), Some((name, _))) => {
            return Err(format!("{name}: wanted a script or a name, not both").into());
        }
        (None, None) => return Err("wanted a name and a value, or -s SCRIPT".into()),
    };
    Ok(common.then(Command::EnvSet { changes }))
}

/// Options of both tools.
#[derive(Clone, Copy)]
enum Shared {
    Config,
    /// A default environment (`-f`) and a lock directory (`-l`) are accepted and not used: there
    /// is no default environment here, and both tools' locks are held anyway.
    Unused,
    Help,
    Version,
}

impl Shared {
    fn of(arg: Arg<'_>) -> Result<Self, Error> {
        Ok(match arg {
            Arg::Short('c') | Arg::Long("config") => Self::Config,
            Arg::Short('l' | 'f') | Arg::Long("lock" | "defenv") => Self::Unused,
            Arg::Short('h') | Arg::Long("help") => Self::Help,
            Arg::Short('V') | Arg::Long("version") => Self::Version,
            other => return Err(other.unexpected()),
        })
    }

    fn take(self, parser: &mut Parser, common: &mut Common) -> Result<Option<Command>, Error> {
        match self {
            Self::Config => common.fw_env_config = Some(parser.value()?.into()),
            Self::Unused => drop(parser.value()?),
            Self::Help => return Ok(Some(Command::Help)),
            Self::Version => return Ok(Some(Command::Version)),
        }
        Ok(None)
    }
}

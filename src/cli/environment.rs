//! `env`, and this program under the names of U-Boot's own tools.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use twinslot::environment::Environment;
use uboot_env::Which;

use super::Report;
use super::args::{Changes, Common, PrintStyle};
use crate::failure::{Exit, Failure};
use crate::object::{Object, array};
use crate::status::copy;
use crate::sys::env::EnvFiles;
use crate::{session, sys};

/// The longest script, in bytes: an environment's worth of lines, and comments.
const SCRIPT_BYTES: u64 = 1 << 20;

/// The environment of the configuration, or of the file that was named.
fn open(common: &Common) -> Result<Environment<'static, EnvFiles>, Failure> {
    let buffers = &mut session::buffers()?.environment;
    match &common.fw_env_config {
        Some(path) => session::environment(path, buffers),
        None => {
            let config = session::configuration(common.config.as_deref())?;
            session::environment(&config.fw_env_config, buffers)
        }
    }
}

/// Prints variables: all, or those named.
pub(crate) fn print(
    names: &[String],
    style: PrintStyle,
    common: &Common,
) -> Result<Report, Failure> {
    let environment = open(common)?;
    let (_, current) = environment.current()?;
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (mut text, mut object) = (String::new(), Object::default());
    let mut put = |name: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = match style {
            PrintStyle::Pairs => writeln!(text, "{name}={value}"),
            PrintStyle::ValueOnly => writeln!(text, "{value}"),
        };
        object = std::mem::take(&mut object).text(name, value);
    };
    if names.is_empty() {
        for (name, value) in current.vars() {
            put(&lossy(name), &lossy(value));
        }
    }
    for name in names {
        let value = current.get(name).ok_or_else(|| {
            let message = format!("the environment has no variable {name:?}");
            Failure::new(Exit::Failed, "no-such-variable", message)
        })?;
        put(name, &lossy(value));
    }
    Ok(Report::done(text, Object::default().raw("variables", object)))
}

/// Sets variables, all in one write.
pub(crate) fn set(changes: Changes, common: &Common) -> Result<Report, Failure> {
    let changes = match changes {
        Changes::Given(changes) => changes,
        Changes::Script(path) => script(&text(&path)?),
    };
    if changes.is_empty() {
        return Ok(Report::done("", Object::default()));
    }
    let changes: Vec<_> =
        changes.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))).collect();
    open(common)?.begin()?.save(&changes)?;
    Ok(Report::done("", Object::default()))
}

fn text(path: &Path) -> Result<String, Failure> {
    let unreadable = |error: &std::io::Error| {
        let message = format!("cannot read {}: {}", path.display(), sys::cause(error));
        Failure::new(Exit::Io, "script-unreadable", message)
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(SCRIPT_BYTES).read_to_string(&mut text)
    } else {
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        file.take(SCRIPT_BYTES).read_to_string(&mut text)
    };
    read.map_err(|error| unreadable(&error))?;
    Ok(text)
}

/// The lines of a script: `name value` as u-boot-tools has it, or `name=value` as libubootenv
/// does; no value deletes, `#` begins a comment. Of one name the last line counts.
fn script(text: &str) -> Vec<(String, String)> {
    let mut changes: Vec<(String, String)> = Vec::new();
    for line in text.lines().map(str::trim_start) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once(['=', ' ', '\t']).unwrap_or((line, ""));
        changes.retain(|(earlier, _)| earlier != name);
        changes.push((name.to_owned(), value.trim_start_matches([' ', '\t']).to_owned()));
    }
    changes
}

/// Explains the copies.
pub(crate) fn check(common: &Common) -> Result<Report, Failure> {
    let environment = open(common)?;
    let current = environment.current().map(|(which, _)| which);
    let (mut text, mut copies) = (String::new(), Vec::new());
    let mut is_sound = true;
    for (which, found) in [Which::First, Which::Second].into_iter().zip(environment.found()) {
        let role = match &found {
            Ok(serial) if current == Ok(which) => format!("good, serial {serial}, in use"),
            Ok(serial) => format!("good, serial {serial}, the one before"),
            Err(bad) => {
                is_sound = false;
                format!("bad: {bad}")
            }
        };
        let place = environment.store().place(which).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "{which} copy, {place}: {role}");
        copies.push(copy(&found).text("place", place));
    }
    text.push_str(match current {
        Ok(_) if is_sound => "U-Boot and this program read the same variables\n",
        Ok(_) => "'twinslot env repair' writes the bad copy anew from the good one\n",
        Err(_) => "no copy is good: U-Boot starts with what is compiled into it\n",
    });
    let exit = if is_sound { Exit::Done } else { Exit::Io };
    let report = Report::done(text, Object::default().raw("copies", array(copies)));
    Ok(Report { exit, ..report })
}

/// Writes the copy that is not in use anew from the one that is.
pub(crate) fn repair(common: &Common) -> Result<Report, Failure> {
    let mut environment = open(common)?;
    environment.begin()?.repair()?;
    let copies = array(environment.found().map(|found| copy(&found)));
    Ok(Report::done("both copies are good\n", Object::default().raw("copies", copies)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_both_tools_mean_the_same() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let expected = pairs(&[("a", "1"), ("b", "run x; y=2"), ("gone", "")]);
        assert_eq!(script("a=1\nb=run x; y=2\ngone=\n"), expected);
        assert_eq!(script("# c\na 1\n\n  b\trun x; y=2\ngone"), expected);
        assert_eq!(script("a=1\na=2\n"), pairs(&[("a", "2")]));
    }
}

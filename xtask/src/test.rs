//! Everything CI checks, in the order in which it fails soonest. Stops at the first failure.

use crate::command::{cargo, run as run_command, step, words};
use crate::{big_endian, build, e2e, mutants, setup, size, tidy, tools};
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// With names behind `--`, only the tests so named, and what they need; `--test NAME` are all of a
/// file in tests/.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => everything(),
        [dashes, names @ ..] if dashes == "--" && !names.is_empty() => named(names),
        _ => bail!("test takes names only behind `--`"),
    }
}

fn everything() -> Result<()> {
    step("setup", || setup::run(&[]))?;
    step("fmt", || run_command(&mut cargo(&["fmt", "--all", "--check"])))?;
    step("clippy", || {
        let lint = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        run_command(&mut cargo(&lint))
    })?;
    step("tidy", || tidy::run(&[]))?;
    step("build", || build::run(&[]))?;
    step("tests", || run_command(with_tools(&mut tests())?))?;
    step("doc tests", || run_command(with_tools(&mut doc_tests(&["--workspace"]))?))?;
    step("big-endian", big_endian::codec)?;
    step("size", || size::run(&[]))?;
    step("mutants", || mutants::run(&[]))?;
    step("e2e", || e2e::run(&[]))
}

fn named(names: &[String]) -> Result<()> {
    step("setup", setup::tests)?;
    step("build", || build::run(&[]))?;
    step("tests", || {
        let mut command = selected(names);
        let passed = passed(with_tools(&mut command)?)?;
        ensure!(passed > 0, "no test is called {}", names.join(" "));
        Ok(())
    })
}

/// Cargo's own choice among files; a bare name may be that of any test.
fn selected(names: &[String]) -> Command {
    let is_file = names.iter().any(|name| name.starts_with("--"));
    let mut command = if is_file { cargo(&["test", "--workspace"]) } else { tests() };
    command.args(names);
    command
}

/// Runs tests, shows what they say, and counts those that passed.
fn passed(command: &mut Command) -> Result<u64> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut count = 0;
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).lines() {
        let line = line?;
        println!("{line}");
        count += tally(&line).unwrap_or_default();
    }
    let status = child.wait()?;
    ensure!(status.success(), "{} failed: {status}", words(command));
    Ok(count)
}

/// `test result: ok. 13 passed; 0 failed; ..`
fn tally(line: &str) -> Option<u64> {
    line.strip_prefix("test result: ok. ")?.split_once(" passed")?.0.parse().ok()
}

/// The tests outside of documentation.
fn tests() -> Command {
    cargo(&["test", "--workspace", "--all-targets"])
}

/// The tests in documentation: among them the forgeries that must fail to compile, each for the
/// reason it names.
pub(crate) fn doc_tests(what: &[&str]) -> Command {
    let mut command = cargo(&["test", "--doc"]);
    let wrapper = concat!(env!("CARGO_MANIFEST_DIR"), "/rustdoc-codes");
    command.args(what).env("RUSTDOC", wrapper);
    command
}

/// Tells a test run where the real tools and the release binaries are.
pub(crate) fn with_tools(command: &mut Command) -> Result<&mut Command> {
    Ok(command.envs(tools::variables()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_tests_is_chosen_by_cargo_and_a_name_among_all_tests() {
        let chosen = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            words(&selected(&names))
        };
        assert!(chosen(&["--test", "trust"]).ends_with("test --workspace --test trust"));
        assert!(chosen(&["truncated"]).ends_with("test --workspace --all-targets truncated"));
    }

    #[test]
    fn tests_that_passed_are_counted() {
        assert_eq!(tally("test result: ok. 13 passed; 0 failed; 0 ignored"), Some(13));
        assert_eq!(tally("test result: FAILED. 1 passed; 2 failed"), None);
        assert_eq!(tally("test a ... ok"), None);
    }
}

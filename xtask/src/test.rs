//! Everything CI checks, in the order in which it fails soonest. Stops at the first failure.

use crate::command::{cargo, run as run_command, step};
use crate::{big_endian, build, e2e, mutants, setup, size, tidy, tools};
use anyhow::{Result, bail};
use std::process::Command;

/// With names behind `--`, only the tests so named, and what they need.
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
    step("tests", || run_command(with_tools(tests().arg("--").args(names))?))
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

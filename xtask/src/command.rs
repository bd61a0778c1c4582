//! Running other programs and saying so. Never a shell: arguments go as they are.

use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The cargo that runs this task. Flags from outside would replace those of .cargo/config.toml,
/// and with them the linker script, so they are dropped.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    command
}

/// A program and its arguments.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments);
    command
}

/// Runs it with our own stdout and stderr; anything but success is an error naming the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {}", words(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", words(command));
    }
    Ok(())
}

/// Runs it and shows what it said only if it fails.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", words(command)))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        bail!("{} failed: {}\n{last}", words(command), output.status);
    }
    Ok(())
}

/// Runs it and returns what it wrote to stdout, whatever its exit status.
pub(crate) fn text(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", words(command)))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a named step, between a line that opens it and a line with its wall time.
pub(crate) fn step(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("== {name}");
    let start = Instant::now();
    work().with_context(|| name.to_owned())?;
    println!("== {name}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The command line, for a person.
pub(crate) fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    command.get_args().fold(name, |line, word| line + " " + &word.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_named_with_its_arguments() {
        let error = run(&mut program("/bin/false", &["now"])).unwrap_err();
        assert_eq!(error.to_string(), "false now failed: exit status: 1");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut program("/no/such/thing", &[])).unwrap_err();
        assert_eq!(error.to_string(), "cannot start thing");
    }
}

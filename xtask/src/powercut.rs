//! Power cuts by the million: `tests/powercut.rs` once more, with every cut of every recovery
//! enumerated and many more drawn. Adds up what the scenarios say they found.

use crate::command::cargo;
use anyhow::{Context, Result, bail, ensure};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

/// Different wrecks, unless told.
const WRECKS: u64 = 1_000_000;

/// The task: `powercut [--wrecks N] [--seed N]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut wrecks = WRECKS;
    let mut command = cargo(&["test", "--profile", "powercut", "--test", "powercut"]);
    command.args(["--", "--nocapture"]);
    for pair in arguments.chunks(2) {
        let [option, value] = pair else { bail!("powercut takes [--wrecks N] [--seed N]") };
        let number: u64 = value.parse().with_context(|| format!("{option} takes a number"))?;
        match option.as_str() {
            "--wrecks" => wrecks = number,
            "--seed" => drop(command.env("TWINSLOT_SEED", value)),
            _ => bail!("powercut takes [--wrecks N] [--seed N]"),
        }
    }
    let start = Instant::now();
    command.env("TWINSLOT_WRECKS", wrecks.to_string());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut found = 0;
    let output = child.stdout.take().context("cargo has no output")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        found += tally(&line).unwrap_or_default();
    }
    ensure!(child.wait()?.success(), "a wreck was bad: see above");
    ensure!(found >= wrecks, "only {found} wrecks, wanted {wrecks}");
    println!("{found} different wrecks, 0 bad, in {} s", start.elapsed().as_secs());
    Ok(())
}

/// `install, commit: 1310 wrecks: ..`
fn tally(line: &str) -> Option<u64> {
    line.split_once(" wrecks: ")?.0.rsplit(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenarios_tally_is_read() {
        assert_eq!(tally("install, commit: 1310 wrecks: 112 of 30 cuts, 1198 of"), Some(1310));
        assert_eq!(tally("install, commit: seed 1"), None);
        assert_eq!(tally("test result: ok. 11 passed"), None);
    }
}

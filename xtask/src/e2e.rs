//! End-to-end scenarios: real U-Boot, real kernel, an emulated eMMC, and each scenario one file
//! that drives the serial console. Two boards run at a time.

pub(crate) mod bench;
mod boot_rules;
mod bootlimit;
mod bootloader;
mod data_partition;
mod emmc;
mod environment_copies;
mod environment_writes;
mod fw_setenv;
mod health_check;
mod in_progress;
mod init_hangs;
mod install_commit;
mod kernel_corrupt;
mod kernel_panic;
pub(crate) mod lab;
mod log_writes;
mod medium;
mod network;
mod overlay;
mod power_cut;
mod rollback_armed;
mod saveenv;
pub(crate) mod server;
mod small_memory;

use crate::crew;
use crate::qemu::Emulator;
use anyhow::{Context, Result, bail};
use bench::Bench;
use lab::Lab;
use std::env;
use std::time::Instant;

/// Boards at a time.
const BOARDS: usize = 2;
/// Of everything that is random, unless told: the same moments in every run of CI.
const SEED: u64 = 1;

/// A scenario's name, what holds at its end, and how.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    about: &'static str,
    card: Card,
    run: fn(&mut Bench<'_>) -> Result<()>,
}

impl Scenario {
    /// By its name, or by the first word of it that several share: `server`.
    fn is_called(&self, name: &str) -> bool {
        self.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

/// What a scenario needs of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Card {
    Any,
    /// An SD card in its place does not do.
    Emmc,
}

const fn scenario(
    name: &'static str,
    about: &'static str,
    run: fn(&mut Bench<'_>) -> Result<()>,
) -> Scenario {
    Scenario { name, about, card: Card::Any, run }
}

/// The longest first, so that the last board is not alone for long.
const SCENARIOS: &[Scenario] = &[
    scenario(
        "power-cut-trying",
        "power fails 10 times in trial and settle: old or new runs, the next update goes well",
        power_cut::trying,
    ),
    scenario(
        "power-cut-installing",
        "power fails 10 times in install and arm: old or new runs, the next update goes well",
        power_cut::installing,
    ),
    scenario(
        "server-power-cut",
        "power fails in a deployment's download, armed and on trial: the server hears the truth",
        server::power_cut::run,
    ),
    scenario(
        "log-writes",
        "what dm-log-writes saw of an update starts a whole system wherever it ends",
        log_writes::run,
    ),
    scenario(
        "boot-rules",
        "U-Boot and the model that starts simulated wrecks decide alike, and save alike",
        boot_rules::run,
    ),
    scenario("init-hangs", "a trial whose init hangs is ended by the watchdog", init_hangs::run),
    scenario(
        "install-commit",
        "an update is installed, tried, committed and stays; so is the next one",
        install_commit::run,
    ),
    scenario(
        "health-check-fails",
        "a failed health check rolls back, and `why` on the old system names it",
        health_check::fails,
    ),
    scenario(
        "health-check-hangs",
        "a health check that never ends rolls back, the watchdog fed meanwhile",
        health_check::hangs,
    ),
    scenario(
        "server-unreachable",
        "a trial that cannot reach its server goes back, and says so once it can",
        server::unreachable::run,
    ),
    scenario(
        "server-health-check",
        "a deployment that fails its health check: the server reads why, and it is not tried again",
        server::health_check::run,
    ),
    scenario(
        "server-success",
        "a deployment is fetched, tried, committed and reported step by step",
        server::success::run,
    ),
    scenario(
        "server-channel",
        "a channel file announces, and the example app installs when a person says yes",
        server::channel::run,
    ),
    scenario(
        "server-aborted",
        "a deployment aborted in mid-download: nothing is armed, and the daemon goes on",
        server::aborted::run,
    ),
    scenario(
        "data-partition",
        "the owner's files, recovery and the partition table stay as they are",
        data_partition::run,
    ),
    scenario(
        "environment-writes",
        "a healthy boot writes no environment, an update 1 + 1 and U-Boot's count",
        environment_writes::run,
    ),
    scenario(
        "bootlimit",
        "a trial rebooted before anyone settles it is over at its second boot",
        bootlimit::run,
    ),
    scenario(
        "in-progress",
        "`install` while armed and while on trial exits 5 and writes nothing",
        in_progress::run,
    ),
    scenario("kernel-panics", "a trial whose kernel panics comes back", kernel_panic::run),
    scenario(
        "kernel-corrupt",
        "a kernel that does not unpack is a failed trial",
        kernel_corrupt::run,
    ),
    scenario(
        "rollback-armed",
        "`rollback` before the reboot: the trial never happens",
        rollback_armed::run,
    ),
    scenario(
        "overlay",
        "below an overlay the booted slot is found, and the other one updated",
        overlay::run,
    ),
    scenario(
        "small-memory",
        "64 MiB of RAM are enough for U-Boot, kernel and update",
        small_memory::run,
    ),
    scenario(
        "environment-copy-0",
        "the first environment copy is bad: it boots, says so, repairs it",
        environment_copies::first,
    ),
    scenario(
        "environment-copy-1",
        "the second environment copy is bad: it boots, says so, repairs it",
        environment_copies::second,
    ),
    scenario(
        "environment-lost",
        "both environment copies are bad: the compiled-in default boots a slot",
        environment_copies::both,
    ),
    scenario(
        "slot-lost",
        "a settled slot that does not load: the other one starts, and is named in one write",
        bootloader::fallback,
    ),
    scenario(
        "slots-lost",
        "neither slot loads: recovery starts, nothing is written",
        bootloader::recovery,
    ),
    scenario(
        "slot-and-environment-lost",
        "both copies and slot a are lost: slot b starts",
        bootloader::lost,
    ),
    scenario(
        "bootlimit-lost",
        "a trial that does not load ends also without a bootlimit",
        bootloader::unlimited,
    ),
    scenario(
        "watchdog",
        "the watchdog runs before the kernel: one that hangs early comes back",
        bootloader::watchdog,
    ),
    scenario(
        "serial-wraps",
        "256 saves by U-Boot: past 255 the newest copy still wins",
        bootloader::serial_wraps,
    ),
    scenario(
        "network",
        "a board that has a network reaches its server and nothing else, and knows the time",
        network::run,
    ),
    scenario("fw-setenv", "Debian's fw_setenv on the board and ours agree", fw_setenv::run),
    scenario(
        "saveenv",
        "U-Boot reads what we saved, and we read what its saveenv saved",
        saveenv::run,
    ),
    Scenario { card: Card::Emmc, ..scenario("emmc", "the chip's EXT_CSD is read", emmc::run) },
];

/// The task: `e2e [--list] [--seed N] [SCENARIO..]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut names, mut seed) = (Vec::new(), SEED);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--list" => return list(),
            "--seed" => seed = arguments.next().context("--seed takes a number")?.parse()?,
            name if SCENARIOS.iter().any(|known| known.is_called(name)) => names.push(name),
            other => bail!("no scenario is called {other}; `cargo xtask e2e --list` lists them"),
        }
    }
    let named =
        |known: &&Scenario| names.is_empty() || names.iter().any(|name| known.is_called(name));
    let chosen: Vec<Scenario> = SCENARIOS.iter().filter(named).copied().collect();
    let chosen = possible(chosen)?;
    let lab = Lab::open("e2e")?.seeded(seed);
    println!("e2e: seed {seed}, logs in {}", lab.directory.display());
    let failed = together(&lab, chosen);
    match failed.as_slice() {
        [] => Ok(()),
        failed => bail!("failed: {}", failed.join(", ")),
    }
}

fn list() -> Result<()> {
    for scenario in SCENARIOS {
        println!("{:22} {}", scenario.name, scenario.about);
    }
    Ok(())
}

/// Leaves out, and says so, what this machine's QEMU cannot do; CI must be able to do all.
fn possible(chosen: Vec<Scenario>) -> Result<Vec<Scenario>> {
    if Emulator::find()?.has_emmc() {
        return Ok(chosen);
    }
    let (able, unable) = without_emmc(chosen);
    let left_out = match unable.as_slice() {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    };
    let left_out = format!("this QEMU has no eMMC but an SD card in its place: without {left_out}");
    if env::var_os("CI").is_some_and(|ci| ci == "true") {
        bail!(left_out);
    }
    println!("e2e: {left_out}");
    Ok(able)
}

/// Those that an SD card does for, and the names of the others.
fn without_emmc(chosen: Vec<Scenario>) -> (Vec<Scenario>, Vec<&'static str>) {
    let (able, unable): (Vec<_>, Vec<_>) =
        chosen.into_iter().partition(|scenario| scenario.card == Card::Any);
    (able, unable.iter().map(|scenario| scenario.name).collect())
}

/// Runs all; returns the names of those that failed.
fn together(lab: &Lab, scenarios: Vec<Scenario>) -> Vec<&'static str> {
    let failed = |scenario: Scenario| (!passes(lab, scenario)).then_some(scenario.name);
    crew::together(BOARDS, scenarios, failed).into_iter().flatten().collect()
}

fn passes(lab: &Lab, scenario: Scenario) -> bool {
    let start = Instant::now();
    let result = Bench::new(lab, scenario.name).and_then(|mut bench| {
        (scenario.run)(&mut bench)?;
        bench.remove()
    });
    let seconds = start.elapsed().as_secs_f64();
    match &result {
        Ok(()) => println!("e2e: {:22} {seconds:6.1} s  {}", scenario.name, scenario.about),
        Err(error) => println!("e2e: {:22} {seconds:6.1} s  FAILED: {error:#}", scenario.name),
    }
    result.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn without_an_emmc_only_what_needs_one_is_left_out() {
        let (able, unable) = without_emmc(SCENARIOS.to_vec());
        assert_eq!(unable, ["emmc"]);
        assert_eq!(able.len() + unable.len(), SCENARIOS.len());
    }

    #[test]
    fn scenarios_are_called_by_name_or_by_the_words_they_share() {
        let called = |name| SCENARIOS.iter().filter(|known| known.is_called(name)).count();
        assert_eq!(called("server-success"), 1);
        assert!(called("server") >= 6);
        assert_eq!((called("serv"), called("none")), (0, 0));
    }

    #[test]
    fn every_scenario_has_a_name_and_an_image_of_its_own() {
        let names: BTreeSet<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        assert!(!names.contains("factory"));
    }
}

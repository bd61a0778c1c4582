//! The tasks, one line each.

use crate::{
    bench, big_endian, build, coverage, demo, e2e, fuzz, image, miri, mutants, powercut, relay,
    setup, size, test, tidy, tools, vectors,
};
use anyhow::Result;

/// What `cargo xtask NAME` does.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    about: &'static str,
    pub(crate) run: fn(&[String]) -> Result<()>,
}

const fn task(name: &'static str, about: &'static str, run: fn(&[String]) -> Result<()>) -> Task {
    Task { name, about, run }
}

pub(crate) const TASKS: &[Task] = &[
    task("setup", "install what the other tasks need (Debian 12)", setup::run),
    task("build", "static release binaries for aarch64 and x86_64", build::run),
    task("test", "everything CI checks; `test -- NAME` only the tests so named", test::run),
    task("tidy", "the rules of the house that are checked by text", tidy::run),
    task("size", "what the release binaries take, and the bound on it", size::run),
    task("mutants", "sabotages that a test must catch; `mutants NAME..`", mutants::run),
    task("big-endian", "the codec and the core on a big-endian processor", big_endian::run),
    task("miri", "the codec and the core under Miri (nightly)", miri::run),
    task(
        "powercut",
        "a million power cuts on a simulated board: `powercut [--wrecks N] [--seed N]`",
        powercut::run,
    ),
    task("fuzz", "all fuzz targets, or one: `fuzz [TARGET] [--seconds N]` (nightly)", fuzz::run),
    task("coverage", "how much of the parsers the fuzz corpora reach", coverage::run),
    task("bench", "speed and memory on a large image, beside mender-client", bench::run),
    task("vectors", "make the test artifacts again; `vectors DIR`", vectors::run),
    task("image", "a whole eMMC image: `image BOARD [--out DIR] [--check]`", image::run),
    task("e2e", "scenarios on an emulated board: `e2e [--list] [--seed N] [SCENARIO..]`", e2e::run),
    task("demo", "a board updates itself, breaks, and comes back: `demo [--keep]`", demo::run),
    task("relay", "what QEMU runs for a board's connection: `relay PORT`", relay::run),
    task("env", "print the variables that the tests read, for `eval`", tools::run),
    task("help", "this list", help),
];

fn help(_: &[String]) -> Result<()> {
    for Task { name, about, .. } in TASKS {
        println!("cargo xtask {name:10} {about}");
    }
    Ok(())
}

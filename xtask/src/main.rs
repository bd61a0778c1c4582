//! The tasks of this repository, one file each. `cargo xtask help` lists them.

mod bench;
mod board;
mod build;
mod command;
mod demo;
mod e2e;
mod elf;
mod environment;
mod image;
mod mutants;
mod qemu;
mod rootfs;
mod setup;
mod size;
mod test;
mod tidy;
mod tools;
mod tree;
mod uboot;
mod vectors;

use std::process::ExitCode;

/// A task's name, what it does in one line, and how.
type Task = (&'static str, &'static str, fn(&[String]) -> anyhow::Result<()>);

const TASKS: &[Task] = &[
    ("setup", "install what the other tasks need (Debian 12)", setup::run),
    ("build", "static release binaries for aarch64 and x86_64", build::run),
    ("test", "everything CI checks; `test -- NAME` only the tests so named", test::run),
    ("tidy", "the rules of the house that are checked by text", tidy::run),
    ("size", "what the release binaries take, and the bound on it", size::run),
    ("mutants", "sabotages that a test must catch; `mutants NAME..`", mutants::run),
    ("bench", "speed and memory on a large image, beside mender-client", bench::run),
    ("vectors", "make the test artifacts again; `vectors DIR`", vectors::run),
    ("image", "a whole eMMC image: `image BOARD [--out DIR] [--check]`", image::run),
    ("e2e", "scenarios on an emulated board: `e2e [--list] [--seed N] [SCENARIO..]`", e2e::run),
    ("demo", "a board updates itself, breaks, and comes back: `demo [--keep]`", demo::run),
    ("env", "print the variables that the tests read, for `eval`", tools::run),
    ("help", "this list", help),
];

fn help(_: &[String]) -> anyhow::Result<()> {
    TASKS.iter().for_each(|(name, about, _)| println!("cargo xtask {name:8} {about}"));
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    let unknown = || anyhow::anyhow!("no task is called {name}; `cargo xtask help` lists them");
    let task = TASKS.iter().find(|task| task.0 == name).ok_or_else(unknown);
    let run = |task: &Task| (task.2)(arguments.get(1..).unwrap_or(&[]));
    let done = task.and_then(|task| tree::enter().and_then(|()| run(task)));
    done.inspect_err(|error| eprintln!("xtask {name}: {error:#}"))
        .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

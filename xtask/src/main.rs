//! The tasks of this repository, one file each. `cargo xtask help` lists them.

mod bench;
mod big_endian;
mod board;
mod build;
mod command;
mod coverage;
mod crew;
mod demo;
mod e2e;
mod elf;
mod environment;
mod fuzz;
mod image;
mod miri;
mod mutants;
mod powercut;
mod qemu;
mod relay;
mod rootfs;
mod setup;
mod size;
mod task;
mod test;
mod tidy;
mod tools;
mod tree;
mod uboot;
mod vectors;

use std::process::ExitCode;
use task::TASKS;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    let unknown = || anyhow::anyhow!("no task is called {name}; `cargo xtask help` lists them");
    let task = TASKS.iter().find(|task| task.name == name).ok_or_else(unknown);
    let run = |task: &task::Task| (task.run)(arguments.get(1..).unwrap_or(&[]));
    let done = task.and_then(|task| tree::enter().and_then(|()| run(task)));
    done.inspect_err(|error| eprintln!("xtask {name}: {error:#}"))
        .map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

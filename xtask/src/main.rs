//! The tasks of this repository, one file each. `cargo xtask help` lists them.

mod build;
mod command;
mod elf;
mod mutants;
mod setup;
mod size;
mod test;
mod tidy;
mod tools;
mod tree;
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
    ("vectors", "make the test artifacts again; `vectors DIR`", vectors::run),
    ("env", "print the variables that the tests read, for `eval`", tools::run),
    ("help", "this list", help),
];

fn help(_: &[String]) -> anyhow::Result<()> {
    for (name, about, _) in TASKS {
        println!("cargo xtask {name:8} {about}");
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().map_or("help", String::as_str);
    let done = match TASKS.iter().find(|task| task.0 == name) {
        Some((_, _, run)) => tree::enter().and_then(|()| run(arguments.get(1..).unwrap_or(&[]))),
        None => Err(anyhow::anyhow!("no task is called {name}; `cargo xtask help` lists them")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask {name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! twinslot: the shell around the core. Linux, memory, threads and the terminal; decides nothing.

mod aftermath;
mod calendar;
mod check;
mod cli;
mod config;
mod contact;
mod control;
mod daemon;
mod decode;
mod deployment;
mod events;
mod failed;
mod failure;
mod health;
mod identity;
mod installer;
mod inventory;
mod logger;
mod machine;
mod net;
mod object;
mod owner;
mod probation;
mod program;
mod scripts;
mod servers;
mod session;
mod state;
mod status;
mod sys;
mod threads;
mod trial;
mod trust;
mod version;
mod why;

use std::process::ExitCode;

/// Counts, and keeps an artifact from asking for more than `MemoryMax`.
#[global_allocator]
static HEAP: sys::heap::Ceiling = sys::heap::Ceiling;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}

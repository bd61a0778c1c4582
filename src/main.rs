//! twinslot: the shell around the core. Linux, memory, threads and the terminal; decides nothing.

mod aftermath;
mod calendar;
mod check;
mod cli;
mod config;
mod decode;
#[cfg_attr(not(test), expect(dead_code, reason = "for the daemon"))]
mod failed;
mod failure;
mod health;
mod identity;
mod installer;
#[expect(dead_code, reason = "for the daemon")]
mod inventory;
mod logger;
mod machine;
#[expect(dead_code, reason = "until all of it is wired")]
mod net;
mod object;
mod owner;
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

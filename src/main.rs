//! twinslot: the shell around the core. Linux, memory, threads and the terminal; decides nothing.

mod aftermath;
mod cli;
mod config;
mod decode;
mod failure;
mod health;
mod installer;
mod logger;
mod machine;
#[expect(dead_code, reason = "until all of it is wired")]
mod net;
mod object;
mod program;
mod scripts;
mod session;
mod state;
mod status;
mod sys;
mod threads;
mod trial;
mod trust;
mod why;

use std::process::ExitCode;

/// Counts, and keeps an artifact from asking for more than `MemoryMax`.
#[global_allocator]
static HEAP: sys::heap::Ceiling = sys::heap::Ceiling;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}

//! twinslot: the shell around the core. Linux, memory, threads and the terminal; decides nothing.

mod cli;
mod config;
mod decode;
mod health;
mod machine;
mod state;
mod sys;
mod threads;

use std::process::ExitCode;

/// Counts, and keeps an artifact from asking for more than `MemoryMax`.
#[global_allocator]
static HEAP: sys::heap::Ceiling = sys::heap::Ceiling;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}

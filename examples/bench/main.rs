//! What `cargo xtask bench` runs: an installation against its slowest stage alone, and against
//! Debian's mender-client, on one board, in one run. An example, so that it is built exactly as
//! the binary that ships is. Figures of two runs or two machines say nothing together.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod artifacts;
#[path = "../../tests/board/mod.rs"]
mod board;
mod figures;
#[path = "../../tests/fixed_memory/peak.rs"]
mod peak;
mod quiet;
mod rounds;
mod served;
#[path = "../../src"]
mod shell {
    pub(crate) mod decode;
}
mod stage;

use artifacts::Packed;
use figures::Limit;
use rounds::Bench;
use served::Served;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [shelf, url, root] = arguments.as_slice() else {
        eprintln!("this is what `cargo xtask bench` runs");
        return ExitCode::FAILURE;
    };
    let served = Served { url: url.clone(), root: root.into() };
    let shelf = PathBuf::from(shelf);
    Packed::make_all(&shelf);
    let limits = Bench::new(shelf).run(&served);
    for limit in &limits {
        println!("{limit}");
    }
    if limits.iter().all(Limit::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

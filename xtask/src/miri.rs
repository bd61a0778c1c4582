//! The codec and the core under Miri: no undefined behaviour, no overflow, no leak. Needs a
//! nightly toolchain and an hour, so it is a task of its own and not part of `test`.

use crate::command::{program, run as run_command};
use anyhow::Result;

const TOOLCHAIN: &str = "nightly";

/// What runs for hours in an interpreter, and is the same code again with other numbers: 65 536
/// pairs of serials, and arithmetic on long keys.
const LEFT_OUT: &[&str] = &["all_pairs"];

/// The task.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let parts = ["component", "add", "--toolchain", TOOLCHAIN, "miri", "rust-src"];
    run_command(&mut program("rustup", &parts))?;
    for package in ["uboot-env", "twinslot"] {
        let toolchain = format!("+{TOOLCHAIN}");
        let words = [&toolchain, "miri", "test", "--package", package, "--lib", "--"];
        let skips = LEFT_OUT.iter().flat_map(|name| ["--skip", name]);
        run_command(program("cargo", &words).args(skips).env("MIRIFLAGS", ISOLATION))?;
    }
    Ok(())
}

/// Tests read their vectors from files.
const ISOLATION: &str = "-Zmiri-disable-isolation";

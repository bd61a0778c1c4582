//! The codec and the core on a big-endian processor, by QEMU's user emulation. Every number that
//! is on a medium or in an artifact must come out the same. Ships nothing.

use crate::command::{cargo, run as run_command};
use anyhow::Result;
use std::process::Command;

/// How it is linked and run is in .cargo/config.toml.
pub(crate) const TARGET: &str = "powerpc64-unknown-linux-musl";

/// The task.
pub(crate) fn run(_: &[String]) -> Result<()> {
    codec()?;
    run_command(&mut tests("twinslot"))
}

/// The environment's codec alone, which takes seconds.
pub(crate) fn codec() -> Result<()> {
    run_command(&mut tests("uboot-env"))
}

fn tests(package: &str) -> Command {
    cargo(&["test", "--package", package, "--lib", "--target", TARGET])
}

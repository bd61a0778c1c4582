//! A QEMU with an eMMC: Debian's, from a release that may be newer than the machine's, unpacked
//! with the libraries it was built for and started by their own loader.

use super::archive::{Archive, Wanted, architecture};
use crate::command::quiet;
use crate::qemu::Emulator;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Fills a directory with `root`.
pub(super) fn make(to: &Path) -> Result<()> {
    let architecture = architecture()?;
    let suites = ["trixie", "trixie-backports"];
    let wanted = Wanted { kind: "deb", architecture: &architecture, suites: &suites };
    let work = to.join("work");
    let archive = Archive::open(&work, wanted)?;
    archive.unpack_with_dependencies(&["qemu-system-arm"], &to.join("root"))?;
    fs::remove_dir_all(work)?;
    for unused in ["doc", "locale", "man"] {
        fs::remove_dir_all(to.join("root/usr/share").join(unused))?;
    }
    let emulator = Emulator::unpacked(to).context("no loader beside QEMU's libraries")?;
    quiet(emulator.command().arg("--version"))
}

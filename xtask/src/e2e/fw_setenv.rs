//! Debian's fw_printenv and fw_setenv on the board, beside ours.

use super::bench::Bench;
use super::lab::FACTORY;
use anyhow::{Result, ensure};

const THEIRS: &str = "/usr/bin";
const OURS: &str = "/usr/lib/twinslot/bin";

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.boot()?.must_be("a", FACTORY)?;
    ensure!(
        bench.ok("readlink /usr/lib/twinslot/bin/fw_setenv")?.trim() == "/usr/bin/twinslot",
        "ours is not ours"
    );
    agree(bench)?;
    for (writer, reader, value) in [(THEIRS, OURS, "one two"), (OURS, THEIRS, "three")] {
        bench.ok(&format!("{writer}/fw_setenv e2e '{value}'"))?;
        let read = bench.ok(&format!("{reader}/fw_printenv -n e2e"))?;
        ensure!(read.trim() == value, "{reader} reads {read:?}, {writer} wrote {value:?}");
        agree(bench)?;
    }
    bench.ok(&format!("{THEIRS}/fw_setenv e2e"))?;
    bench.exits(1, &format!("{OURS}/fw_printenv -n e2e"))?;
    agree(bench)?;
    bench.reboot()?.must_be("a", FACTORY)
}

fn agree(bench: &mut Bench<'_>) -> Result<()> {
    let ours = bench.ok(&format!("{OURS}/fw_printenv | sort"))?;
    let theirs = bench.ok(&format!("{THEIRS}/fw_printenv | sort"))?;
    ensure!(ours == theirs, "ours:\n{ours}\ntheirs:\n{theirs}");
    ensure!(ours.contains("mender_boot_part=2"), "no environment:\n{ours}");
    Ok(())
}

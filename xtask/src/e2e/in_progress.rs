//! A second update while one is on its way.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::{Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::ByHand)?;
    refused(bench, "armed", "slot-b")?;
    // Nobody settles this release, so it stays on trial.
    bench.reboot()?.must_be("b", "release-by-hand")?;
    refused(bench, "trial", "slot-a")?;
    bench.ok("twinslot commit")?;
    bench.exits(2, "twinslot commit")?;
    bench.status(&[("booted", "b"), ("state", "settled")])?;
    Ok(())
}

fn refused(bench: &mut Bench<'_>, state: &str, other: &str) -> Result<()> {
    bench.status(&[("state", state)])?;
    let before = (bench.copies()?, bench.medium()?.digest(other)?);
    let read = bench.store(Release::Good)?;
    let said = bench.exits(5, &format!("{read} | twinslot install -"))?;
    must_say(&said, "in progress already")?;
    bench.status(&[("state", state)])?;
    let after = (bench.copies()?, bench.medium()?.digest(other)?);
    ensure!(before == after, "a refused installation has written");
    Ok(())
}

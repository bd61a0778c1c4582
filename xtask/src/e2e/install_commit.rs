//! An update that goes well.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::{Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.boot()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("state", "settled"), ("artifact_name", FACTORY)])?;
    let slot_a = bench.medium()?.digest("slot-a")?;
    let path = bench.bring(Release::Good)?;
    let said = bench.ok(&format!("twinslot install --progress bar {path}"))?;
    must_say(&said, "100 %")?;
    must_say(&said, "release-2 is in slot b, verified and armed")?;
    bench.status(&[("booted", "a"), ("next", "b"), ("state", "armed")])?;
    let root = bench.lab.root(Release::Good)?;
    ensure!(bench.medium()?.holds("slot-b", &root)?, "slot b is not what was installed");

    bench.reboot()?.must_be("b", "release-2")?;
    bench.status(&[("booted", "b"), ("next", "b"), ("state", "settled")])?;
    must_say(&bench.ok("twinslot why --last")?, "committed release-2")?;
    must_say(&bench.ok("twinslot show-artifact")?, "release-2")?;
    ensure!(slot_a == bench.medium()?.digest("slot-a")?, "slot a has changed");

    // What is committed stays, and the way back is the next update.
    bench.reboot()?.must_be("b", "release-2")?;
    bench.install(Release::Next)?;
    bench.reboot()?.must_be("a", "release-3")?;
    bench.status(&[("booted", "a"), ("state", "settled"), ("artifact_name", "release-3")])?;
    Ok(())
}

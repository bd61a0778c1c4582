//! A release whose read-only root is below an overlay in memory: the booted slot is still found.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::{Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::Overlay)?;
    bench.reboot()?.must_be("b", "release-overlay")?;
    must_say(&bench.ok("grep ' / ' /proc/mounts")?, "overlay")?;
    bench.status(&[("booted", "b"), ("next", "b"), ("state", "settled")])?;
    let slot_b = bench.medium()?.digest("slot-b")?;
    bench.ok("echo x >/etc/e2e")?;
    bench.install(Release::Good)?;
    ensure!(slot_b == bench.medium()?.digest("slot-b")?, "the booted slot has changed");
    bench.reboot()?.must_be("a", "release-2")?;
    bench.exits(1, "test -e /etc/e2e").map(drop)
}

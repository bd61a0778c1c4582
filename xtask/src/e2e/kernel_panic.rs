//! A release whose kernel panics on trial.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::Result;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::KernelPanics)?;
    bench.running()?.send("reboot")?;
    bench.running()?.expect("Kernel panic")?;
    bench.ready()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    must_say(&bench.ok("twinslot why --last")?, "rolled-back release-kernel-panics")
}

//! A release whose kernel does not unpack: a failed trial, without Linux ever running.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::Result;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::KernelCorrupt)?;
    bench.reboot()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    let why = bench.ok("twinslot why --last")?;
    must_say(&why, "rolled-back release-kernel-corrupt")
}

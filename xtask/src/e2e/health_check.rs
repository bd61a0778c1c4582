//! A release whose application is not well, or does not say.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::Result;

pub(super) fn fails(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::Unhealthy)?;
    // The trial reboots by itself: the next system that is up is the old one.
    bench.reboot()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    bench.status(&[("outcome", "rolled-back"), ("artifact_name", FACTORY)])?;
    let why = bench.ok("twinslot why --last")?;
    must_say(&why, "rolled-back release-unhealthy: health check 10-app failed: exit code 1")?;
    must_say(&why, "ledger is of format 1, wanted 2")?;
    // Nothing is in the way of the next attempt.
    bench.install(Release::Good)?;
    bench.reboot()?.must_be("b", "release-2")
}

/// The time for all checks is over before the watchdog's: settling feeds that meanwhile. Init hears
/// nothing then, so in the end the kernel is asked to restart.
pub(super) fn hangs(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::HealthHangs)?;
    bench.reboot()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    let why = bench.ok("twinslot why --last")?;
    must_say(&why, "rolled-back release-health-hangs: health check 10-app did not end within")
}

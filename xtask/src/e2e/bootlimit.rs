//! A trial that is rebooted before anyone settles it.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use super::medium::variable;
use anyhow::{Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::ByHand)?;
    bench.reboot()?.must_be("b", "release-by-hand")?;
    bench.status(&[("state", "trial")])?;
    let count = variable(&bench.copies()?, "bootcount")?;
    ensure!(count.as_deref() == Some("1"), "bootcount is {count:?} in a trial's first boot");
    // Its second boot is above the limit.
    bench.reboot()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    must_say(&bench.ok("twinslot why --last")?, "rolled-back release-by-hand")
}

//! A person who thinks again before the reboot.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::Result;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.exits(2, "twinslot rollback")?;
    bench.install(Release::Good)?;
    bench.status(&[("next", "b"), ("state", "armed")])?;
    bench.ok("twinslot rollback")?;
    bench.status(&[("next", "a"), ("state", "settled")])?;
    bench.reboot()?.must_be("a", FACTORY)?;
    must_say(&bench.ok("twinslot why --last")?, "rolled-back release-2: rolled back as asked")
}

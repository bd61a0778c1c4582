//! A release whose first process hangs on trial: only the watchdog ends that.

use super::bench::{Bench, must_say};
use super::lab::{FACTORY, Release};
use anyhow::Result;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.install(Release::InitHangs)?;
    bench.running()?.send("reboot")?;
    bench.running()?.expect("TWINSLOT-INIT-HANGS")?;
    bench.ready()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    must_say(&bench.ok("twinslot why --last")?, "rolled-back release-init-hangs")
}

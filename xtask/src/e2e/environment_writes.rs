//! How often the environment is written, counted on the medium.

use super::bench::Bench;
use super::lab::{FACTORY, Release};
use super::medium::{Copies, writes};
use anyhow::{Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    let factory = bench.copies()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.reboot()?.must_be("a", FACTORY)?;
    ensure!(factory == bench.copies()?, "a healthy boot wrote to the environment");

    bench.install(Release::ByHand)?;
    let armed = bench.copies()?;
    once(&factory, &armed, "installing and arming")?;

    bench.reboot()?.must_be("b", "release-by-hand")?;
    let tried = bench.copies()?;
    once(&armed, &tried, "U-Boot counting the trial's boot")?;

    bench.ok("twinslot settle")?;
    let committed = bench.copies()?;
    once(&tried, &committed, "settling")?;

    bench.reboot()?.must_be("b", "release-by-hand")?;
    bench.ok("twinslot settle")?;
    ensure!(committed == bench.copies()?, "a settled board wrote to the environment");
    Ok(())
}

/// One write changes one copy, and its serial by one.
fn once(before: &Copies, after: &Copies, what: &str) -> Result<()> {
    let changed = before.iter().zip(after).filter(|(before, after)| before != after).count();
    ensure!(changed == 1, "{what} changed {changed} copies");
    let count = writes(before, after)?;
    ensure!(count == 1, "{what} wrote the environment {count} times");
    Ok(())
}

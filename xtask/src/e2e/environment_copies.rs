//! Environment copies that are lost, one and both.

use super::bench::{Bench, must_say};
use super::lab::FACTORY;
use anyhow::{Result, ensure};

/// One of the copies: the board boots from the other, says so, and repairs it.
fn one(bench: &mut Bench<'_>, index: usize) -> Result<()> {
    bench.medium()?.spoil_copy(index)?;
    let spoiled = bench.copies()?;
    bench.boot()?.must_be("a", FACTORY)?;
    ensure!(spoiled == bench.copies()?, "a boot wrote to the environment");
    let status = bench.status(&[("booted", "a"), ("state", "settled")])?;
    must_say(&status, "\"valid\":false")?;
    bench.ok("twinslot env repair")?;
    let status = bench.status(&[("state", "settled")])?;
    ensure!(!status.contains("\"valid\":false"), "a copy is still bad: {status}");
    bench.ok("twinslot env check")?;
    bench.reboot()?.must_be("a", FACTORY)
}

pub(super) fn first(bench: &mut Bench<'_>) -> Result<()> {
    one(bench, 0)
}

pub(super) fn second(bench: &mut Bench<'_>) -> Result<()> {
    one(bench, 1)
}

/// Both: U-Boot's compiled-in default starts a slot that loads, and saves what it found.
pub(super) fn both(bench: &mut Bench<'_>) -> Result<()> {
    bench.medium()?.spoil_copy(0)?;
    bench.medium()?.spoil_copy(1)?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    bench.reboot()?.must_be("a", FACTORY)?;
    bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    Ok(())
}

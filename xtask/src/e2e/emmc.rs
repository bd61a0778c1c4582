//! What the chip says of itself.

use super::bench::Bench;
use super::lab::FACTORY;
use anyhow::{Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.boot()?.must_be("a", FACTORY)?;
    let status = bench.status(&[("booted", "a")])?;
    ensure!(status.contains("\"emmc\":{"), "status knows no eMMC: {status}");
    Ok(())
}

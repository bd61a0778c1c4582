//! A board with 64 MiB of RAM: the artifact does not fit into what is left of it.

use super::bench::Bench;
use super::lab::{FACTORY, Release};
use anyhow::{Context, Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.set_memory_mib(64);
    bench.boot()?.must_be("a", FACTORY)?;
    let meminfo = bench.ok("cat /proc/meminfo")?;
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let total = total.and_then(|rest| rest.split_whitespace().next()).context("no MemTotal")?;
    ensure!(total.parse::<u64>()? < 64 << 10, "MemTotal is {total} KiB");
    bench.install(Release::Good)?;
    bench.reboot()?.must_be("b", "release-2")?;
    bench.status(&[("booted", "b"), ("state", "settled")])?;
    Ok(())
}

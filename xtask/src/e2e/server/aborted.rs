//! A deployment that is aborted while it is downloaded.

use super::{Site, path};
use crate::e2e::bench::Bench;
use crate::e2e::lab::{FACTORY, Release};
use crate::rootfs::Updates;
use anyhow::{Result, ensure};
use testserver::{Fault, When};

/// Slow enough to be stopped on the way: 1 MiB a second.
pub(super) const SLOW: Fault = Fault::Drip { bytes: 64 << 10, every_ms: 64 };
const BEGUN_BYTES: u64 = 2 << 20;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let mut site = Site::open(bench, Updates::Deployments)?;
    site.bench.boot()?.must_be("a", FACTORY)?;
    let before = site.bench.copies()?;
    let path = path(Release::Good);
    site.server.fault(&path, When::Always, SLOW);
    let bytes = site.deploy(Release::Good, "first")?;
    site.wait("the download", |record| record.sent(&path) > BEGUN_BYTES)?;
    site.server.abort();
    let status = "/deployments/first/status";
    let refused = |seen: &testserver::Seen| seen.path.ends_with(status) && seen.status == 409;
    site.wait("a report to refuse", |record| record.requests.iter().any(refused))?;
    // Polls come only when the installation is over.
    site.polls(2)?;
    let sent = site.server.record().sent(&path);
    ensure!(sent < bytes, "all {bytes} bytes were fetched");
    site.bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")])?;
    ensure!(before == site.bench.copies()?, "an aborted deployment wrote the environment");
    site.must_have_heard("first", &["downloading"])?;
    println!("e2e: server-aborted: {sent} of {bytes} bytes were fetched before the end");
    Ok(())
}

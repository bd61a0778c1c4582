//! A deployment of a release that is not well: the server gets to read why, and does not get it
//! installed again.

use super::{Site, path};
use crate::e2e::bench::{Bench, must_say};
use crate::e2e::lab::{FACTORY, Release};
use crate::rootfs::Updates;
use anyhow::{Result, ensure};

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let mut site = Site::open(bench, Updates::Deployments)?;
    site.bench.boot()?.must_be("a", FACTORY)?;
    site.deploy(Release::Unhealthy, "first")?;
    site.hear("first", "rebooting")?;
    // The trial reboots by itself: the next system that is up is the old one.
    site.bench.ready()?.must_be("a", FACTORY)?;
    site.hear("first", "failure")?;
    let log = site.log("first");
    must_say(&log, "health check 10-app failed: exit code 1")?;
    must_say(&log, "ledger is of format 1, wanted 2")?;
    site.bench.status(&[("booted", "a"), ("next", "a"), ("outcome", "rolled-back")])?;

    let downloads = site.server.record().count(&path(Release::Unhealthy));
    site.deploy(Release::Unhealthy, "again")?;
    site.hear("again", "failure")?;
    must_say(&site.log("again"), "failed on this device before")?;
    let now = site.server.record().count(&path(Release::Unhealthy));
    ensure!(now == downloads, "what failed here was fetched again");
    site.bench.status(&[("booted", "a"), ("state", "settled")]).map(drop)
}

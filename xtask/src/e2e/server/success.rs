//! A deployment that goes well, from the offer to the report.

use super::Site;
use crate::e2e::bench::{Bench, must_say};
use crate::e2e::lab::{FACTORY, Release};
use crate::rootfs::Updates;
use anyhow::{Result, ensure};

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let mut site = Site::open(bench, Updates::Deployments)?;
    site.bench.boot()?.must_be("a", FACTORY)?;
    site.deploy(Release::Good, "first")?;
    // The daemon reboots by itself.
    site.hear("first", "rebooting")?;
    site.bench.ready()?.must_be("b", "release-2")?;
    site.hear("first", "success")?;
    let course = ["downloading", "installing", "rebooting", "installing", "success"];
    site.must_have_heard("first", &course)?;
    site.bench.status(&[("booted", "b"), ("next", "b"), ("state", "settled")])?;
    must_say(&site.bench.ok("twinslot why --last")?, "committed release-2")?;
    site.wait("the new release in the inventory", |record| {
        let mut devices = record.inventory.values();
        devices.any(|device| device.get("artifact_name").is_some_and(|name| name == "release-2"))
    })?;
    site.polls(1)?;
    let uploads = site.server.record().uploads.len();
    ensure!(uploads == 0, "a success has {uploads} logs");
    Ok(())
}

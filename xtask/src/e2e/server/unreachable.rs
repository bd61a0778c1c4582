//! A release that is well but cannot reach its server: nobody could ever update it again, so it is
//! given up, and the server hears why once it is reached.

use super::Site;
use crate::e2e::bench::{Bench, must_say};
use crate::e2e::lab::{FACTORY, Release};
use crate::rootfs::Updates;
use crate::rootfs::server::SETTLE_SECONDS;
use anyhow::Result;
use testserver::Door;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let mut site = Site::open(bench, Updates::Deployments)?;
    site.bench.boot()?.must_be("a", FACTORY)?;
    site.deploy(Release::Good, "first")?;
    site.hear("first", "rebooting")?;
    site.server.door(Door::Shut);
    site.bench.ready()?.must_be("a", FACTORY)?;
    let reason = format!("the server could not be reached within {SETTLE_SECONDS} s");
    let why = site.bench.ok("twinslot why --last")?;
    must_say(&why, &format!("rolled-back release-2: {reason}"))?;
    site.server.door(Door::Open);
    site.hear("first", "failure")?;
    must_say(&site.log("first"), &reason)?;
    site.must_have_heard("first", &["downloading", "installing", "rebooting", "failure"])?;
    site.bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")]).map(drop)
}

//! The power fails while a deployment is downloaded, when it is armed, and on trial: each ends on
//! the server as it did on the board, and the next one goes well.

use super::aborted::SLOW;
use super::{Site, path};
use crate::e2e::bench::{Bench, Ready, must_say};
use crate::e2e::lab::{FACTORY, Release};
use crate::rootfs::Updates;
use anyhow::{Result, bail, ensure};
use testserver::When;

/// Waits until the board has put on record how far the download is.
const CHECKPOINT: &str = "for _ in $(seq 120); do \
    [ ! -e /data/twinslot/checkpoint ] || break; sleep 0.5; done; [ -e /data/twinslot/checkpoint ]";

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let mut site = Site::open(bench, Updates::Deployments)?;
    site.bench.boot()?.must_be("a", FACTORY)?;
    downloading(&mut site)?;
    armed(&mut site)?;
    tried(&mut site)?;
    site.deploy(Release::Later, "next")?;
    site.hear("next", "rebooting")?;
    ends(&mut site, "next", "success")?.must_be("b", "release-4")
}

/// The board knows how far it is: it goes on there, and asks for the rest.
fn downloading(site: &mut Site<'_, '_>) -> Result<()> {
    let path = path(Release::Good);
    site.server.fault(&path, When::Always, SLOW);
    let bytes = site.deploy(Release::Good, "downloading")?;
    site.wait("half of the artifact", |record| record.sent(&path) > bytes / 2)?;
    site.bench.ok(CHECKPOINT)?;
    site.bench.cut()?;
    let before = site.server.record().sent(&path);
    site.bench.start()?;
    site.bench.passing()?.must_be("a", FACTORY)?;
    site.hear("downloading", "rebooting")?;
    let record = site.server.record();
    let from = record.of(&path).last().map_or(0, |seen| seen.start);
    ensure!(from > 0, "what was downloaded before the cut was downloaded again");
    // The server counts what is on its way, too.
    let again = before.saturating_sub(from);
    println!(
        "e2e: server-power-cut: cut when {before} of {bytes} bytes were sent, the rest asked for \
         from {from} on: at most {again} bytes twice"
    );
    ends(site, "downloading", "success")?.must_be("b", "release-2")
}

/// The server has heard of the reboot, which the power cut comes before.
fn armed(site: &mut Site<'_, '_>) -> Result<()> {
    let bytes = site.deploy(Release::Next, "armed")?;
    site.hear("armed", "rebooting")?;
    site.bench.cut()?;
    site.bench.start()?;
    ends(site, "armed", "success")?.must_be("a", "release-3")?;
    let again = site.server.record().sent(&path(Release::Next)).saturating_sub(bytes);
    ensure!(again == 0, "an artifact that was armed was fetched again: {again} bytes");
    Ok(())
}

/// A trial that does not come to its end is none the next time.
fn tried(site: &mut Site<'_, '_>) -> Result<()> {
    let bytes = site.deploy(Release::Overlay, "trial")?;
    let running = site.bench.running()?;
    running.expect("twinslot: loading slot b, trial")?;
    running.expect("Run /init as init process")?;
    site.bench.cut()?;
    site.bench.start()?;
    ends(site, "trial", "failure")?.must_be("a", "release-3")?;
    let why = site.bench.ok("twinslot why --last")?;
    must_say(&why, "rolled-back release-overlay")?;
    let reason = why.rsplit_once(": ").map_or(why.as_str(), |(_, reason)| reason);
    must_say(&site.log("trial"), reason.trim())?;
    let again = site.server.record().sent(&path(Release::Overlay)).saturating_sub(bytes);
    ensure!(again == 0, "a release that failed was fetched again: {again} bytes");
    Ok(())
}

/// Waits for the end of a deployment, which must be this one, and for the system that is up then.
fn ends(site: &mut Site<'_, '_>, id: &str, end: &str) -> Result<Ready> {
    let up = site.bench.ready()?;
    site.hear(id, end)?;
    let record = site.server.record();
    match record.statuses(id).last() {
        Some(last) if *last == end => {}
        last => bail!("{id} ended with {last:?} and not with {end}"),
    }
    site.bench.status(&[("booted", &up.slot), ("next", &up.slot), ("state", "settled")])?;
    Ok(up)
}

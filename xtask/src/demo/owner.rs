//! The story's second half: a board whose app asks its owner, and tells how it went.

use super::{heading, show_boot, told};
use crate::e2e::bench::{Bench, must_say};
use crate::e2e::lab::{FACTORY, Lab, Release};
use crate::e2e::server::{Site, channel};
use crate::rootfs::Updates;
use anyhow::{Context, Result};

/// What the app says when nobody is there to say yes.
const APP: &str = "echo n | app";

pub(super) fn tell(lab: &Lab) -> Result<()> {
    heading("Another board has an app and a web server: a signed file there names release-2");
    let mut bench = Bench::new(lab, "demo-server")?;
    let site = Site::open(&mut bench, Updates::OnDemand)?;
    offer(&site, Release::Good)?;
    site.bench.boot()?.must_be("a", FACTORY)?;
    told(site.bench, "twinslot check")?;
    heading("The app asks, and the owner says yes");
    agree(site.bench)?;
    heading("The board reboots by itself, and the app tells how it went");
    site.bench.ready()?.must_be("b", "release-2")?;
    show_boot(site.bench);
    must_say(&told(site.bench, APP)?, "release-2 was installed and runs.")?;

    heading("The next version does not work: it is tried, given up, and the owner hears why");
    offer(&site, Release::Unhealthy)?;
    agree(site.bench)?;
    site.bench.ready()?.must_be("b", "release-2")?;
    show_boot(site.bench);
    let said = told(site.bench, APP)?;
    must_say(&said, "release-unhealthy did not work, the old system runs again")?;
    must_say(&said, "It failed here before")?;
    bench.remove()
}

fn offer(site: &Site<'_, '_>, release: Release) -> Result<()> {
    channel::sign(site, &channel::publish(site, release)?)
}

/// Shows the prompt, and how far each phase was when it was told last.
fn agree(bench: &mut Bench<'_>) -> Result<()> {
    const QUESTION: &str = "Update now? [y/N] ";
    println!("    $ app");
    let said = channel::agree(bench)?;
    let (prompt, progress) = said.split_once(QUESTION).context("the app did not ask")?;
    prompt.lines().for_each(|line| println!("    {line}"));
    println!("    {QUESTION}y");
    let phase = |piece: &str| piece.split_whitespace().next().map(str::to_owned);
    let pieces: Vec<&str> = progress.split_inclusive('%').map(str::trim).collect();
    for (index, piece) in pieces.iter().enumerate() {
        let is_last = pieces.get(index + 1).is_none_or(|next| phase(next) != phase(piece));
        if is_last && !piece.is_empty() {
            println!("    {piece}");
        }
    }
    println!("    Installed. The box reboots into it now.");
    Ok(())
}

//! Boards that get their updates from a server: the real daemon, real TLS, and a server that keeps
//! every word. A file is a scenario.

pub(super) mod aborted;
pub(crate) mod channel;
pub(super) mod health_check;
pub(super) mod power_cut;
pub(super) mod success;
pub(super) mod unreachable;

use super::bench::Bench;
use super::lab::Release;
use crate::qemu::{PATIENCE, SERVER};
use crate::rootfs::Updates;
use anyhow::{Result, bail, ensure};
use std::fs;
use std::path::PathBuf;
use testserver::{Deployment, Record, Server, Setup};

/// A board and its server.
pub(crate) struct Site<'b, 'l> {
    pub(crate) bench: &'b mut Bench<'l>,
    pub(crate) server: Server,
    updates: Updates,
}

impl<'b, 'l> Site<'b, 'l> {
    /// A board as it leaves the factory, off, with both slots filled so that updates write little,
    /// and the server that it will ask.
    pub(crate) fn open(bench: &'b mut Bench<'l>, updates: Updates) -> Result<Self> {
        let (lab, medium) = (bench.lab, bench.medium()?);
        let root = lab.factory_with(updates)?;
        medium.fill("slot-a", &root)?;
        medium.fill("slot-b", &root)?;
        medium.fill("data", &lab.data()?)?;
        let (authority, names) = (Some(lab.authority.clone()), vec![host().to_owned()]);
        let server = Server::start_as(Setup { authority, names, ..Setup::default() })?;
        bench.set_network(server.port());
        Ok(Self { bench, server, updates })
    }

    /// Puts a release's artifact on the server; returns where it is here.
    pub(crate) fn serve(&self, release: Release) -> Result<PathBuf> {
        let artifact = self.bench.lab.artifact_with(release, self.updates)?;
        self.server.serve(&path(release), artifact.clone());
        Ok(artifact)
    }

    /// Has the server offer a release as a deployment with that id; returns the artifact's size.
    pub(crate) fn deploy(&self, release: Release, id: &str) -> Result<u64> {
        let bytes = fs::metadata(self.serve(release)?)?.len();
        self.server.deploy(Deployment {
            id: id.to_owned(),
            artifact_name: release.name().to_owned(),
            uri: format!("https://{}{}", host(), path(release)),
            device_types: vec![self.bench.lab.board.device_type.clone()],
        });
        Ok(bytes)
    }

    /// Waits until the server's record is so.
    pub(crate) fn wait(&mut self, what: &str, so: impl FnMut(&Record) -> bool) -> Result<()> {
        if self.server.wait_for(PATIENCE, so) {
            return Ok(());
        }
        let said = self.bench.shell("tail -n 20 /run/daemon.log");
        let said = said.map_or_else(|error| format!("{error:#}"), |said| said.text);
        bail!("the server did not see {what} in {PATIENCE:?}; the daemon says:\n{said}")
    }

    /// Waits until a deployment's status is reported.
    pub(crate) fn hear(&mut self, id: &str, status: &str) -> Result<()> {
        let what = format!("{status} of {id}");
        self.wait(&what, |record| record.statuses(id).contains(&status))
    }

    /// The statuses of a deployment must have been these, whatever was said of one twice.
    pub(crate) fn must_have_heard(&self, id: &str, wanted: &[&str]) -> Result<()> {
        let record = self.server.record();
        let mut heard = record.statuses(id);
        heard.dedup();
        ensure!(heard == wanted, "of {id} the server heard {heard:?}, wanted {wanted:?}");
        Ok(())
    }

    /// What was uploaded of a deployment, line by line.
    pub(crate) fn log(&self, id: &str) -> String {
        let record = self.server.record();
        let uploads = record.uploads.iter().filter(|upload| upload.deployment == id);
        let lines = uploads.flat_map(|upload| &upload.messages);
        lines.map(|line| format!("{} {}\n", line.level, line.message)).collect()
    }

    /// Waits for that many polls more.
    pub(crate) fn polls(&mut self, count: usize) -> Result<()> {
        let before = polled(&self.server.record());
        self.wait("the next polls", |record| polled(record) >= before + count)
    }
}

/// How often an update was asked for.
fn polled(record: &Record) -> usize {
    let asks = |path: &str| path.ends_with("/deployments/next") || path.ends_with("/channel.json");
    record.requests.iter().filter(|seen| asks(&seen.path) && seen.status < 300).count()
}

/// What boards call their server.
pub(crate) fn host() -> &'static str {
    SERVER.trim_end_matches(":443")
}

/// Where a release is on the server.
pub(crate) fn path(release: Release) -> String {
    format!("/{}.mender", release.name())
}

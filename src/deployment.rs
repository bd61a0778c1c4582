//! A deployment on its way: what was offered, which slot it goes to, and how it ended. One small
//! file in the state directory, which counts only together with where the board is and what its
//! journal says: by itself it never makes a system act. Never talks to a server.

use std::path::{Path, PathBuf};

use twinslot::journal::outcome::{Last, Now, Outcome, Reason};
use twinslot::journal::{self, Event};
use twinslot::json;
use twinslot::slot::{Slot, State};

use crate::net::server::{Offer, Stage};
use crate::object::Object;
use crate::session::{self, Place};
use crate::sys;
use crate::sys::store::{self, ReadError};

pub(crate) mod story;

/// The file in the state directory.
const FILE: &str = "deployment";

/// The longest file, in bytes; the texts in it have bounds of their own.
const FILE_BYTES: u64 = 16 << 10;

/// How often one deployment is begun: power cuts and restarts interrupt it, and each time it
/// begins again.
pub(crate) const TRIES_MAX: u64 = 5;

/// A deployment, an offer of a channel, or what a person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// The server's number; none where nobody wants to hear.
    pub(crate) id: Option<String>,
    pub(crate) artifact_name: String,
    /// The slot it goes to.
    pub(crate) slot: Slot,
    /// Checksum of the journal's last line when it began: what stands after it is about this.
    pub(crate) mark: Option<u32>,
    pub(crate) consent: Consent,
    pub(crate) reboot: Reboot,
    /// How often it was begun.
    pub(crate) tries: u64,
    /// How it ended, until the server knows.
    pub(crate) end: Option<End>,
}

/// Who wanted the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// The configuration lets the daemon install by itself.
    Standing,
    /// A person asked for this one; a power cut does not take that back.
    Given,
}

/// Who restarts the board once the slot is armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reboot {
    /// The daemon.
    Ours,
    /// Whoever asked for the installation.
    Theirs,
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Success,
    AlreadyInstalled,
    Failure { reason: String },
}

impl End {
    /// For the server.
    pub(crate) const fn stage(&self) -> Stage {
        match self {
            Self::Success => Stage::Success,
            Self::AlreadyInstalled => Stage::AlreadyInstalled,
            Self::Failure { .. } => Stage::Failure,
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::AlreadyInstalled => "already-installed",
            Self::Failure { .. } => "failure",
        }
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Failed(#[from] sys::Failure),
}

impl Deployment {
    /// The one in `state_dir`, if there is one. What is there and is none was not written by
    /// this program: it is as good as nothing, and said.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(state_dir: &Path) -> Result<Option<Self>, Error> {
        let path = path(state_dir);
        let Some(text) = store::read_bounded(&path, FILE_BYTES)? else { return Ok(None) };
        let deployment = Self::parse(&text);
        if deployment.is_none() {
            log::warn!("{} is no deployment: it is passed over", path.display());
        }
        Ok(deployment)
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub(crate) fn keep(&self, state_dir: &Path) -> Result<(), Error> {
        Ok(store::replace(&path(state_dir), format!("{}\n", self.fields()).as_bytes())?)
    }

    /// Forgets the one in `state_dir`.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub(crate) fn forget(state_dir: &Path) -> Result<(), Error> {
        store::remove(&path(state_dir))?;
        Ok(())
    }

    /// Whether it is what `offer` offers.
    pub(crate) fn is_for(&self, offer: &Offer) -> bool {
        self.id == offer.deployment && self.artifact_name == offer.artifact_name
    }

    /// Whether a person asked for it.
    pub(crate) fn is_asked(&self) -> bool {
        self.consent == Consent::Given
    }

    fn fields(&self) -> Object {
        let mark = self.mark.map_or("null".to_owned(), |mark| mark.to_string());
        let object = Object::default()
            .text_or_null("id", self.id.as_deref())
            .text("artifact_name", &self.artifact_name)
            .text("slot", self.slot)
            .raw("mark", mark)
            .raw("asked", self.consent == Consent::Given)
            .raw("reboot", self.reboot == Reboot::Ours)
            .raw("tries", self.tries);
        let Some(end) = &self.end else { return object };
        match end {
            End::Failure { reason } => object.text("end", end.word()).text("reason", reason),
            _ => object.text("end", end.word()),
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let object = json::parse(text).ok()?.to_object()?;
        let text = |key| Some(object.get(key)?.to_text()?.to_string());
        let flag = |key| object.get(key)?.to_bool();
        let named = object.get("slot")?.to_text()?;
        let end = match text("end").as_deref() {
            None => None,
            Some("success") => Some(End::Success),
            Some("already-installed") => Some(End::AlreadyInstalled),
            Some("failure") => Some(End::Failure { reason: text("reason")? }),
            Some(_) => return None,
        };
        Some(Self {
            id: text("id"),
            artifact_name: text("artifact_name")?,
            slot: [Slot::A, Slot::B].into_iter().find(|slot| named == *slot.letter())?,
            mark: object.get("mark").and_then(json::Value::to_u64).and_then(|n| n.try_into().ok()),
            consent: if flag("asked")? { Consent::Given } else { Consent::Standing },
            reboot: if flag("reboot")? { Reboot::Ours } else { Reboot::Theirs },
            tries: object.get("tries")?.to_u64()?,
            end,
        })
    }

    /// What of `journal` is about this deployment; all of it where the mark is gone with the
    /// journal's older half.
    pub(crate) fn since<'j>(&self, journal: &'j [u8]) -> &'j [u8] {
        let Some(mark) = self.mark else { return journal };
        let mark = format!("{mark:08x} ");
        let mut after = journal.len();
        for line in journal.split_inclusive(|byte| *byte == b'\n').rev() {
            if line.starts_with(mark.as_bytes()) {
                return &journal[after..];
            }
            after -= line.len();
        }
        journal
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(FILE)
}

/// The mark of where `journal` ends now.
pub(crate) fn mark(journal: &[u8]) -> Option<u32> {
    let lines = journal.split(|byte| *byte == b'\n').rev();
    lines.into_iter().find_map(|line| {
        let crc = u32::from_str_radix(std::str::from_utf8(line.get(..8)?).ok()?, 16).ok()?;
        (line.get(8) == Some(&b' ')).then_some(crc)
    })
}

/// Where the board is in an update.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stand {
    pub(crate) booted: Slot,
    pub(crate) step: Step,
    pub(crate) now: Now,
}

/// The word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Settled,
    Armed,
    Trial,
    /// Rolled back, but the system that was given up still runs.
    Left,
}

impl From<&Place> for Stand {
    fn from(place: &Place) -> Self {
        let step = match place.state {
            Ok(State::Settled(_)) => Step::Settled,
            Ok(State::Armed(_)) => Step::Armed,
            Ok(State::Trial(_)) => Step::Trial,
            Err(_) => Step::Left,
        };
        Self { booted: place.booted, step, now: place.now() }
    }
}

/// What follows for a deployment that began and did not end yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Its slot is armed: the reboot decides.
    Reboot,
    /// Its system is on trial.
    Settle,
    /// Nothing, before somebody else's update has ended.
    Wait,
    /// It was interrupted before anything was armed.
    Again,
    Over(End),
    /// The artifact is to blame: it was refused, or its system was given up.
    GivenUp {
        reason: String,
    },
}

/// What follows for `deployment` where the board is now.
pub(crate) fn told(deployment: &Deployment, stand: &Stand, journal: &[u8]) -> Next {
    let since = deployment.since(journal);
    let is_ours = begun(since).is_some_and(|name| name == deployment.artifact_name);
    let is_there = match stand.step {
        Step::Trial => stand.booted == deployment.slot,
        Step::Armed => stand.now.next == deployment.slot,
        Step::Settled | Step::Left => true,
    };
    match stand.step {
        Step::Armed if is_ours && is_there => Next::Reboot,
        Step::Trial if is_ours && is_there => Next::Settle,
        Step::Armed | Step::Trial | Step::Left => Next::Wait,
        Step::Settled => ended(deployment, stand, since),
    }
}

/// The artifact of the last attempt in `journal`.
fn begun(journal: &[u8]) -> Option<String> {
    let name = |record: journal::Record<'_>| match record.event {
        Event::Started { artifact, .. } | Event::Adopted { artifact } => Some(artifact.to_string()),
        _ => None,
    };
    journal::records(journal).filter_map(name).last()
}

/// On a settled board all that began has ended.
fn ended(deployment: &Deployment, stand: &Stand, since: &[u8]) -> Next {
    let failure = |reason: String| Next::Over(End::Failure { reason });
    let last = session::last(since, stand.now);
    let Some(artifact) = last.artifact else { return Next::Again };
    if artifact != *deployment.artifact_name {
        return failure(format!("{artifact} was installed in its place"));
    }
    match last.outcome {
        Outcome::None => Next::Again,
        Outcome::Committed if stand.booted == deployment.slot || is_adopted(since) => {
            Next::Over(End::Success)
        }
        Outcome::Committed => {
            let (kept, slot) = (stand.booted, deployment.slot);
            failure(format!("slot {slot} was committed, but slot {kept} runs: it was left again"))
        }
        Outcome::Failed if was_interrupted(&last, since) => Next::Again,
        Outcome::RolledBack | Outcome::Failed => Next::GivenUp { reason: reason(&last) },
    }
}

fn reason(last: &Last<'_>) -> String {
    last.reason.map_or_else(|| last.outcome.word().to_owned(), |reason| reason.to_string())
}

/// Whether the last attempt brought no system.
fn is_adopted(journal: &[u8]) -> bool {
    let events = journal::records(journal).map(|record| record.event);
    let begun =
        events.filter(|event| matches!(event, Event::Started { .. } | Event::Adopted { .. }));
    matches!(begun.last(), Some(Event::Adopted { .. }))
}

/// Whether it failed for no reason of its own.
fn was_interrupted(last: &Last<'_>, since: &[u8]) -> bool {
    if let Some(Reason::Interrupted(_) | Reason::NeverArmed(_)) = last.reason {
        return true;
    }
    let code = |record: journal::Record<'_>| match record.event {
        Event::Failed { code, .. } => Some(code == *"interrupted"),
        _ => None,
    };
    journal::records(since).filter_map(code).last() == Some(true)
}

#[cfg(test)]
mod tests;

//! What the server hears of a deployment: how far it is, and how it ended. Never decides either.

use std::time::{Duration, Instant};

use twinslot::progress::Phase;

use super::watch::Seen;
use crate::deployment::story::story;
use crate::deployment::{Deployment, End};
use crate::net::exchange;
use crate::net::server::{Heard, Server, Stage};

/// The longest substate, in characters: the server's bound.
const SUBSTATE_CHARS: usize = 200;

/// How far an installation is, told now and then.
pub(crate) struct Reports<'r, S> {
    /// Whom to tell, and of which deployment; none where nobody listens.
    pub(crate) server: Option<(&'r mut S, &'r str)>,
    pub(crate) interval: Duration,
    /// What was told last.
    pub(crate) stage: Stage,
    pub(crate) told: Instant,
}

impl<S: Server> Reports<'_, S> {
    /// How long there is nothing to tell, as long as the phase stays; none: never.
    pub(crate) fn pause(&self) -> Option<Duration> {
        self.server.as_ref()?;
        Some(self.interval.saturating_sub(self.told.elapsed()))
    }

    /// Tells how far it is, if the stage is another or the interval is over.
    pub(crate) fn tell(&mut self, seen: &Seen) -> Heard {
        let (phase, _) = seen.phase();
        let stage = match phase {
            Phase::Header | Phase::Write => Stage::Downloading,
            Phase::ReadBack | Phase::Arm => Stage::Installing,
        };
        let Some((server, id)) = &mut self.server else { return Heard::GoOn };
        if stage == self.stage && self.told.elapsed() < self.interval {
            return Heard::GoOn;
        }
        (self.stage, self.told) = (stage, Instant::now());
        server.report(id, stage, &substate(seen)).unwrap_or_else(|error| {
            log::info!("the server does not know how far it is: {error}");
            Heard::GoOn
        })
    }
}

/// `42 % of 570 MiB`
fn substate(seen: &Seen) -> String {
    match seen.phase() {
        (Phase::Write | Phase::ReadBack, total @ 1..) => {
            let percent = seen.bytes.saturating_mul(100) / total;
            format!("{percent} % of {} MiB", total.div_ceil(1 << 20))
        }
        (phase, _) => phase.word().to_owned(),
    }
}

/// Tells how a deployment ended, with its story if it failed; done when the server has taken it,
/// or says that it never will.
///
/// # Errors
/// The server does not answer.
pub(crate) fn end<S: Server>(
    server: &mut S,
    deployment: &Deployment,
    journal: &[u8],
) -> Result<(), exchange::Error> {
    let (Some(id), Some(end)) = (&deployment.id, &deployment.end) else { return Ok(()) };
    let mut substate = String::new();
    if let End::Failure { reason } = end {
        let lines = story(deployment.since(journal), reason);
        settled(server.log(id, &lines))?;
        substate = reason.chars().take(SUBSTATE_CHARS).collect();
    }
    settled(server.report(id, end.stage(), &substate).map(drop))
}

/// A server that refuses for good has its answer: the deployment is gone, or over.
fn settled(answer: Result<(), exchange::Error>) -> Result<(), exchange::Error> {
    match answer {
        Err(error @ exchange::Error::Refused { status: 400 | 403 | 404 | 409..=428, .. }) => {
            log::warn!("the server does not take how the deployment ended: {error}");
            Ok(())
        }
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_how_far_it_is() {
        let mut seen = Seen::default();
        assert_eq!(substate(&seen), "header");
        seen.phases = vec![(Phase::Header, 0), (Phase::Write, 570 << 20)];
        seen.bytes = 240 << 20;
        assert_eq!(substate(&seen), "42 % of 570 MiB");
        seen.phases.push((Phase::Arm, 0));
        assert_eq!(substate(&seen), "arm");
    }
}

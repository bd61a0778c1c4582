//! What clients of the control socket ask of the worker. Never says no for want of vouching: a
//! person asked, and the artifact's own signature is demanded in any case.

use std::time::{Duration, Instant};

use super::{Trouble, Worker, begin};
use crate::control::{Answer, Request, Wanted};
use crate::daemon::Reply;
use crate::daemon::board::{Board, Source};
use crate::daemon::offered::Waiting;
use crate::daemon::policy::Verdict;
use crate::deployment::{Consent, Deployment, Reboot, Step};
use crate::failure::{Exit, Failure};
use crate::net::server::Server;
use crate::object::Object;
use crate::trial::Decided;

impl<S: Server + Send, B: Board> Worker<S, B> {
    pub(super) fn asked(&mut self, request: Request, reply: &Reply) {
        if let Request::Install(wanted) = request {
            return self.asked_to_install(&wanted, reply);
        }
        let answer = match request {
            Request::Check => self.check(),
            Request::Commit => self.decide(B::commit),
            Request::Rollback => self.decide(B::rollback),
            _ => Err(Failure::new(Exit::Failed, "internal", "asked of the wrong side")),
        };
        // A client that went away misses its answer.
        let _ = reply.send(answer);
    }

    fn check(&mut self) -> Answer {
        let view = self.board.view()?;
        let offer = self.ask(&view).map_err(failure)?;
        let waiting = offer.map(|offer| self.waiting(&offer, &view));
        Ok(waiting.unwrap_or_else(|| Waiting::nothing(view.running)).fields())
    }

    fn decide(&mut self, step: fn(&mut B) -> Result<Decided, Failure>) -> Answer {
        let decided = step(&mut self.board)?;
        // The server wants to hear of it, but the client does not wait for that.
        self.schedule.poll_within(Instant::now(), Duration::ZERO);
        Ok(decided.fields())
    }

    fn asked_to_install(&mut self, wanted: &Wanted, reply: &Reply) {
        let reboot = if wanted.reboot { Reboot::Ours } else { Reboot::Theirs };
        let prepared = self.prepare(wanted, reboot);
        // A client that went away asked all the same.
        let (source, deployment) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return drop(reply.send(Err(failure))),
        };
        let name = source.artifact_name.as_deref();
        // Who asks how far it is from now on is not told of the one before.
        self.watch.begin();
        drop(reply.send(Ok(Object::default().text_or_null("artifact_name", name))));
        let installed = self.install(&source, deployment, reboot);
        installed.unwrap_or_else(|trouble| log::warn!("{trouble}"));
    }

    /// What is to be installed, if it may be.
    fn prepare(
        &mut self,
        wanted: &Wanted,
        reboot: Reboot,
    ) -> Result<(Source, Option<Deployment>), Failure> {
        let view = self.board.view()?;
        if view.stand.step != Step::Settled {
            let message = "an update is in progress already: it is armed or on trial";
            return Err(Failure::new(Exit::InProgress, "update-in-progress", message));
        }
        if let Some(url) = &wanted.url {
            let urls = vec![url.clone()];
            let source = Source { urls, artifact_name: None, size_bytes: None, digest: None };
            return Ok((source, None));
        }
        self.resume().map_err(failure)?;
        let offer = self.ask(&view).map_err(failure)?;
        let nothing = || Failure::new(Exit::NothingWaits, "no-update", "no update waits");
        let offer = offer.ok_or_else(nothing)?;
        match self.judge(&offer, &view, wanted) {
            Verdict::Running => Err(nothing()),
            Verdict::Refuse(refusal) => {
                Err(Failure::new(Exit::Refused, refusal.code(), refusal.to_string()))
            }
            Verdict::Wait(_) | Verdict::Install => {
                self.board.blame(&offer.artifact_name, None);
                let new = begin(&offer, &view);
                let deployment = Deployment { consent: Consent::Given, reboot, ..new };
                Ok((Source::from(&offer), Some(deployment)))
            }
        }
    }
}

fn failure(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Board(failure) => failure,
        Trouble::Server(error) => Failure::from(error),
    }
}

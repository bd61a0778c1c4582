//! An installation's course, from its announcement to its end: what the server and the records are
//! told, and what follows. Never decides whether to install.

use std::time::{Duration, Instant};

use super::{LAST_WORDS, Trouble, Worker};
use crate::daemon::board::{Board, Source};
use crate::daemon::watch::Stop;
use crate::daemon::{attend, reports};
use crate::deployment::{Deployment, End, Reboot};
use crate::failure::{Exit, Failure};
use crate::installer::Done;
use crate::net::server::{Heard, Server, Stage};
use crate::sys::notify;

impl<S: Server + Send, B: Board> Worker<S, B> {
    /// Installs what the watch was told of, and does what follows.
    pub(super) fn install(
        &mut self,
        source: &Source,
        deployment: Option<Deployment>,
        reboot: Reboot,
    ) -> Result<(), Trouble> {
        let name = source.artifact_name.as_deref().or(source.urls.first().map(String::as_str));
        log::info!("installing {}", name.unwrap_or("nothing"));
        let result = match self.announce(deployment.as_ref()) {
            Ok(()) => {
                let id = deployment.as_ref().and_then(|deployment| deployment.id.as_deref());
                self.attend(source, id)
            }
            Err(failure) => Err(failure),
        };
        self.watch.end(attend::result(&result));
        notify::say("STATUS=waiting");
        match result {
            Ok(Done { slot: None, .. }) => match deployment {
                Some(deployment) => self.finish(deployment, End::Success),
                None => Ok(()),
            },
            Ok(Done { slot: Some(_), .. }) => match deployment {
                Some(deployment) => self.reboot_into(deployment),
                None if reboot == Reboot::Ours => {
                    self.go_down();
                    Ok(())
                }
                None => Ok(()),
            },
            Err(failure) => self.failed(deployment, failure),
        }
    }

    /// Puts a deployment on record, and tells the server that it begins.
    fn announce(&mut self, deployment: Option<&Deployment>) -> Result<(), Failure> {
        let Some(deployment) = deployment else { return Ok(()) };
        self.board.keep(Some(deployment))?;
        if self.tell(deployment, Stage::Downloading) == Heard::Aborted {
            self.watch.stop(Stop::Aborted);
            let message = "aborted by the server before anything was written";
            return Err(Failure::new(Exit::Failed, "interrupted", message));
        }
        Ok(())
    }

    /// Reports how far it is while a thread of its own installs.
    fn attend(&mut self, source: &Source, id: Option<&str>) -> Result<Done, Failure> {
        let Self { server, board, watch, messages, sender, .. } = self;
        let reports = reports::Reports {
            server: server.as_mut().zip(id),
            interval: Duration::from_secs(self.config.status_s.max(1)),
            stage: Stage::Downloading,
            told: Instant::now(),
        };
        attend::attend((board, source), watch, (messages, sender), reports)
    }

    fn failed(&mut self, deployment: Option<Deployment>, failure: Failure) -> Result<(), Trouble> {
        log::error!("not installed: {}", failure.message);
        let Some(deployment) = deployment else { return Ok(()) };
        let reason = failure.message.clone();
        match self.watch.stopped() {
            // It goes on with the next start.
            Some(Stop::Quit) => Ok(()),
            Some(Stop::Aborted) => self.aborted(),
            // It is not begun again before a person says so.
            Some(Stop::Cancelled) => self.give_up(deployment, "cancelled on the device".to_owned()),
            None if is_artifacts_fault(&failure) => self.give_up(deployment, reason),
            None => self.finish(deployment, End::Failure { reason }),
        }
    }

    fn aborted(&mut self) -> Result<(), Trouble> {
        log::warn!("the deployment was aborted by the server");
        self.offered.put(None);
        Ok(self.board.keep(None)?)
    }

    /// The slot is armed: tells the server, and reboots if that is the daemon's to do.
    pub(super) fn reboot_into(&mut self, deployment: Deployment) -> Result<(), Trouble> {
        self.offered.put(None);
        if self.tell(&deployment, Stage::Rebooting) == Heard::Aborted {
            self.board.rollback()?;
            return self.aborted();
        }
        if deployment.reboot == Reboot::Ours {
            self.go_down();
        }
        Ok(())
    }

    pub(super) fn go_down(&mut self) {
        notify::say("STATUS=rebooting");
        std::thread::sleep(LAST_WORDS);
        let failure = self.board.reboot();
        log::error!("{}", failure.message);
    }

    /// Tells the server how far a deployment is. A server that does not answer now gets to know
    /// later, from how it ends.
    fn tell(&mut self, deployment: &Deployment, stage: Stage) -> Heard {
        let (Some(server), Some(id)) = (&mut self.server, &deployment.id) else {
            return Heard::GoOn;
        };
        server.report(id, stage, "").unwrap_or_else(|error| {
            log::warn!("the server does not know how far {} is: {error}", deployment.artifact_name);
            Heard::GoOn
        })
    }

    pub(super) fn give_up(
        &mut self,
        deployment: Deployment,
        reason: String,
    ) -> Result<(), Trouble> {
        self.board.blame(&deployment.artifact_name, Some(&reason));
        self.finish(deployment, End::Failure { reason })
    }

    /// The deployment is over; it stays on record until the server knows.
    pub(super) fn finish(&mut self, deployment: Deployment, end: End) -> Result<(), Trouble> {
        if end == End::Success {
            self.board.blame(&deployment.artifact_name, None);
        }
        let deployment = Deployment { end: Some(end), ..deployment };
        self.offered.put(None);
        if let Err(failure) = self.board.keep(Some(&deployment)) {
            log::warn!("{}", failure.message);
        }
        self.report(&deployment)
    }

    pub(super) fn report(&mut self, deployment: &Deployment) -> Result<(), Trouble> {
        if let Some(server) = &mut self.server {
            let journal = self.board.view().map(|view| view.journal).unwrap_or_default();
            reports::end(server, deployment, &journal)?;
        }
        Ok(self.board.keep(None)?)
    }
}

/// Whether it would fail again: what the artifact is, not how it came here.
fn is_artifacts_fault(failure: &Failure) -> bool {
    matches!(failure.exit, Exit::Refused | Exit::Signature) || failure.code == "state-script-failed"
}

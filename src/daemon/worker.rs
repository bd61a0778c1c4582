//! The daemon's one line of work: what is due, what is asked, and what follows from it, one after
//! the other. Waits in one place only, and decides by the rules of `policy` and `deployment`.

mod asked;
mod carry;

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use super::Message;
use super::board::{Board, Source};
use super::offered::{Offered, Waiting};
use super::policy::{self, Facts, Verdict};
use super::schedule::{Due, Schedule};
use super::watch::{Stop, Watch};
use crate::check::Prompt;
use crate::config::ServerConfig;
use crate::contact::Contact;
use crate::control::Wanted;
use crate::deployment::{self, Consent, Deployment, End, Next, Reboot, Step, TRIES_MAX};
use crate::failure::{Exit, Failure};
use crate::net::exchange;
use crate::net::server::{Offer, Server, Stage};
use crate::probation::{View, unserved};
use crate::scripts::{State, Transition};
use crate::sys::{clock, notify};
use crate::trial::Decided;
use crate::version;

/// Until another twinslot, which has the system on trial in hand, is looked for again.
const TRIAL_PAUSE: Duration = Duration::from_secs(2);

/// What a client still gets to read before the board goes down.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// With nothing to do.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Why a step of the daemon's own did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Server(#[from] exchange::Error),
    #[error("{}", .0.message)]
    Board(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Board(failure)
    }
}

/// The daemon at work.
pub(crate) struct Worker<S, B> {
    pub(crate) config: ServerConfig,
    /// None where none is configured: then only what is asked for is done.
    pub(crate) server: Option<S>,
    pub(crate) board: B,
    pub(crate) watch: Arc<Watch>,
    pub(crate) offered: Arc<Offered>,
    pub(crate) messages: Receiver<Message>,
    pub(crate) sender: SyncSender<Message>,
    pub(crate) schedule: Schedule,
    /// Whether a system is on trial that another twinslot has in hand.
    pub(crate) unsettled: bool,
}

/// Whether the daemon goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    On,
    End,
}

impl<S: Server + Send, B: Board> Worker<S, B> {
    /// Works until it is told to end.
    ///
    /// # Errors
    /// At the start it cannot be told where the board is.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        self.start()?;
        notify::say("READY=1\nSTATUS=waiting");
        loop {
            if self.step() == Flow::End {
                return Ok(());
            }
        }
    }

    /// Completes what was under way when the system went down.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        match self.board.view()?.stand.step {
            Step::Trial => self.try_system(),
            // An attempt that ended without a record gets one.
            Step::Settled => self.board.settle(None).map(drop).unwrap_or_else(|failure| {
                log::warn!("{}", failure.message);
            }),
            Step::Armed | Step::Left => {}
        }
        if let Err(trouble) = self.resume() {
            log::warn!("{trouble}");
        }
        Ok(())
    }

    /// Does the next thing that is due or asked for.
    pub(crate) fn step(&mut self) -> Flow {
        notify::beat();
        let now = Instant::now();
        match self.messages.recv_timeout(self.pause(now)) {
            Ok(Message::Quit) | Err(RecvTimeoutError::Disconnected) => return Flow::End,
            Ok(Message::Asked(request, reply)) => self.asked(request, &reply),
            Ok(Message::Check) => self.poll(),
            Ok(Message::Inventory) => self.inventory(),
            Ok(Message::Phase | Message::Ended) => {}
            Err(RecvTimeoutError::Timeout) => self.due(Instant::now()),
        }
        // Told to end while something was under way.
        if self.watch.stopped() == Some(Stop::Quit) { Flow::End } else { Flow::On }
    }

    /// How long nothing is due.
    fn pause(&self, now: Instant) -> Duration {
        let pause = match &self.server {
            Some(_) => self.schedule.pause(now),
            None => YEAR,
        };
        let pause = if self.unsettled { pause.min(TRIAL_PAUSE) } else { pause };
        notify::heartbeat().map_or(pause, |heartbeat| pause.min(heartbeat / 2))
    }

    fn due(&mut self, now: Instant) {
        if self.unsettled {
            self.try_system();
            return;
        }
        match self.server.as_ref().and_then(|_| self.schedule.due(now)) {
            Some(Due::Poll) => self.poll(),
            Some(Due::Inventory) => self.inventory(),
            None => {}
        }
    }

    /// Tests the system on trial; leaves it at once if it is given up.
    fn try_system(&mut self) {
        notify::say("STATUS=testing the system on trial");
        let decided = self.settle();
        self.unsettled = matches!(&decided, Err(held) if held.exit == Exit::InProgress);
        match decided {
            Ok(Decided::RolledBack { reason, .. }) => {
                log::error!("the system on trial is given up: {reason}");
                self.go_down();
            }
            Ok(Decided::Committed { slot, .. }) => {
                log::info!("slot {slot} is committed");
                self.schedule.poll_within(Instant::now(), Duration::ZERO);
            }
            Ok(_) => {}
            Err(failure) => log::warn!("{}", failure.message),
        }
    }

    fn settle(&mut self) -> Result<Decided, Failure> {
        let deployment = self.board.deployment()?;
        let tried = self.board.view()?.tried(deployment.as_ref());
        let limit = Duration::from_secs(self.config.settle_s);
        let Some(id) = tried.filter(|_| !limit.is_zero()) else { return self.board.settle(None) };
        let server = &mut self.server;
        let mut reach = || match server {
            Some(server) => server.report(&id, Stage::Installing, ""),
            None => Err(unserved("none is configured")),
        };
        self.board.settle(Some(Contact { limit, reach: &mut reach }))
    }

    /// Brings the deployment on record one step further. What is not over stays on record.
    fn resume(&mut self) -> Result<Option<Deployment>, Trouble> {
        let Some(deployment) = self.board.deployment()? else { return Ok(None) };
        if deployment.end.is_some() {
            self.report(&deployment)?;
            return Ok(None);
        }
        let view = self.board.view()?;
        match deployment::told(&deployment, &view.stand, &view.journal) {
            Next::Settle | Next::Wait => Ok(Some(deployment)),
            Next::Again if deployment.tries < TRIES_MAX => Ok(Some(deployment)),
            Next::Again => {
                let reason = format!("interrupted {} times", deployment.tries);
                self.finish(deployment, End::Failure { reason }).map(|()| None)
            }
            Next::Reboot => self.reboot_into(deployment).map(|()| None),
            Next::Over(end) => self.finish(deployment, end).map(|()| None),
            Next::GivenUp { reason } => self.give_up(deployment, reason).map(|()| None),
        }
    }

    /// Asks the server, and installs what the owner lets the daemon install by itself.
    fn poll(&mut self) {
        let polled = self.try_poll();
        let now = Instant::now();
        match polled {
            Ok(()) => self.schedule.polled(now),
            Err(trouble) => {
                log::warn!("{trouble}");
                let asked = self.server.as_ref().and_then(Server::retry_after);
                self.schedule.failed(now, asked);
            }
        }
        let hold = self.offered.waiting().and_then(|waiting| waiting.hold);
        if let Some(policy::Hold::Window { opens_in_s }) = hold {
            self.schedule.poll_within(now, Duration::from_secs(opens_in_s));
        }
    }

    fn try_poll(&mut self) -> Result<(), Trouble> {
        let begun = self.resume()?;
        let view = self.board.view()?;
        if view.stand.step != Step::Settled {
            return Ok(());
        }
        let offer = self.synced(|worker| worker.ask(&view))?;
        let Some(offer) = offer else { return self.drop_begun(begun.as_ref()) };
        // What a power cut interrupted goes on, also in the name of the person who asked for it.
        let begun = begun.filter(|begun| begun.is_for(&offer));
        if begun.is_none() {
            self.board.keep(None)?;
        }
        match self.judge(&offer, &view, &Wanted::default()) {
            Verdict::Running => self.already(&offer, &view),
            Verdict::Refuse(refusal) if !self.config.on_demand => {
                log::warn!("{refusal}");
                let Some(id) = offer.deployment.clone() else { return Ok(()) };
                let deployment = Deployment { id: Some(id), ..begin(&offer, &view) };
                self.finish(deployment, End::Failure { reason: refusal.to_string() })
            }
            Verdict::Install => self.install_by_itself(&offer, &view, begun),
            _ if begun.as_ref().is_some_and(Deployment::is_asked) => {
                self.install_by_itself(&offer, &view, begun)
            }
            Verdict::Wait(hold) => {
                log::info!("{} waits: {}", offer.artifact_name, hold.word());
                Ok(())
            }
            Verdict::Refuse(_) => Ok(()),
        }
    }

    /// What was begun is no longer offered: the server took it back.
    fn drop_begun(&mut self, begun: Option<&Deployment>) -> Result<(), Trouble> {
        if let Some(begun) = begun {
            log::info!("{} is not offered any more", begun.artifact_name);
            self.board.keep(None)?;
        }
        Ok(())
    }

    fn install_by_itself(
        &mut self,
        offer: &Offer,
        view: &View,
        begun: Option<Deployment>,
    ) -> Result<(), Trouble> {
        let tries = begun.as_ref().map_or(0, |begun| begun.tries) + 1;
        let new = Deployment { reboot: Reboot::Ours, ..begin(offer, view) };
        let mark = deployment::mark(&view.journal);
        let deployment = Deployment { tries, mark, ..begun.unwrap_or(new) };
        self.watch.begin();
        self.install(&Source::from(offer), Some(deployment), Reboot::Ours)
    }

    fn already(&mut self, offer: &Offer, view: &View) -> Result<(), Trouble> {
        self.offered.put(None);
        if offer.deployment.is_none() {
            return Ok(());
        }
        self.finish(begin(offer, view), End::AlreadyInstalled)
    }

    /// Asks the server something, the owner's state scripts of Idle and Sync around it as Mender
    /// has them: one of Sync may keep the server from being asked, or from being believed.
    fn synced<T>(
        &mut self,
        ask: impl FnOnce(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        use Transition::{Enter, Error, Leave};
        self.board.moment(State::Idle, Leave)?;
        let entered = self.board.moment(State::Sync, Enter).map_err(Trouble::from);
        let asked = entered.and_then(|()| ask(self));
        let left =
            asked.and_then(|asked| Ok(self.board.moment(State::Sync, Leave).map(|()| asked)?));
        if left.is_err() {
            self.board.moment(State::Sync, Error)?;
        }
        self.board.moment(State::Idle, Enter)?;
        left
    }

    /// Asks the server what it offers, and shows it.
    fn ask(&mut self, view: &View) -> Result<Option<Offer>, Trouble> {
        let Some(server) = &mut self.server else { return Ok(None) };
        notify::say("STATUS=asking the server");
        let offer = server.next(&view.provides);
        notify::say("STATUS=waiting");
        let offer = offer?;
        let waiting = offer.as_ref().map(|offer| self.waiting(offer, view));
        self.offered.put(waiting);
        Ok(offer)
    }

    fn waiting(&self, offer: &Offer, view: &View) -> Waiting {
        let hold = match self.judge(offer, view, &Wanted::default()) {
            Verdict::Wait(hold) => Some(hold),
            _ => None,
        };
        let failed = |name: &str| self.board.failed(name);
        let prompt = Prompt::of(view.running.as_deref(), Some(offer.clone()), failed);
        Waiting { prompt, hold }
    }

    fn judge(&self, offer: &Offer, view: &View, wanted: &Wanted) -> Verdict {
        let failed = self.board.failed(&offer.artifact_name).filter(|_| !wanted.retry);
        let facts = Facts {
            on_demand: self.config.on_demand,
            window: self.config.maintenance_window,
            allow_downgrade: self.config.allow_downgrade || wanted.downgrade,
            now_s: clock::unix_seconds(),
            running: view.running.as_deref(),
            order: order(offer, view),
            failed: failed.as_ref().map(|entry| entry.reason.as_str()),
        };
        policy::judge(offer, &facts)
    }

    fn inventory(&mut self) {
        let sent = self.synced(|worker| {
            let Some(server) = &mut worker.server else { return Ok(()) };
            Ok(server.inventory(&worker.board.inventory()?)?)
        });
        let now = Instant::now();
        match sent {
            Ok(()) => self.schedule.told(now),
            Err(trouble) => {
                log::warn!("the inventory is not sent: {trouble}");
                let asked = self.server.as_ref().and_then(Server::retry_after);
                self.schedule.unsent(now, asked);
            }
        }
    }
}

/// How an offer's version compares to the running one.
fn order(offer: &Offer, view: &View) -> Option<Ordering> {
    version::compare(&offer.artifact_name, view.running.as_deref()?)
}

/// A deployment that begins now.
fn begin(offer: &Offer, view: &View) -> Deployment {
    Deployment {
        id: offer.deployment.clone(),
        artifact_name: offer.artifact_name.clone(),
        slot: view.stand.booted.other(),
        mark: deployment::mark(&view.journal),
        consent: Consent::Standing,
        reboot: Reboot::Theirs,
        tries: 1,
        end: None,
    }
}

//! The worker against a server and a board that are made up: what each is told, in order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use twinslot::journal::outcome::Now;
use twinslot::journal::{self, Event};
use twinslot::progress::{Phase, Progress as _};
use twinslot::slot::Slot;

use super::board::{Board, Source};
use super::offered::Offered;
use super::schedule::Schedule;
use super::watch::{Stop, Teller, Watch};
use super::worker::{Flow, Worker};
use super::{Message, Reply};
use crate::config::ServerConfig;
use crate::contact::Contact;
use crate::control::{Answer, Request, Wanted};
use crate::deployment::{Deployment, Stand, Step};
use crate::failed::Entry;
use crate::failure::{Exit, Failure};
use crate::installer::Done;
use crate::net::exchange;
use crate::net::server::{Attributes, Heard, LogLine, Offer, Server, Stage};
use crate::probation::View;
use crate::program::Wish;
use crate::scripts::{Moment, State, Transition};
use crate::trial::Decided;

/// What happened, in words and in order.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<String>>>);

impl Tape {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// Offers what is in it, and says what it hears.
#[derive(Clone, Default)]
struct Cloud {
    tape: Tape,
    offers: Arc<Mutex<VecDeque<Offer>>>,
    away: Arc<AtomicBool>,
    /// Says 409 to this many reports of progress, after the first.
    aborts: Arc<AtomicBool>,
    abort_at: Arc<Mutex<Option<Stage>>>,
}

impl Cloud {
    fn answer(&self) -> Result<(), exchange::Error> {
        if self.away.load(Atomic::Relaxed) {
            return Err(exchange::Error::Unreachable { host: "x".into(), reason: "away".into() });
        }
        Ok(())
    }
}

impl Server for Cloud {
    fn next(&mut self, provides: &Attributes) -> Result<Option<Offer>, exchange::Error> {
        self.answer()?;
        assert!(provides.iter().any(|(key, _)| key == "device_type"));
        Ok(self.offers.lock().unwrap().front().cloned())
    }

    fn report(&mut self, id: &str, stage: Stage, said: &str) -> Result<Heard, exchange::Error> {
        self.answer()?;
        self.tape.note(format!("{id} {stage:?} {said}").trim_end());
        if matches!(stage, Stage::Success | Stage::Failure | Stage::AlreadyInstalled) {
            self.offers.lock().unwrap().pop_front();
        }
        let aborts = *self.abort_at.lock().unwrap() == Some(stage)
            || (self.aborts.load(Atomic::Relaxed) && !said.is_empty());
        if aborts {
            self.offers.lock().unwrap().pop_front();
        }
        Ok(if aborts { Heard::Aborted } else { Heard::GoOn })
    }

    fn log(&mut self, id: &str, lines: &[LogLine]) -> Result<(), exchange::Error> {
        self.answer()?;
        self.tape.note(format!("{id} log {}", lines.last().unwrap().message));
        Ok(())
    }

    fn inventory(&mut self, attributes: &Attributes) -> Result<(), exchange::Error> {
        self.answer()?;
        self.tape.note(format!("inventory of {}", attributes.len()));
        Ok(())
    }

    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// A board that does as it is told.
#[derive(Clone)]
struct Fake(Arc<Mutex<Inside>>);

struct Inside {
    tape: Tape,
    booted: Slot,
    step: Step,
    serial: u8,
    journal: Vec<u8>,
    name: [&'static str; 2],
    deployment: Option<Deployment>,
    failed: Option<(String, String)>,
    /// How an installation ends, instead of well.
    ends: Option<(Exit, &'static str)>,
    /// It goes on until it is told to stop.
    lasts: bool,
    /// Why the system on trial is not kept.
    unhealthy: Option<&'static str>,
    /// The owner has state scripts, which are heard; the one of this moment objects.
    scripts: Option<Option<Moment>>,
}

impl Fake {
    fn new(tape: &Tape) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            tape: tape.clone(),
            booted: Slot::A,
            step: Step::Settled,
            serial: 1,
            journal: journal::line(1, Event::Committed).as_bytes().to_vec(),
            name: ["release-1", "release-0"],
            deployment: None,
            failed: None,
            ends: None,
            lasts: false,
            unhealthy: None,
            scripts: None,
        })))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inside) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// What a boot does.
    fn boot(&self) {
        self.with(|board| {
            (board.booted, board.step) = match board.step {
                Step::Armed => (board.booted.other(), Step::Trial),
                Step::Left => (board.booted.other(), Step::Settled),
                // The boot loader goes back by itself.
                Step::Trial => (board.booted.other(), Step::Settled),
                Step::Settled => (board.booted, Step::Settled),
            };
            board.serial += 1;
        });
    }
}

impl Inside {
    fn record(&mut self, event: Event<&str>) {
        let at = u64::try_from(self.journal.len()).unwrap();
        self.journal.extend(journal::line(at, event).as_bytes());
    }

    fn next(&self) -> Slot {
        match self.step {
            Step::Settled | Step::Trial => self.booted,
            Step::Armed | Step::Left => self.booted.other(),
        }
    }

    fn rollback(&mut self, reason: &str) -> Decided {
        self.record(Event::Reverting { serial: self.serial, reason });
        self.record(Event::RolledBack { reason });
        self.serial += 1;
        if self.step == Step::Armed {
            self.step = Step::Settled;
            return Decided::Disarmed { slot: self.booted.other(), next: self.booted };
        }
        self.step = Step::Left;
        let next = self.booted.other();
        Decided::RolledBack { given_up: self.booted, next, reason: reason.into() }
    }
}

impl Board for Fake {
    fn view(&mut self) -> Result<View, Failure> {
        self.with(|board| {
            let in_progress = matches!(board.step, Step::Armed | Step::Trial);
            let now = Now { next: board.next(), in_progress, serial: board.serial };
            let name = board.name[usize::from(board.booted == Slot::B)];
            Ok(View {
                stand: Stand { booted: board.booted, step: board.step, now },
                journal: board.journal.clone(),
                running: Some(name.into()),
                provides: vec![
                    ("artifact_name".into(), name.into()),
                    ("device_type".into(), "x".into()),
                ],
            })
        })
    }

    fn deployment(&self) -> Result<Option<Deployment>, Failure> {
        Ok(self.with(|board| board.deployment.clone()))
    }

    fn keep(&mut self, deployment: Option<&Deployment>) -> Result<(), Failure> {
        self.with(|board| board.deployment = deployment.cloned());
        Ok(())
    }

    fn failed(&self, name: &str) -> Option<Entry> {
        let (artifact_name, reason) = self.with(|board| board.failed.clone())?;
        (artifact_name == name).then_some(Entry { artifact_name, reason, at_s: 1 })
    }

    fn blame(&mut self, name: &str, reason: Option<&str>) {
        let failed = reason.map(|reason| (name.to_owned(), reason.to_owned()));
        self.with(|board| board.failed = failed);
    }

    fn install(&mut self, source: &Source, mut teller: Teller<'_>) -> Result<Done, Failure> {
        let name = source.artifact_name.clone().unwrap_or_else(|| "release-9".into());
        self.with(|board| {
            board.tape.note(format!("install {name}"));
            board.record(Event::Started { slot: board.booted.other(), artifact: &name });
        });
        teller.phase(Phase::Write, 100 << 20);
        teller.advance(42 << 20, 0);
        while self.with(|board| board.lasts) && teller.watch.stopped().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let interrupted = (Exit::Failed, "stopped as asked");
        let stopped = teller.watch.stopped().map(|_| interrupted);
        self.with(|board| {
            if let Some((exit, reason)) = board.ends.or(stopped) {
                let code = if exit == Exit::Failed { "interrupted" } else { "refused" };
                board.record(Event::Failed { code, reason });
                return Err(Failure::new(exit, code, reason));
            }
            let slot = board.booted.other();
            board.record(Event::Armed { slot, serial: board.serial });
            board.step = Step::Armed;
            board.serial += 1;
            Ok(Done { artifact_name: name, slot: Some(slot), allocations: 0, resumed_bytes: 0 })
        })
    }

    fn settle(&mut self, contact: Option<Contact<'_>>) -> Result<Decided, Failure> {
        if self.with(|board| board.step) == Step::Settled {
            return Ok(Decided::Settled);
        }
        let reached = contact.map_or(Ok(()), |contact| contact.make(&mut || Wish::GoOn));
        self.with(|board| {
            if let Some(reason) = board.unhealthy {
                return Ok(board.rollback(reason));
            }
            if let Err(cut) = reached {
                return Ok(board.rollback(&cut.to_string()));
            }
            board.record(Event::Committed);
            board.step = Step::Settled;
            Ok(Decided::Committed { slot: board.booted, passed: Vec::new() })
        })
    }

    fn commit(&mut self) -> Result<Decided, Failure> {
        self.settle(None)
    }

    fn rollback(&mut self) -> Result<Decided, Failure> {
        self.with(|board| {
            board.tape.note("rollback");
            Ok(board.rollback("rolled back as asked"))
        })
    }

    fn moment(&mut self, state: State, transition: Transition) -> Result<(), Failure> {
        self.with(|board| {
            let Some(objects) = board.scripts else { return Ok(()) };
            board.tape.note(format!("{state:?}_{transition:?}"));
            let refusal = Failure::new(Exit::Failed, "state-script-failed", "no");
            if objects == Some((state, transition)) { Err(refusal) } else { Ok(()) }
        })
    }

    fn inventory(&mut self) -> Result<Attributes, Failure> {
        Ok(self.view()?.provides)
    }

    fn reboot(&mut self) -> Failure {
        self.with(|board| board.tape.note("reboot"));
        Failure::new(Exit::Failed, "reboot", "this is a test")
    }
}

/// A daemon whose clock is the test's: steps are taken one by one.
struct Scene {
    tape: Tape,
    cloud: Cloud,
    board: Fake,
    config: ServerConfig,
}

struct Daemon {
    worker: Worker<Cloud, Fake>,
    sender: SyncSender<Message>,
    watch: Arc<Watch>,
}

impl Scene {
    fn new() -> Self {
        let tape = Tape::default();
        let cloud = Cloud { tape: tape.clone(), ..Cloud::default() };
        let board = Fake::new(&tape);
        let config = ServerConfig { update_poll_s: 3600, status_s: 1, ..ServerConfig::default() };
        Self { tape, cloud, board, config }
    }

    fn offer(&self, name: &str) -> Offer {
        let offer = Offer {
            deployment: Some("d".into()),
            artifact_name: name.into(),
            urls: vec!["https://x/a".into()],
            size_bytes: None,
            digest: None,
            notes: None,
            severity: None,
            vouched: true,
        };
        self.cloud.offers.lock().unwrap().push_back(offer.clone());
        offer
    }

    /// A daemon that has started and done what was due, besides its inventory.
    fn run(&self) -> Daemon {
        let mut daemon = self.daemon();
        daemon.worker.start().unwrap();
        daemon.worker.schedule.told(Instant::now());
        while daemon.worker.schedule.due(Instant::now()).is_some() {
            assert_eq!(daemon.worker.step(), Flow::On);
        }
        daemon
    }

    fn daemon(&self) -> Daemon {
        let (sender, messages) = sync_channel(32);
        let watch = Arc::new(Watch::default());
        let worker = Worker {
            config: self.config.clone(),
            server: Some(self.cloud.clone()),
            board: self.board.clone(),
            watch: Arc::clone(&watch),
            offered: Arc::new(Offered::default()),
            messages,
            sender: sender.clone(),
            schedule: Schedule::new(&self.config, Instant::now()),
            unsettled: false,
        };
        Daemon { worker, sender, watch }
    }
}

impl Daemon {
    fn ask(&mut self, request: Request) -> Answer {
        let answer = self.send(request);
        self.worker.step();
        answer.recv().unwrap()
    }

    fn send(&self, request: Request) -> Receiver<Answer> {
        let (reply, answer): (Reply, _) = sync_channel(1);
        self.sender.send(Message::Asked(request, reply)).unwrap();
        answer
    }

    fn poll(&mut self) {
        self.sender.send(Message::Check).unwrap();
        self.worker.step();
    }
}

fn code(answer: Answer) -> &'static str {
    answer.unwrap_err().code
}

#[test]
fn a_deployment_goes_from_offer_to_success_and_the_server_hears_each_step() {
    let scene = Scene::new();
    scene.offer("release-2");
    drop(scene.run());
    let steps = scene.tape.take();
    assert_eq!(steps, ["d Downloading", "install release-2", "d Rebooting", "reboot"]);
    scene.board.boot();
    scene.board.with(|board| board.name[1] = "release-2");
    drop(scene.run());
    assert_eq!(scene.tape.take(), ["d Installing", "d Success"]);
    assert_eq!(scene.board.with(|board| board.deployment.clone()), None);
    drop(scene.run());
    assert_eq!(scene.tape.take(), [""; 0]);
}

#[test]
fn the_owners_scripts_stand_around_what_the_server_is_asked_and_may_keep_it_from_being_asked() {
    let scene = Scene::new();
    scene.board.with(|board| board.scripts = Some(None));
    let mut daemon = scene.run();
    let synced = ["Idle_Leave", "Sync_Enter", "Sync_Leave", "Idle_Enter"];
    assert_eq!(scene.tape.take(), synced);
    scene.offer("release-2");
    let objects = Some((State::Sync, Transition::Enter));
    scene.board.with(|board| board.scripts = Some(objects));
    daemon.poll();
    assert_eq!(scene.tape.take(), ["Idle_Leave", "Sync_Enter", "Sync_Error", "Idle_Enter"]);
    scene.board.with(|board| board.scripts = Some(None));
    daemon.poll();
    assert_eq!(scene.tape.take()[..5], [synced.as_slice(), &["d Downloading"]].concat());
}

#[test]
fn a_rollback_is_reported_as_a_failure_with_its_reason_and_is_not_tried_again() {
    let mut scene = Scene::new();
    scene.offer("release-2");
    drop(scene.run());
    scene.board.boot();
    scene.board.with(|board| board.unhealthy = Some("health check 10-app failed"));
    scene.tape.take();
    drop(scene.run());
    assert_eq!(scene.tape.take(), ["d Installing", "reboot"], "given up, not reported yet");
    scene.board.boot();
    drop(scene.run());
    let told = [
        "d log the deployment failed: health check 10-app failed",
        "d Failure health check 10-app failed",
    ];
    assert_eq!(scene.tape.take(), told);
    // The server offers the same version again: the daemon says why not.
    scene.offer("release-2");
    drop(scene.run());
    let again = "release-2 failed on this device before: health check 10-app failed";
    let told = [format!("d log the deployment failed: {again}"), format!("d Failure {again}")];
    assert_eq!(scene.tape.take(), told);
    // A person says to try it once more.
    scene.config.on_demand = true;
    scene.offer("release-2");
    let mut daemon = scene.run();
    let refused = daemon.ask(Request::Install(Wanted::default()));
    assert_eq!(code(refused), "failed-before");
    let retry = Wanted { retry: true, ..Wanted::default() };
    assert!(daemon.ask(Request::Install(retry)).is_ok());
    let steps = scene.tape.take();
    assert_eq!(steps, ["d Downloading", "install release-2", "d Rebooting"]);
}

#[test]
fn a_boot_loader_that_went_back_is_reported_too() {
    let scene = Scene::new();
    scene.offer("release-2");
    drop(scene.run());
    scene.board.boot();
    scene.board.boot();
    scene.tape.take();
    drop(scene.run());
    let told = scene.tape.take();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].starts_with("d Failure slot b was not committed within"), "{told:?}");
}

#[test]
fn how_it_ended_is_told_when_the_server_is_there_again() {
    let scene = Scene::new();
    scene.offer("release-2");
    drop(scene.run());
    scene.board.boot();
    // On trial with the server gone and nobody who needs it.
    scene.board.with(|board| board.deployment.as_mut().unwrap().id = Some("d".into()));
    let mut alone = Scene { config: scene.config.clone(), ..scene };
    alone.config.settle_s = 0;
    alone.cloud.away.store(true, Atomic::Relaxed);
    alone.tape.take();
    let mut daemon = alone.run();
    assert_eq!(alone.tape.take(), [""; 0]);
    assert!(alone.board.with(|board| board.deployment.is_some()));
    daemon.poll();
    alone.cloud.away.store(false, Atomic::Relaxed);
    daemon.poll();
    assert_eq!(alone.tape.take(), ["d Success"]);
}

#[test]
fn a_system_that_does_not_reach_its_server_is_given_up() {
    let mut scene = Scene::new();
    scene.config.settle_s = 1;
    scene.offer("release-2");
    drop(scene.run());
    scene.board.boot();
    scene.cloud.away.store(true, Atomic::Relaxed);
    scene.tape.take();
    drop(scene.run());
    assert_eq!(scene.tape.take(), ["reboot"]);
    scene.board.boot();
    scene.cloud.away.store(false, Atomic::Relaxed);
    drop(scene.run());
    let told = scene.tape.take();
    assert!(
        told[1].starts_with("d Failure the server could not be reached within 1 s"),
        "{told:?}"
    );
}

#[test]
fn a_deployment_that_is_aborted_ends_and_nothing_is_armed() {
    let mut scene = Scene::new();
    scene.config.status_s = 1;
    scene.offer("release-2");
    scene.board.with(|board| board.lasts = true);
    scene.cloud.aborts.store(true, Atomic::Relaxed);
    drop(scene.run());
    let steps = scene.tape.take();
    assert_eq!(steps, ["d Downloading", "install release-2", "d Downloading 42 % of 100 MiB"]);
    assert_eq!(
        scene.board.with(|board| (board.step, board.deployment.clone())),
        (Step::Settled, None)
    );
}

#[test]
fn an_abort_after_arming_disarms() {
    let scene = Scene::new();
    *scene.cloud.abort_at.lock().unwrap() = Some(Stage::Rebooting);
    scene.offer("release-2");
    drop(scene.run());
    let steps = scene.tape.take();
    assert_eq!(steps, ["d Downloading", "install release-2", "d Rebooting", "rollback"]);
    assert_eq!(
        scene.board.with(|board| (board.step, board.deployment.clone())),
        (Step::Settled, None)
    );
}

#[test]
fn an_abort_before_anything_is_written_writes_nothing() {
    let scene = Scene::new();
    *scene.cloud.abort_at.lock().unwrap() = Some(Stage::Downloading);
    scene.offer("release-2");
    drop(scene.run());
    assert_eq!(scene.tape.take(), ["d Downloading"]);
}

#[test]
fn what_a_power_cut_interrupts_begins_again_but_not_for_ever() {
    let scene = Scene::new();
    scene.offer("release-2");
    for _ in 0..5 {
        // SIGTERM leaves what a power cut would: a deployment that has not ended.
        scene.board.with(|board| board.lasts = true);
        let mut daemon = scene.daemon();
        daemon.worker.start().unwrap();
        let (watch, sender) = (Arc::clone(&daemon.watch), daemon.sender.clone());
        let killer = std::thread::spawn(move || {
            while !watch.seen().running {
                std::thread::yield_now();
            }
            watch.stop(Stop::Quit);
            sender.send(Message::Quit).unwrap();
        });
        daemon.sender.send(Message::Check).unwrap();
        assert_eq!(daemon.worker.step(), Flow::End);
        killer.join().unwrap();
        assert_eq!(scene.tape.take(), ["d Downloading", "install release-2"]);
    }
    drop(scene.run());
    assert_eq!(scene.tape.take().last().unwrap(), "d Failure interrupted 5 times");
}

#[test]
fn on_demand_it_waits_for_a_person_and_a_restart_does_not_take_their_word_back() {
    let mut scene = Scene::new();
    scene.config.on_demand = true;
    scene.offer("release-2");
    let mut daemon = scene.run();
    assert_eq!(scene.tape.take(), [""; 0]);
    let check = daemon.ask(Request::Check).unwrap().to_string();
    assert!(check.contains(r#""artifact_name":"release-2""#), "{check}");
    scene.board.with(|board| board.ends = Some((Exit::Failed, "power")));
    let answer = daemon.ask(Request::Install(Wanted { reboot: true, ..Wanted::default() }));
    assert_eq!(answer.unwrap().to_string(), r#"{"artifact_name":"release-2"}"#);
    drop(daemon);
    scene.tape.take();
}

#[test]
fn what_failed_for_the_networks_sake_is_a_failure_and_not_the_artifacts_fault() {
    let scene = Scene::new();
    scene.offer("release-2");
    scene.board.with(|board| board.ends = Some((Exit::Io, "the connection broke")));
    drop(scene.run());
    assert_eq!(scene.tape.take().last().unwrap(), "d Failure the connection broke");
    assert_eq!(scene.board.with(|board| board.failed.clone()), None);
    scene.offer("release-2");
    scene.board.with(|board| board.ends = Some((Exit::Signature, "no key signed it")));
    drop(scene.run());
    assert_eq!(scene.tape.take().last().unwrap(), "d Failure no key signed it");
    assert!(scene.board.with(|board| board.failed.is_some()));
}

#[test]
fn what_nobody_vouches_for_is_shown_and_installed_when_a_person_says_so() {
    let scene = Scene::new();
    let offer = scene.offer("release-2");
    scene.cloud.offers.lock().unwrap()[0] = Offer { vouched: false, deployment: None, ..offer };
    let mut daemon = scene.run();
    assert_eq!(scene.tape.take(), [""; 0]);
    assert!(daemon.worker.offered.waiting().is_some());
    assert!(daemon.ask(Request::Install(Wanted::default())).is_ok());
    assert_eq!(scene.tape.take(), ["install release-2"]);
}

#[test]
fn a_downgrade_is_refused_unless_it_is_meant() {
    let scene = Scene::new();
    scene.offer("release-0");
    let mut daemon = scene.run();
    let told = scene.tape.take();
    assert_eq!(told[1], "d Failure release-0 is older than release-1, which runs");
    scene.offer("release-0");
    assert_eq!(code(daemon.ask(Request::Install(Wanted::default()))), "downgrade");
    let meant = Wanted { downgrade: true, ..Wanted::default() };
    assert!(daemon.ask(Request::Install(meant)).is_ok());
    assert_eq!(scene.tape.take()[1], "install release-0");
}

#[test]
fn who_asks_while_it_installs_is_told_that_it_does() {
    let scene = Scene::new();
    scene.offer("release-2");
    scene.board.with(|board| board.lasts = true);
    let mut daemon = scene.daemon();
    let waiting = daemon.send(Request::Check);
    let watch = Arc::clone(&daemon.watch);
    let cancel = std::thread::spawn(move || {
        while !watch.seen().running {
            std::thread::yield_now();
        }
        watch
    });
    let sender = daemon.sender.clone();
    let asker = std::thread::spawn(move || {
        let watch = cancel.join().unwrap();
        let (reply, answer) = sync_channel(1);
        sender.send(Message::Asked(Request::Commit, reply)).unwrap();
        let answer = answer.recv().unwrap();
        assert!(watch.stop(Stop::Cancelled));
        answer
    });
    daemon.worker.step();
    assert!(waiting.recv().unwrap().is_ok());
    daemon.poll();
    assert_eq!(code(asker.join().unwrap()), "update-in-progress");
    assert_eq!(scene.tape.take().last().unwrap(), "d Failure cancelled on the device");
    let refused = daemon.ask(Request::Install(Wanted::default()));
    assert_eq!(code(refused), "no-update");
}

#[test]
fn the_inventory_is_sent_at_the_start_and_when_asked_for() {
    let scene = Scene::new();
    let mut daemon = scene.daemon();
    daemon.worker.start().unwrap();
    for _ in 0..2 {
        assert_eq!(daemon.worker.step(), Flow::On);
    }
    assert_eq!(scene.tape.take(), ["inventory of 2"]);
    daemon.sender.send(Message::Inventory).unwrap();
    daemon.worker.step();
    assert_eq!(scene.tape.take(), ["inventory of 2"]);
}

#[test]
fn what_is_no_longer_offered_is_forgotten() {
    let scene = Scene::new();
    let offer = scene.offer("release-2");
    scene.board.with(|board| {
        board.deployment = Some(Deployment {
            id: offer.deployment,
            artifact_name: offer.artifact_name,
            slot: Slot::B,
            mark: crate::deployment::mark(&board.journal),
            consent: crate::deployment::Consent::Given,
            reboot: crate::deployment::Reboot::Ours,
            tries: 1,
            end: None,
        });
    });
    scene.cloud.offers.lock().unwrap().clear();
    drop(scene.run());
    assert_eq!(scene.board.with(|board| board.deployment.clone()), None);
    assert_eq!(scene.tape.take(), [""; 0]);
}

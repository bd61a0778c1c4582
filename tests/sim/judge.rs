//! What must hold of every board that lost its power, whenever and however, and how it goes on
//! from there.

use twinslot::journal::outcome::{self, Now, Outcome};
use twinslot::journal::records;
use twinslot::slot::Slot;
use twinslot::update::checkpoint::Checkpoint;

use super::artifact::NAME;
use super::board::{Attempt, Board};
use super::loss;
use super::power::Power;
use super::scene::{OLDER, Scene};
use super::shell::{ASKED, Job, Shell, Stand};
use super::store::Place;
use super::tape::Deed;
use super::uboot::{self, Loaded};

/// More lives than any board needs to get from a wreck to the new system.
const LIVES_MAX: usize = 8;

/// What a board does once it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Installs, and commits what is on trial.
    Update,
    /// Installs, and rolls back what is armed or on trial.
    Refuse,
    /// Nothing.
    Rest,
}

/// The judge of one scene.
#[derive(Debug)]
pub struct Judge<'s> {
    pub scene: &'s Scene,
    pub job: Job<'s>,
}

impl<'s> Judge<'s> {
    pub fn new(scene: &'s Scene) -> Self {
        Self { scene, job: scene.job() }
    }

    /// What holds before anything is booted.
    pub fn inspect(&self, board: &Board) -> Result<(), String> {
        let (scene, truth) = (self.scene, board.truth);
        let loaded = uboot::load(&board.stores[2], &board.stores[3]);
        let loaded = loaded.ok_or("both copies of the environment are lost")?;
        let named = loaded.slot(scene.parts).ok_or("the environment names no slot")?;
        let [home, target] =
            [scene.home(), scene.target()].map(|slot| board.store(Place::Slot(slot)));
        let is_installed = scene.is_installed(target);
        let rules = [
            (home.same(scene.before(scene.home())), "the running system's slot was changed"),
            (!scene.deceives(scene.target(), target), "half a system has a whole head"),
            (named == scene.home() || is_installed, "named a slot that was not proven"),
            (
                named == scene.home() || loaded.tries() || truth.may_be_committed,
                "committed, and nobody said so",
            ),
            (
                board.data.provides(scene.home()) == scene.board.data.provides(scene.home()),
                "what is on record of the running system was changed",
            ),
            (self.remembers(board), "what is on record of a slot is not what it holds"),
            (self.kept(board, &loaded), "what was said to be done is not on the medium"),
            (self.got_there(board), "the update did not get as far as its checkpoint says"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err((*broken).to_owned()),
            None => Ok(()),
        }
    }

    /// Whether what is on record of the slot that is written is true, or nothing is.
    fn remembers(&self, board: &Board) -> bool {
        let (scene, target) = (self.scene, self.scene.target());
        let held = board.store(Place::Slot(target));
        match board.data.provides(target) {
            None => true,
            Some(OLDER) => held.same(scene.before(target)),
            Some(_) => scene.is_installed(held),
        }
    }

    /// Whether what the checkpoint says is in the slot is on the medium.
    fn got_there(&self, board: &Board) -> bool {
        let Some(line) = &board.data.checkpoint else { return true };
        let held = board.store(Place::Slot(self.scene.target()));
        Checkpoint::parse(line).is_some_and(|checkpoint| self.scene.bears(held, &checkpoint))
    }

    /// Whether what a command said it did survived.
    fn kept(&self, board: &Board, loaded: &Loaded) -> bool {
        let scene = self.scene;
        let next = (loaded.slot(scene.parts), loaded.tries());
        match board.truth.said {
            None => true,
            Some(Deed::Install) => next == (Some(scene.target()), true),
            Some(Deed::Commit) => next == (Some(scene.target()), false),
            Some(Deed::Rollback | Deed::Disarm) => next == (Some(scene.home()), false),
            Some(Deed::Repair) => board.stores[2..].iter().all(|s| uboot::is_good(&s.bytes())),
        }
    }

    /// Boots, and checks that `why` tells what happened.
    pub fn boot(&self, power: &Power, board: &Board) -> Result<Slot, String> {
        let booted = self.start(power)?;
        self.ask_why(power, board, booted)?;
        Ok(booted)
    }

    /// Boots.
    pub fn start(&self, power: &Power) -> Result<Slot, String> {
        let starts = |slot, store: &_| self.scene.starts(slot, store);
        uboot::boot(power, self.scene.parts, starts)
    }

    /// Compares what the records tell with what happened.
    pub fn ask_why(&self, power: &Power, board: &Board, booted: Slot) -> Result<(), String> {
        let [_, _, first, second] = power.stores();
        let loaded = uboot::load(&first, &second).ok_or("the environment is lost")?;
        let in_progress = loaded.tries();
        // Between a rollback and its reboot the board has settled on the other slot already.
        let settled = loaded.slot(self.scene.parts).ok_or("the environment names no slot")?;
        let booted = if in_progress { booted } else { settled };
        let now = Now { next: booted, in_progress, serial: loaded.flags };
        let journal = power.data().journal;
        let told = outcome::last(records(&journal), now);
        let truth = board.truth;
        let happened = if in_progress { truth.before } else { truth.settled(booted) };
        let reason = told.reason.map(|reason| reason.to_string()).unwrap_or_default();
        let attempt = truth.attempt.filter(|_| !in_progress);
        let is_named = told.artifact.is_some_and(|name| name == *NAME);
        let is_true = told.outcome == happened
            && (attempt.is_none() || is_named)
            && attempt.is_none_or(|attempt| is_reason(&reason, happened, attempt));
        if is_true {
            return Ok(());
        }
        let records = String::from_utf8_lossy(&journal).into_owned();
        let said = told.outcome;
        Err(format!("why says {said:?} ({reason}), it is {happened:?}; {now:?}\n{records}"))
    }

    /// One stretch with power: boots and does what it wishes; everything is on the tape.
    pub fn live(&self, board: &Board, wish: Wish) -> Result<(Slot, Power), String> {
        let power = Power::on(board);
        let booted = self.boot(&power, board)?;
        self.act(&power, (booted, wish))?;
        Ok((booted, power))
    }

    /// Does what the state of a running board asks for.
    pub fn act(&self, power: &Power, (booted, wish): (Slot, Wish)) -> Result<(), String> {
        let shell = Shell { power, booted, job: &self.job };
        let stand = shell.stand().map_err(|failure| format!("{failure:?}"))?;
        let deed = match (stand, wish) {
            (_, Wish::Rest) | (Stand::Armed, Wish::Update) | (Stand::Leaving, _) => return Ok(()),
            (Stand::Armed, Wish::Refuse) => Deed::Disarm,
            (Stand::Trial, Wish::Update) => Deed::Commit,
            (Stand::Trial, Wish::Refuse) => Deed::Rollback,
            (Stand::Settled, _) if booted == self.scene.home() => Deed::Install,
            (Stand::Settled, _) => return Ok(()),
        };
        shell.run(deed).map_err(|failure| format!("{deed:?}: {failure:?}"))
    }

    /// Without further cuts the board gets to the new system, committed and on record.
    pub fn converge(&self, board: &Board) -> Result<(), String> {
        let mut board = board.clone();
        for _ in 0..LIVES_MAX {
            self.inspect(&board)?;
            let (booted, power) = self.live(&board, Wish::Update)?;
            board = loss::end(&board, &power.tape(), self.scene.parts);
            if booted == self.scene.target() {
                return self.finished(&board, &power);
            }
        }
        Err(format!("not updated after {LIVES_MAX} boots"))
    }

    fn finished(&self, board: &Board, power: &Power) -> Result<(), String> {
        self.inspect(board)?;
        let target = self.scene.target();
        let loaded = uboot::load(&board.stores[2], &board.stores[3]).ok_or("no environment")?;
        if loaded.tries() {
            return Err("still on trial".to_owned());
        }
        self.ask_why(power, board, target)?;
        let provides = board.data.provides(target).unwrap_or_default();
        let wanted = format!("artifact_name={NAME}\nrootfs-image.version={NAME}\n");
        if provides == wanted.as_bytes() {
            Ok(())
        } else {
            Err(format!("the new system provides {:?}", String::from_utf8_lossy(provides)))
        }
    }
}

/// Whether `reason` is the one that an attempt was given up for.
fn is_reason(reason: &str, happened: Outcome, attempt: Attempt) -> bool {
    let is_asked = reason == ASKED;
    happened != Outcome::RolledBack || attempt.asked.is_none_or(|asked| asked == is_asked)
}

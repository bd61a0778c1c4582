//! What the program's commands do with the core, on a simulated board: the same calls in the
//! same order as `src/installer.rs` and `src/trial.rs`, and no decision of their own.

use twinslot::artifact::compat::Device;
use twinslot::artifact::header::PassOver;
use twinslot::artifact::trust::Keys;
use twinslot::artifact::{self, Accepted};
use twinslot::boot::Disagreement;
use twinslot::device::Cause;
use twinslot::environment::{self, Environment, SetError};
use twinslot::journal::outcome::{self, Now};
use twinslot::journal::{Event, Journal as _, records};
use twinslot::memory::Buffers;
use twinslot::provides::Provides;
use twinslot::slot::medium::{Check, Work};
use twinslot::slot::{BootedSlot, InactiveSlot, Parts, Slot, State};
use twinslot::stream::block::Unchanged;
use twinslot::stream::relay::InTurn;
use twinslot::update::checkpoint::{Checkpoint, Checkpoints};
use twinslot::update::{self, ArmedBy, Means, Target};
use uboot_env::Layout;

use super::artifact::{DEVICE_TYPE, Plain, Source};
use super::device::{Copies, Records, SlotDevice, Unseen};
use super::power::Power;
use super::tape::Deed;
use super::uboot::COPY_BYTES;
use super::{pool, store::Place};

/// What the records say of a rollback.
pub const ASKED: &str = "as asked";

/// Why a command did not do it.
#[derive(Debug)]
pub enum Failure {
    Update(update::Error),
    /// The state of the board asks for another command.
    NotNow(&'static str),
}

impl<E: Into<update::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Update(error.into())
    }
}

/// What the commands work on.
#[derive(Debug)]
pub struct Job<'j> {
    pub artifact: &'j [u8],
    pub keys: &'j Keys,
    pub parts: Parts,
    pub unchanged: Unchanged,
    pub check: Check,
    pub block_bytes: usize,
    /// Of the slot's device; the medium may be larger.
    pub slot_bytes: u64,
    /// Between two checkpoints.
    pub step_bytes: u64,
    pub decoders: Plain,
}

/// A board that runs the system in `booted`.
#[derive(Debug)]
pub struct Shell<'s> {
    pub power: &'s Power,
    pub booted: Slot,
    pub job: &'s Job<'s>,
}

/// A place of the board in an update, as `status` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    Settled,
    Armed,
    Trial,
    /// Given up, and still running.
    Leaving,
}

impl Shell<'_> {
    /// Does it, and says so on the tape when it is done.
    pub fn run(&self, deed: Deed) -> Result<(), Failure> {
        self.power.begin(deed);
        let done = match deed {
            Deed::Install => self.install(),
            Deed::Commit | Deed::Rollback | Deed::Disarm => self.decide(deed),
            Deed::Repair => self.repair(),
        };
        if done.is_ok() {
            self.power.said(deed);
        }
        done
    }

    pub fn stand(&self) -> Result<Stand, Failure> {
        let mut buffers = pool::claim();
        let environment = self.look(&mut buffers.environment);
        let booted = BootedSlot::assertion(self.booted, self.job.parts);
        match booted.state(&environment.boot()?) {
            Ok(State::Settled(_)) => Ok(Stand::Settled),
            Ok(State::Armed(_)) => Ok(Stand::Armed),
            Ok(State::Trial(_)) => Ok(Stand::Trial),
            Err(Disagreement::OtherNext { .. }) => Ok(Stand::Leaving),
            Err(other) => Err(environment::Error::from(other).into()),
        }
    }

    fn look<'m>(&self, buffers: &'m mut [environment::CopyBuffer; 2]) -> Environment<'m, Copies> {
        Environment::look(Copies(self.power.clone()), Layout::Redundant, COPY_BYTES, buffers)
    }

    fn state(&self, environment: &Environment<'_, Copies>) -> Result<State, Failure> {
        let booted = BootedSlot::assertion(self.booted, self.job.parts);
        let state = booted.state(&environment.boot()?);
        state.map_err(|error: Disagreement| environment::Error::from(error).into())
    }

    fn records(&self) -> Records {
        Records(self.power.clone())
    }

    fn install(&self) -> Result<(), Failure> {
        let done = self.attempt();
        if let Err(failure) = &done {
            let reason = format!("{failure:?}");
            // As the program: a failure that cannot be kept is only told.
            let _: Result<(), Cause> =
                self.records().append(Event::Failed { code: "failed", reason: &reason });
        }
        done
    }

    fn attempt(&self) -> Result<(), Failure> {
        let mut buffers = pool::claim();
        let Buffers { ring, held, head, environment, header } = &mut *buffers;
        let mut environment = self.look(environment);
        let slot = self.ready(&mut environment)?;
        let mut provides = self.provides();
        let room = artifact::Room { scratch: &mut held.0, texts: header, scripts: &mut PassOver };
        let mut decoders = self.job.decoders;
        let source = Source(self.job.artifact);
        let opened = artifact::open(source, self.job.keys, room, &mut decoders)?;
        let accepted = opened.accept(&Device { device_type: DEVICE_TYPE, provides: &provides })?;
        let Accepted::Image(image) = accepted else {
            return Err(Failure::NotNow("no system in it"));
        };
        let (unchanged, check) = (self.job.unchanged, self.job.check);
        let work = Work { held, head, unchanged, check };
        let device = self.device(slot.slot());
        let target = Target { slot, device, ring, work };
        let mut means = Means {
            environment: &mut environment,
            journal: &mut self.records(),
            provides: &mut provides,
            progress: &mut Unseen,
            relay: &mut InTurn,
            stop: &|| false,
            checkpoints: self.checkpoints(),
        };
        let written = update::write(image, &mut decoders, target, &mut means);
        self.power.resumed(means.checkpoints.resumed_bytes);
        // Between these two the program runs the state scripts of the artifact.
        update::arm(written?, means.environment, means.journal)?;
        Ok(())
    }

    fn checkpoints(&self) -> Checkpoints {
        let last = self.power.data().checkpoint;
        let last = last.and_then(|line| Checkpoint::parse(&line));
        Checkpoints::after(last, self.job.step_bytes)
    }

    fn ready(&self, environment: &mut Environment<'_, Copies>) -> Result<InactiveSlot, Failure> {
        update::two_copies(environment)?;
        // What is told of the attempt before must not be lost with a cache.
        environment.begin().map(|_| ())?;
        let slot = match self.state(environment)? {
            State::Settled(settled) => settled.inactive(),
            State::Armed(_) => return Err(Failure::NotNow("armed")),
            State::Trial(_) => return Err(Failure::NotNow("on trial")),
        };
        let serial = environment.current()?.1.serial();
        let now = Now { next: self.booted, in_progress: false, serial };
        let journal = self.power.data().journal;
        let last = outcome::last(records(&journal), now);
        update::conclude(&last, &mut self.records()).map_err(update::Error::Journal)?;
        Ok(slot)
    }

    fn provides(&self) -> Provides {
        let data = self.power.data();
        Provides::parse(data.provides(self.booted).unwrap_or_default()).unwrap()
    }

    fn device(&self, slot: Slot) -> SlotDevice {
        let (size_bytes, block_bytes) = (self.job.slot_bytes, self.job.block_bytes);
        let medium = self.power.content(Place::Slot(slot)).len_bytes();
        assert!(size_bytes <= u64::try_from(medium).unwrap());
        SlotDevice { power: self.power.clone(), slot, size_bytes, block_bytes }
    }

    fn decide(&self, deed: Deed) -> Result<(), Failure> {
        let mut buffers = pool::claim();
        let mut environment = self.look(&mut buffers.environment);
        environment.begin().map(|_| ())?;
        let mut records = self.records();
        let recorded = match (self.state(&environment)?, deed) {
            (State::Trial(trial), Deed::Commit) => {
                update::commit(trial, self.armed_by(), &mut environment, &mut records)?
            }
            (State::Trial(trial), Deed::Rollback) => {
                update::rollback(trial, ASKED, &mut environment, &mut records)?
            }
            (State::Armed(armed), Deed::Disarm) => {
                update::disarm(armed, ASKED, &mut environment, &mut records)?
            }
            _ => return Err(Failure::NotNow("nothing to decide")),
        };
        // Done, and perhaps not on record: the program warns.
        let _: update::Recorded = recorded;
        Ok(())
    }

    /// Whether the last attempt on record is this program's and ended in arming this slot.
    fn armed_by(&self) -> ArmedBy {
        let journal = self.power.data().journal;
        let last = records(&journal).filter_map(|record| match record.event {
            Event::Armed { slot, .. } => Some(slot == self.booted),
            // Power was lost before it came to that.
            Event::Reverting { .. } => None,
            _ => Some(false),
        });
        if last.last() == Some(true) { ArmedBy::Us } else { ArmedBy::Another }
    }

    fn repair(&self) -> Result<(), Failure> {
        let mut buffers = pool::claim();
        let mut environment = self.look(&mut buffers.environment);
        let repaired = environment.begin().map_err(SetError::from).and_then(|t| t.repair());
        repaired.map_err(environment::Error::from)?;
        Ok(())
    }
}

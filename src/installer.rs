//! An installation on this machine: the locks, the records and the devices around the core's
//! story. Never says where the artifact comes from, and never reboots.

use std::fmt::Display;

use twinslot::artifact::compat::Device;
use twinslot::artifact::trust::Keys;
use twinslot::artifact::{self, Accepted, Image, Texts};
use twinslot::environment::Environment;
use twinslot::journal::{Event, Journal as _};
use twinslot::memory::{Aligned, Block, Buffers, HEAD_BYTES, RING_BLOCKS};
use twinslot::progress::{Phase, Progress};
use twinslot::provides::Provides;
use twinslot::slot::medium::{self, Check, WrittenSlot};
use twinslot::slot::{InactiveSlot, Slot, State};
use twinslot::stream::Source;
use twinslot::stream::block::Unchanged;
use twinslot::update::checkpoint::Checkpoints;
use twinslot::update::{self, Means, Target};

use crate::config::Config;
use crate::decode::HeapDecoders;
use crate::failure::{Exit, Failure};
use crate::health::Checks;
use crate::health::results::{Occasion, Results};
use crate::machine::Machine;
use crate::scripts::State::Download;
use crate::scripts::Transition::{Enter, Error, Leave};
use crate::scripts::{Keeper, Scripts, patiently, until};
use crate::session::{self, Place};
use crate::state::StateDir;
use crate::sys::block::{OpenError, SlotDevice};
use crate::sys::env::EnvFiles;
use crate::sys::lock::UpdaterLock;
use crate::sys::number::{DeviceNumber, read_text};
use crate::sys::{self, holder};
use crate::threads::Threads;
use crate::{aftermath, trust};

mod arming;
mod lean;

use lean::Lean;

/// What is to be installed, and how.
pub(crate) struct Order<'o, R, P> {
    pub(crate) config: &'o Config,
    /// The artifact's bytes; nothing is read before this machine is known to take an update.
    pub(crate) input: R,
    pub(crate) resume: Resume,
    /// Why reading from it failed, where that has more to say than reading could.
    pub(crate) reason: &'o dyn Fn() -> Option<Failure>,
    pub(crate) progress: &'o mut P,
    /// Whether someone asked to stop; obeyed until the slot is armed.
    pub(crate) stop: &'o dyn Fn() -> bool,
    /// The name it was offered by, where it was: an artifact by another name is refused.
    pub(crate) expected_name: Option<&'o str>,
}

/// What it is worth to know how far an installation got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// The input can pass over what the slot holds.
    Possible,
    /// Every byte of it comes in any case.
    Pointless,
}

/// Payload between two checkpoints at least, in bytes: less would save less than it costs.
const CHECKPOINT_BYTES: u64 = 4 << 20;

/// What an installation came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) artifact_name: String,
    /// The slot that is armed; none when the artifact brought no system.
    pub(crate) slot: Option<Slot>,
    /// Heap allocations between the first and the last byte of payload.
    pub(crate) allocations: u64,
    /// Payload that an attempt before had brought and that was not fetched again, in bytes.
    pub(crate) resumed_bytes: u64,
}

/// Verifies, writes, reads back and arms.
///
/// # Errors
/// Every reason for which nothing is armed; it is on record, unless the state directory or
/// another updater is the reason.
pub(crate) fn install<R, P>(order: Order<'_, R, P>, buffers: &mut Buffers) -> Result<Done, Failure>
where
    R: Source,
    P: Progress,
{
    let Order { config, input, resume, reason, progress, stop, expected_name } = order;
    let keys = trust::keys(config)?;
    let machine = Machine::find(config)?;
    let mut state = StateDir::new(&config.state_dir);
    let _lock = lock(&state)?;
    let Buffers { ring, held, head, environment, header } = buffers;
    let mut environment = session::environment(&config.fw_env_config, environment)?;
    let (slot, booted) = ready((&machine, config), &mut environment, &mut state)?;
    if DeviceNumber::holding(state.path()) == Some(machine.partition(booted).device) {
        log::warn!("the state directory is inside a slot: its records go with the slot");
    }
    let provides = state.provides(booted)?;
    let job = Job { config, machine: &machine, booted, resume, stop, expected_name };
    let room = Room { ring, held, head, header };
    let mut attempt = Attempt {
        job,
        provides,
        state: &mut state,
        environment: &mut environment,
        decoders: HeapDecoders { memory_max: config.memory_max_bytes },
        progress,
        scripts: Scripts::new(config),
        on_record: false,
    };
    let done = attempt.steps((input, &keys), slot, room);
    let done = done.map_err(|failure| reason().unwrap_or(failure));
    let on_record = attempt.on_record;
    if let (Err(failure), false) = (&done, on_record) {
        record(failure, &mut state);
    }
    done
}

/// Makes sure of the state directory and of being alone.
fn lock(state: &StateDir) -> Result<UpdaterLock, Failure> {
    state.prepare().map_err(unwritable)?;
    Ok(UpdaterLock::take(state.path())?)
}

fn unwritable(failure: sys::Failure) -> Failure {
    Failure::new(Exit::Io, "state-dir-unwritable", failure)
}

/// Makes sure that no update is in progress and that this one's records will find room.
fn ready(
    (machine, config): (&Machine, &Config),
    environment: &mut Environment<'_, EnvFiles>,
    state: &mut StateDir,
) -> Result<(InactiveSlot, Slot), Failure> {
    update::two_copies(environment)?;
    // What is told from the environment below goes on record: it must be durable first.
    drop(environment.begin()?);
    let place = Place::find(machine, environment)?;
    place.warn_without_fallback();
    let (now, booted) = (place.now(), place.booted);
    let slot = match place.state? {
        State::Settled(settled) => settled.inactive(),
        State::Armed(_) => return Err(in_progress("armed: reboot into it, or roll back")),
        State::Trial(_) => return Err(in_progress("on trial: commit it, or roll back")),
    };
    state.try_room().map_err(unwritable)?;
    aftermath::finish(config, booted, &mut patiently);
    let journal = state.journal()?;
    update::conclude(&session::last(&journal, now), state).map_err(update::Error::Journal)?;
    Ok((slot, booted))
}

fn in_progress(what: &str) -> Failure {
    let message = format!("an update is in progress already, {what}");
    Failure::new(Exit::InProgress, "update-in-progress", message)
}

/// A refusal is told by `why` too.
fn record(failure: &Failure, state: &mut StateDir) {
    let event = Event::Failed { code: failure.code, reason: &failure.message };
    if let Err(cause) = state.append(event) {
        log::warn!("the failure is not on record: {cause}");
    }
}

/// What does not change during an attempt.
#[derive(Clone, Copy)]
struct Job<'j> {
    config: &'j Config,
    machine: &'j Machine,
    booted: Slot,
    resume: Resume,
    stop: &'j dyn Fn() -> bool,
    expected_name: Option<&'j str>,
}

/// The parts of the pool that an attempt uses.
struct Room<'m> {
    ring: &'m mut [Block; RING_BLOCKS],
    held: &'m mut Block,
    head: &'m mut Aligned<HEAD_BYTES>,
    header: &'m mut Texts,
}

/// One attempt, and what it changes.
struct Attempt<'a, 'm, P> {
    job: Job<'a>,
    provides: Provides,
    state: &'a mut StateDir,
    environment: &'a mut Environment<'m, EnvFiles>,
    decoders: HeapDecoders,
    progress: &'a mut P,
    scripts: Scripts<'a>,
    /// That the attempt is over, and why, is on record already.
    on_record: bool,
}

/// What an artifact brought.
struct Brought {
    artifact_name: String,
    /// None where there was no system in it.
    written: Option<WrittenSlot>,
    allocations: u64,
    resumed_bytes: u64,
}

impl<P: Progress> Attempt<'_, '_, P> {
    fn steps<R: Source>(
        &mut self,
        (input, keys): (R, &Keys),
        slot: InactiveSlot,
        room: Room<'_>,
    ) -> Result<Done, Failure> {
        let device = open_slot(self.job.machine, slot.slot())?;
        let mut keeper = Keeper::new(self.state, slot.slot()).map_err(unwritable)?;
        let brought = self.bring((input, keys, &mut keeper), (slot, device), room);
        if brought.is_err() {
            self.scripts.run_all(&[(Download, Error)], &mut patiently);
        }
        let Brought { artifact_name, written, allocations, resumed_bytes } = brought?;
        let slot = match written {
            Some(written) => Some(self.arm(written, keeper, &artifact_name)?),
            None => None,
        };
        Ok(Done { artifact_name, slot, allocations, resumed_bytes })
    }

    /// Reads the artifact to its end, into the slot.
    fn bring<R: Source>(
        &mut self,
        (input, keys, keeper): (R, &Keys, &mut Keeper),
        (slot, device): (InactiveSlot, SlotDevice),
        room: Room<'_>,
    ) -> Result<Brought, Failure> {
        let config = self.job.config;
        let device_type = device_type(config)?;
        self.scripts.run(Download, Enter, &mut until(self.job.stop))?;
        self.progress.phase(Phase::Header, 0);
        let Room { ring, held, head, header } = room;
        let scratch = artifact::Room { scratch: &mut held.0, texts: header, scripts: keeper };
        let opened = artifact::open(input, keys, scratch, &mut self.decoders)?;
        let device_is = Device { device_type: &device_type, provides: &self.provides };
        let accepted = opened.accept(&device_is)?;
        let artifact_name = accepted.header().artifact_name().to_string();
        named_as_offered(&artifact_name, self.job.expected_name)?;
        match accepted {
            Accepted::Image(image) => {
                self.baseline(slot.slot(), &artifact_name)?;
                let work = work(config, held, head);
                let target = Target { slot, device, ring, work };
                let brought = self.image(image, target)?;
                self.scripts.run(Download, Leave, &mut until(self.job.stop))?;
                Ok(brought)
            }
            Accepted::Bootstrap(bootstrap) => {
                self.scripts.run(Download, Leave, &mut until(self.job.stop))?;
                let running = (self.job.booted, &mut self.provides);
                update::adopt(bootstrap, &mut self.decoders, running, self.state)?;
                Ok(Brought { artifact_name, written: None, allocations: 0, resumed_bytes: 0 })
            }
        }
    }

    fn image<R: Source>(
        &mut self,
        image: Image<'_, R>,
        target: Target<'_, SlotDevice>,
    ) -> Result<Brought, Failure> {
        let artifact_name = image.header().artifact_name().to_string();
        let checkpoints = self.checkpoints();
        let mut progress = Lean::new(&mut *self.progress);
        let mut threads = Threads::default();
        let mut means = Means {
            checkpoints,
            environment: self.environment,
            journal: self.state,
            provides: &mut self.provides,
            progress: &mut progress,
            relay: &mut threads,
            stop: self.job.stop,
        };
        let written = Some(update::write(image, &mut self.decoders, target, &mut means)?);
        let resumed_bytes = means.checkpoints.resumed_bytes;
        let allocations = threads.allocations();
        Ok(Brought { artifact_name, written, allocations, resumed_bytes })
    }

    /// How far the attempt before got, where that helps.
    fn checkpoints(&self) -> Checkpoints {
        match self.job.resume {
            Resume::Possible => Checkpoints::after(self.state.checkpoint(), CHECKPOINT_BYTES),
            Resume::Pointless => Checkpoints::none(),
        }
    }

    /// What the health checks say of the running system, for the trial of the next one.
    fn baseline(&self, slot: Slot, artifact: &str) -> Result<(), Failure> {
        let config = self.job.config;
        Results::forget(Occasion::Before, self.state).map_err(unwritable)?;
        if !config.health_baseline {
            return Ok(());
        }
        let checks = match Checks::new(config).run(&mut until(self.job.stop)) {
            Ok(checks) => checks,
            Err(unreadable) => {
                log::warn!("no baseline: {unreadable}");
                return Ok(());
            }
        };
        if (self.job.stop)() {
            return Err(update::Error::Interrupted.into());
        }
        let results = Results { slot, artifact: artifact.to_owned(), checks };
        results.keep(Occasion::Before, self.state).map_err(unwritable)
    }
}

/// What was offered must be what came.
fn named_as_offered(artifact_name: &str, expected: Option<&str>) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != artifact_name => {
            let message = format!("the artifact is {artifact_name}, but {expected} was offered");
            Err(Failure::new(Exit::Refused, "artifact-name-mismatch", message))
        }
        _ => Ok(()),
    }
}

/// What writing the slot works with, as configured.
fn work<'m>(
    config: &Config,
    held: &'m mut Block,
    head: &'m mut Aligned<HEAD_BYTES>,
) -> medium::Work<'m> {
    medium::Work {
        held,
        head,
        check: if config.read_back { Check::Everything } else { Check::Head },
        unchanged: if config.skip_unchanged { Unchanged::Skip } else { Unchanged::Rewrite },
    }
}

/// Opens the slot for this program alone; one that is in use is told with who uses it.
fn open_slot(machine: &Machine, slot: Slot) -> Result<SlotDevice, Failure> {
    SlotDevice::open(&machine.partition(slot).path).map_err(|error| match error {
        OpenError::Busy { number, .. } => {
            let message = format!("slot {slot}: {error}: {}", holder::of(number));
            Failure { message, ..Failure::from(error) }
        }
        error => {
            let message = format!("slot {slot}: {error}");
            Failure { message, ..Failure::from(error) }
        }
    })
}

/// What the device is: configured, or the line `device_type=` of the file.
///
/// # Errors
/// Neither says.
pub(crate) fn device_type(config: &Config) -> Result<String, Failure> {
    if let Some(device_type) = &config.device_type {
        return Ok(device_type.clone());
    }
    let path = &config.device_type_file;
    let missing = |reason: &dyn Display| {
        let message = format!("the device type is unknown: {}: {reason}", path.display());
        Failure::new(Exit::Usage, "device-type-unknown", message)
    };
    let text = read_text(path).map_err(|error| missing(&sys::cause(&error)))?;
    let value = text.lines().find_map(|line| line.trim().strip_prefix("device_type="));
    let value = value.map(str::trim).filter(|value| !value.is_empty());
    value.map(str::to_owned).ok_or_else(|| missing(&"no line device_type=NAME"))
}

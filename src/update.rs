//! An update, in order: write, arm, then at the next boot commit or roll back. Every step
//! spends the proof that the one before it left.

use core::fmt::Write as _;

use crate::artifact::header::{Header, WORD_MAX_BYTES};
use crate::artifact::{self, Bootstrap, Image, Payload};
use crate::boot::{BootVars, Changes, Disagreement};
use crate::device::{BlockDevice, Cause, EnvStore};
use crate::environment::{self, Environment, Transaction};
use crate::journal;
use crate::journal::outcome::{Last, Outcome};
use crate::journal::{Event, Journal};
use crate::memory::{Block, RING_BLOCKS};
use crate::progress::{Phase, Progress};
use crate::provides::Provides;
use crate::slot::medium::{self, Work, WrittenSlot};
use crate::slot::{Armed, BootedSlot, InactiveSlot, Slot, Trial};
use crate::stream::Source;
use crate::stream::decode::{Decoder, Decoders};
use crate::stream::relay::Relay;

pub mod checkpoint;
mod error;
mod fill;

use checkpoint::{Checkpoint, Checkpoints};

pub use error::Error;

/// What an installation works with, besides the artifact and the slot.
pub struct Means<'t, 'm, S, J, P, L> {
    /// Says that nothing is armed, until the end.
    pub environment: &'t mut Environment<'m, S>,
    /// Keeps the records.
    pub journal: &'t mut J,
    /// What the running system provides; becomes what the new one will.
    pub provides: &'t mut Provides,
    /// Shows what goes on.
    pub progress: &'t mut P,
    /// Runs the stages.
    pub relay: &'t mut L,
    /// What the attempt before left, and what this one leaves.
    pub checkpoints: Checkpoints,
    /// Whether someone asked to stop; obeyed until the slot is armed.
    pub stop: &'t dyn Fn() -> bool,
}

/// Where the payload goes, and the room it needs on the way.
pub struct Target<'m, D> {
    /// Proof that the slot may be written.
    pub slot: InactiveSlot,
    /// Its device, open for this program alone.
    pub device: D,
    /// Payload on its way.
    pub ring: &'m mut [Block; RING_BLOCKS],
    /// What writing the slot works with.
    pub work: Work<'m>,
}

/// Writes an accepted artifact's payload into the slot that is not running, and proves that the
/// medium holds it. [`arm`] is what follows.
///
/// # Errors
/// [`Error`]. Before the first write: an artifact or slot that does not fit, an environment that
/// was changed meanwhile, a state directory that takes no record. After it the slot cannot be
/// started, and nothing names it.
pub fn write<R, C, D, S, J, P, L>(
    mut image: Image<'_, R>,
    decoders: &mut C,
    target: Target<'_, D>,
    means: &mut Means<'_, '_, S, J, P, L>,
) -> Result<WrittenSlot, Error>
where
    R: Source,
    C: Decoders,
    D: BlockDevice + Send,
    S: EnvStore,
    J: Journal,
    P: Progress,
    L: Relay,
{
    let Target { slot, device, ring, work } = target;
    let header = image.header();
    let payload = image.payload(decoders)?;
    let (size_bytes, digest) = (payload.size_bytes(), payload.digest());
    let roomy = slot.fit(device, size_bytes, work)?;
    means.provides.apply(&header)?;
    // The artifact may have kept us waiting: the proof must still hold when the slot is opened.
    drop(expect(means.environment, roomy.booted(), Stand::Settled)?);
    begin(means.journal, roomy.slot(), &header)?;
    let last = usable(&payload, roomy.slot(), means)?;
    means.progress.phase(Phase::Write, size_bytes);
    let mut open = roomy.open()?;
    let filled = fill::fill(&mut open, (payload, last), ring, means);
    let proven = filled.and_then(|(found, drained)| {
        let _: artifact::Whole = image.finish(drained)?;
        if (means.stop)() {
            return Err(Error::Interrupted);
        }
        Ok(open.finish(found, digest, means.progress)?)
    });
    if proven.as_ref().is_err_and(|error| !outlives(error)) {
        // Should this fail too, the next attempt finds out as this one did.
        let _ = means.journal.discard();
    }
    let written = proven?;
    means.journal.discard().map_err(Error::Journal)?;
    means.journal.remember(written.slot(), means.provides).map_err(Error::Journal)?;
    Ok(written)
}

/// The checkpoint, if it is of this payload; of another, what it says is about to be untrue.
fn usable<R: Decoder, S, J: Journal, P, L>(
    payload: &Payload<R>,
    slot: Slot,
    means: &mut Means<'_, '_, S, J, P, L>,
) -> Result<Option<Checkpoint>, Error> {
    let last = means.checkpoints.last.take().filter(|last| last.is_of(payload, slot));
    if last.is_none() {
        means.journal.discard().map_err(Error::Journal)?;
    }
    Ok(last)
}

/// Whether the next attempt may go on where the one that ended so was: not where what was kept may
/// itself be the reason.
fn outlives(error: &Error) -> bool {
    match error {
        Error::Artifact(error) => error.kind() == artifact::Kind::Io,
        Error::Slot(error) => matches!(error, medium::Error::Fault(_)),
        _ => true,
    }
}

/// The records that stand before the first write: what is about to happen, and that what was in
/// the slot is gone.
fn begin(journal: &mut impl Journal, slot: Slot, header: &Header<'_>) -> Result<(), Error> {
    let name = name(header);
    journal.append(Event::Started { slot, artifact: &name }).map_err(Error::Journal)?;
    journal.forget(slot).map_err(Error::Journal)
}

fn name(header: &Header<'_>) -> heapless::String<WORD_MAX_BYTES> {
    let mut name = heapless::String::new();
    // The header's own bound is the same.
    let _ = write!(name, "{}", header.artifact_name());
    name
}

/// Makes the boot loader try the written slot at the next boot.
///
/// # Errors
/// The environment was changed meanwhile, or could not be written: nothing is armed, unless the
/// medium lies about what it took.
pub fn arm<S: EnvStore, J: Journal>(
    written: WrittenSlot,
    environment: &mut Environment<'_, S>,
    journal: &mut J,
) -> Result<Armed, Error> {
    let slot = written.slot();
    let booted = written.into_booted();
    let (transaction, serial) = expect(environment, &booted, Stand::Settled)?;
    journal.append(Event::Armed { slot, serial }).map_err(Error::Journal)?;
    save(transaction, &Changes::arm(&booted))?;
    Ok(Armed { booted })
}

/// Who armed the slot on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArmedBy {
    /// This program: what the slot provides is on record.
    Us,
    /// Another client: what is on record is of an older system in that slot.
    Another,
}

/// Whether a record of what was done could be kept. The step itself is done in either case: a
/// full disk must not keep a board from committing or going back.
pub type Recorded = Result<(), Cause>;

/// Keeps the slot on trial.
///
/// # Errors
/// The environment; the slot is then still on trial.
pub fn commit<S: EnvStore, J: Journal>(
    trial: Trial,
    armed_by: ArmedBy,
    environment: &mut Environment<'_, S>,
    journal: &mut J,
) -> Result<Recorded, Error> {
    let booted = trial.booted;
    let (transaction, _) = expect(environment, &booted, Stand::Trial)?;
    let forgotten = match armed_by {
        ArmedBy::Us => Ok(()),
        ArmedBy::Another => journal.forget(booted.slot()),
    };
    save(transaction, &Changes::commit())?;
    Ok(forgotten.and_then(|()| journal.append(Event::Committed)))
}

/// Gives up the slot on trial: the next boot starts the other one again.
///
/// # Errors
/// The environment; the slot is then still on trial, and the boot loader falls back by itself.
pub fn rollback<S: EnvStore, J: Journal>(
    trial: Trial,
    reason: &str,
    environment: &mut Environment<'_, S>,
    journal: &mut J,
) -> Result<Recorded, Error> {
    let booted = trial.booted;
    let changes = Changes::rollback(&booted);
    revert(Reversal { booted, stand: Stand::Trial, changes, reason }, environment, journal)
}

/// Gives up the slot that is armed and was not booted yet.
///
/// # Errors
/// The environment; the slot is then still armed.
pub fn disarm<S: EnvStore, J: Journal>(
    armed: Armed,
    reason: &str,
    environment: &mut Environment<'_, S>,
    journal: &mut J,
) -> Result<Recorded, Error> {
    let booted = armed.booted;
    let changes = Changes::disarm(&booted);
    revert(Reversal { booted, stand: Stand::Armed, changes, reason }, environment, journal)
}

/// A way back.
struct Reversal<'r> {
    booted: BootedSlot,
    stand: Stand,
    changes: Changes,
    reason: &'r str,
}

fn revert<S: EnvStore, J: Journal>(
    reversal: Reversal<'_>,
    environment: &mut Environment<'_, S>,
    journal: &mut J,
) -> Result<Recorded, Error> {
    let Reversal { booted, stand, changes, reason } = reversal;
    let (transaction, serial) = expect(environment, &booted, stand)?;
    let recorded = journal.append(Event::Reverting { serial, reason });
    save(transaction, &changes)?;
    Ok(recorded.and_then(|()| journal.append(Event::RolledBack { reason })))
}

/// Takes an artifact that brings no system, only words about the one that runs.
///
/// # Errors
/// The artifact has more in it than that, or no record can be kept; nothing is changed then.
pub fn adopt<R, C, J>(
    bootstrap: Bootstrap<'_, R>,
    decoders: &mut C,
    (booted, provides): (Slot, &mut Provides),
    journal: &mut J,
) -> Result<(), Error>
where
    R: Source,
    C: Decoders,
    J: Journal,
{
    let header = bootstrap.header();
    let _: artifact::Whole = bootstrap.finish(decoders)?;
    provides.apply(&header)?;
    let name = name(&header);
    journal.remember(booted, provides).map_err(Error::Journal)?;
    journal.append(Event::Adopted { artifact: &name }).map_err(Error::Journal)
}

/// Records how the attempt before ended, where that was told from the board and not from the
/// records: the next attempt would hide it.
///
/// # Errors
/// No record can be kept.
pub fn conclude(last: &Last<'_>, journal: &mut impl Journal) -> Recorded {
    let mut reason = heapless::String::<{ journal::LINE_BYTES }>::new();
    if let Some(told) = &last.reason {
        // What came out of a line fits one.
        let _ = write!(reason, "{told}");
    }
    let event: Event<&str> = match last.outcome {
        _ if last.recorded => return Ok(()),
        Outcome::None => return Ok(()),
        Outcome::Committed => Event::Committed,
        Outcome::RolledBack => Event::RolledBack { reason: &reason },
        Outcome::Failed => Event::Failed { code: "interrupted", reason: &reason },
    };
    journal.append(event)
}

/// Refuses an environment that a power cut can destroy.
///
/// # Errors
/// [`Error::OneCopy`].
pub fn two_copies<S: EnvStore>(environment: &Environment<'_, S>) -> Result<(), Error> {
    if environment.found().count() < 2 { Err(Error::OneCopy) } else { Ok(()) }
}

/// Where the environment must still say the board is.
#[derive(Clone, Copy)]
enum Stand {
    Settled,
    Armed,
    Trial,
}

/// Locks the environment and makes sure that it still says what the proof says. With it comes
/// the serial before the change.
fn expect<'t, 'm, S: EnvStore>(
    environment: &'t mut Environment<'m, S>,
    booted: &BootedSlot,
    stand: Stand,
) -> Result<(Transaction<'t, 'm, S>, u8), Error> {
    two_copies(environment)?;
    let transaction = environment.begin()?;
    let BootVars { boot_part, upgrade_available, .. } = transaction.boot()?;
    let (expected, named) = match stand {
        Stand::Settled => (false, booted.slot()),
        Stand::Armed => (true, booted.slot().other()),
        Stand::Trial => (true, booted.slot()),
    };
    if (upgrade_available, boot_part) != (expected, booted.parts().number(named)) {
        return Err(environment::Error::from(Disagreement::Changed).into());
    }
    let serial = transaction.serial()?;
    Ok((transaction, serial))
}

fn save<S: EnvStore>(transaction: Transaction<'_, '_, S>, changes: &Changes) -> Result<(), Error> {
    let changes: heapless::Vec<_, 4> = changes.iter().collect();
    Ok(transaction.save(&changes).map_err(environment::Error::from)?)
}

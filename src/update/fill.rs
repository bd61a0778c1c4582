//! Payload on its way into the slot: from its start, or from where an attempt before got to.
//! Never lets a byte into the slot, or leaves one there, that is not in the digest.

use embedded_io::Read as _;

use super::checkpoint::{Checkpoint, Checkpoints};
use super::{Error, Means};
use crate::artifact::{self, Payload};
use crate::device::BlockDevice;
use crate::journal::Journal;
use crate::memory::{ALIGN_BYTES, BLOCK_BYTES, Block, HEAD_BYTES, RING_BLOCKS};
use crate::progress::Progress;
use crate::slot::medium::OpenSlot;
use crate::stream;
use crate::stream::block::Put;
use crate::stream::decode::{Decoder, Mark, WINDOW_BYTES};
use crate::stream::digest::{Digest, Hasher};
use crate::stream::relay::{Filled, Relay, Stages};

/// All of the payload into the slot, what `last` says is there already left where it is; returns
/// the digest of all of it.
pub(super) fn fill<R, D, S, J, P, L>(
    open: &mut OpenSlot<'_, D>,
    (mut payload, last): (Payload<R>, Option<Checkpoint>),
    ring: &mut [Block; RING_BLOCKS],
    means: &mut Means<'_, '_, S, J, P, L>,
) -> Result<(Digest, artifact::Drained), Error>
where
    R: Decoder,
    D: BlockDevice + Send,
    J: Journal,
    P: Progress,
    L: Relay,
{
    let start = match last {
        Some(last) => resume(open, (&mut payload, &last), means)?,
        None => Start::default(),
    };
    let Start { at_byte, resumed_bytes, rest, mut hasher } = start;
    means.checkpoints.resumed_bytes = resumed_bytes;
    let mut inflow = Inflow::new(&mut payload, (at_byte, rest), &means.checkpoints);
    let (stop, origin) = (means.stop, inflow.payload.origin());
    let (progress, journal) = (&mut *means.progress, &mut *means.journal);
    let mut outflow = Outflow { open, at_byte, skipped: at_byte };
    means.relay.carry(
        ring,
        Stages {
            fill: &mut |bytes| inflow.fill(bytes, stop),
            digest: &mut |bytes, note| digest(&mut hasher, bytes, note),
            put: &mut |block, (len, note): Filled<Option<Note>>| {
                outflow.put(block, len)?;
                progress.advance(outflow.at_byte, outflow.skipped);
                let Some(Note { at_byte, so_far, mark, .. }) = note else { return Ok(()) };
                let slot = outflow.open.slot();
                outflow.open.flush()?;
                let checkpoint = Checkpoint { slot, origin, at_byte, so_far, mark };
                // One that cannot be kept costs the next attempt time, and this one nothing.
                let _ = journal.keep(&checkpoint.line());
                Ok::<(), Error>(())
            },
        },
    )?;
    Ok((hasher.finish(), payload.finish()?))
}

/// Where payload begins to come.
#[derive(Default)]
struct Start {
    /// Begins at a block of the device. What is before is in the slot, or is its head in memory.
    at_byte: u64,
    /// How much is not fetched again.
    resumed_bytes: u64,
    /// The payload from `at_byte` on that is in the slot too and does not fill a block.
    rest: Rest,
    /// Of all before `at_byte`.
    hasher: Hasher,
}

/// A few bytes, less than a block of any device.
struct Rest {
    bytes: [u8; ALIGN_BYTES],
    len: usize,
}

impl Default for Rest {
    fn default() -> Self {
        Self { bytes: [0; ALIGN_BYTES], len: 0 }
    }
}

impl Rest {
    fn of(bytes: &[u8]) -> Self {
        let mut rest = Self { len: bytes.len().min(ALIGN_BYTES), ..Self::default() };
        rest.bytes[..rest.len].copy_from_slice(&bytes[..rest.len]);
        rest
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Goes on where `last` says, if the slot holds what it says; behind the head, if not.
fn resume<R, D, S, J, P, L>(
    open: &mut OpenSlot<'_, D>,
    (payload, last): (&mut Payload<R>, &Checkpoint),
    means: &mut Means<'_, '_, S, J, P, L>,
) -> Result<Start, Error>
where
    R: Decoder,
    D: BlockDevice + Send,
    J: Journal,
    P: Progress,
{
    let (head, mut hasher) = (open.head(), Hasher::default());
    next(payload, head, means.stop)?;
    hasher.update(head);
    let mut held = hasher.clone();
    let at_byte = open.block_start(last.at_byte);
    let recalled = recall(open, (at_byte, &mut held), means)?;
    if let Some(before) = recalled.then(|| before(open, last.at_byte)).flatten() {
        let rest = length(last.at_byte - at_byte);
        let rest = Rest::of(&before[before.len().saturating_sub(rest)..]);
        let mut so_far = held.clone();
        so_far.update(rest.as_slice());
        if so_far.finish() == last.so_far {
            let window = &before[before.len().saturating_sub(WINDOW_BYTES)..];
            payload.resume(last.mark, window).map_err(|error| stopped(error, means.stop))?;
            let resumed_bytes = last.at_byte.saturating_sub(distance(HEAD_BYTES));
            return Ok(Start { at_byte, resumed_bytes, rest, hasher: held });
        }
    }
    // Somebody else wrote there since.
    means.journal.discard().map_err(Error::Journal)?;
    Ok(Start { at_byte: distance(HEAD_BYTES), hasher, ..Start::default() })
}

/// Digests what the slot holds between its head and `end`; `false` where it cannot be read.
fn recall<D, S, J, P, L>(
    open: &mut OpenSlot<'_, D>,
    (end, hasher): (u64, &mut Hasher),
    means: &mut Means<'_, '_, S, J, P, L>,
) -> Result<bool, Error>
where
    D: BlockDevice + Send,
    P: Progress,
{
    let mut at_byte = distance(HEAD_BYTES);
    while at_byte < end {
        if (means.stop)() {
            return Err(Error::Interrupted);
        }
        let len = length(end - at_byte);
        let Ok(bytes) = open.held(at_byte, len) else { return Ok(false) };
        hasher.update(bytes);
        at_byte = at_byte.saturating_add(distance(len));
        means.progress.advance(at_byte, at_byte);
    }
    Ok(true)
}

/// What the slot holds before `end`: a window and the rest of a block at least.
fn before<'o, D: BlockDevice>(open: &'o mut OpenSlot<'_, D>, end: u64) -> Option<&'o [u8]> {
    let least = distance(WINDOW_BYTES + ALIGN_BYTES);
    let from = open.block_start(end.checked_sub(least)?);
    open.held(from, length(end - from)).ok()
}

/// The payload as it comes.
struct Inflow<'p, R> {
    payload: &'p mut Payload<R>,
    at_byte: u64,
    rest: Rest,
    /// The first byte that the next checkpoint may be at.
    due_byte: u64,
    step_bytes: u64,
}

impl<'p, R: Decoder> Inflow<'p, R> {
    fn new(
        payload: &'p mut Payload<R>,
        (at_byte, rest): (u64, Rest),
        checkpoints: &Checkpoints,
    ) -> Self {
        let size_bytes = payload.size_bytes();
        let step_bytes = checkpoints.step_bytes(size_bytes);
        let due_byte = at_byte.saturating_add(step_bytes).max(checkpoints.first_byte(size_bytes));
        Self { payload, at_byte, rest, due_byte, step_bytes }
    }

    /// Fills `bytes`, less where the payload ends, and where it begins inside of a block: all
    /// other blocks begin where they do when the payload comes from its start.
    fn fill(
        &mut self,
        bytes: &mut [u8],
        stop: &dyn Fn() -> bool,
    ) -> Result<Filled<Option<Note>>, Error> {
        let base_byte = self.at_byte;
        let inside = length(base_byte % distance(BLOCK_BYTES));
        let room = bytes.len().min(BLOCK_BYTES - inside);
        let bytes = &mut bytes[..room];
        let rest = core::mem::take(&mut self.rest);
        let (known, more) = bytes.split_at_mut(rest.len);
        known.copy_from_slice(rest.as_slice());
        let len = rest.len + next(self.payload, more, stop)?;
        self.at_byte = base_byte.saturating_add(distance(len));
        Ok((len, self.note(base_byte)))
    }

    /// Whether a checkpoint is due, in the block that begins at `base_byte`.
    fn note(&mut self, base_byte: u64) -> Option<Note> {
        let (at_byte, mark) = self.payload.mark()?;
        let cut = at_byte.checked_sub(base_byte).filter(|_| at_byte >= self.due_byte)?;
        self.due_byte = at_byte.saturating_add(self.step_bytes);
        let cut = usize::try_from(cut).ok()?;
        Some(Note { at_byte, cut, so_far: Digest([0; 32]), mark })
    }
}

/// That a checkpoint is due in a block, and what is known of it by then.
struct Note {
    at_byte: u64,
    /// Where in the block that is.
    cut: usize,
    so_far: Digest,
    mark: Mark,
}

fn digest(hasher: &mut Hasher, bytes: &[u8], note: &mut Option<Note>) {
    let Some(note) = note else { return hasher.update(bytes) };
    let (before, after) = bytes.split_at(note.cut.min(bytes.len()));
    hasher.update(before);
    note.so_far = hasher.so_far();
    hasher.update(after);
}

/// The payload as it goes to the medium.
struct Outflow<'o, 'm, D> {
    open: &'o mut OpenSlot<'m, D>,
    at_byte: u64,
    skipped: u64,
}

impl<D: BlockDevice> Outflow<'_, '_, D> {
    fn put(&mut self, block: &mut Block, len: usize) -> Result<(), Error> {
        let put = self.open.put(self.at_byte, block, len)?;
        self.at_byte = self.at_byte.saturating_add(distance(len));
        if put == Put::Skipped {
            self.skipped = self.skipped.saturating_add(distance(len));
        }
        Ok(())
    }
}

/// Fills `bytes` with payload, less only at its end.
fn next<R: Decoder>(
    payload: &mut Payload<R>,
    bytes: &mut [u8],
    stop: &dyn Fn() -> bool,
) -> Result<usize, Error> {
    let mut len = 0;
    while len < bytes.len() {
        if stop() {
            return Err(Error::Interrupted);
        }
        match payload.read(&mut bytes[len..]) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) => return Err(stopped(error, stop)),
        }
    }
    Ok(len)
}

/// A signal ends the wait for a slow source.
fn stopped(error: stream::Error, stop: &dyn Fn() -> bool) -> Error {
    match error {
        stream::Error::Source(_) if stop() => Error::Interrupted,
        error => error.into(),
    }
}

/// A length in memory as a distance on the device.
fn distance(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// A distance on the device as a length in memory, at most a block.
fn length(distance: u64) -> usize {
    usize::try_from(distance).map_or(BLOCK_BYTES, |len| len.min(BLOCK_BYTES))
}

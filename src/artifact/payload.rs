//! The payload of an artifact as it streams past: from its start, or from a place that an attempt
//! before got to. Never takes its bytes for those that were signed.

use embedded_io::Read;

use super::Error;
use super::excerpt::Excerpt;
use super::tar::Archive;
use crate::stream;
use crate::stream::decode::{Decoder, Mark};
use crate::stream::digest::Digest;

/// What tells one compressed payload from another. Two with one origin are taken for the same
/// stream; should they not be, the payload's digest finds out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Of the payload, as it was signed.
    pub digest: Digest,
    /// Of the header as it is stored, which was signed with it: another build has another one.
    pub header: Digest,
    /// How many bytes of payload there are.
    pub size_bytes: u64,
    /// How many the payload's archive has as it is stored.
    pub stored_bytes: u64,
}

/// The bytes for the slot. Not yet those that were signed: whoever reads them all checks
/// [`Payload::digest`].
///
/// ```compile_fail,E0451
/// use twinslot::artifact::Payload;
/// fn forge<D>(payload: Payload<D>) -> Payload<D> {
///     Payload { start_byte: 0, ..payload }
/// }
/// ```
/// ```compile_fail,E0616
/// fn bend<D>(payload: &mut twinslot::artifact::Payload<D>) {
///     payload.origin.digest.0 = [0; 32];
/// }
/// ```
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<twinslot::artifact::Payload<&[u8]>>();
/// ```
#[derive(Debug)]
pub struct Payload<D> {
    inner: Archive<D>,
    /// Where in the content of the compressed stream it begins.
    start_byte: u64,
    origin: Origin,
}

impl<D: Decoder> Payload<D> {
    /// The member begun last of `inner`, of which nothing was read.
    pub(super) fn begun(inner: Archive<D>, origin: Origin) -> Self {
        let start_byte = inner.at_byte();
        Self { inner, start_byte, origin }
    }

    /// How many bytes there are in all.
    pub fn size_bytes(&self) -> u64 {
        self.origin.size_bytes
    }

    /// The digest of all bytes, as it was signed.
    pub fn digest(&self) -> Digest {
        self.origin.digest
    }

    /// What the payload is read from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The last place reading could go on at, and which byte of the payload that is.
    pub fn mark(&self) -> Option<(u64, Mark)> {
        let mark = self.inner.input().mark()?;
        Some((self.place(mark)?, mark))
    }

    /// Which byte of the payload `mark` is at; none where it is outside.
    pub fn place(&self, mark: Mark) -> Option<u64> {
        let place = mark.decoded_bytes.checked_sub(self.start_byte)?;
        (place <= self.origin.size_bytes).then_some(place)
    }

    /// Passes over what comes before `mark`, which is ahead. `window` is the
    /// [`WINDOW_BYTES`](crate::stream::decode::WINDOW_BYTES) of payload before it.
    ///
    /// # Errors
    /// The source's, and a mark that is not in the payload or that the decoder does not take.
    pub fn resume(&mut self, mark: Mark, window: &[u8]) -> Result<(), stream::Error> {
        let bytes = mark.decoded_bytes.saturating_sub(self.inner.at_byte());
        self.inner.entry("payload").pass(bytes, |decoder| decoder.resume(mark, window))
    }

    /// Ends the payload, reading what is left of it: its archive has nothing else, and the
    /// compressed stream is complete.
    ///
    /// # Errors
    /// It has, or is not.
    pub fn finish(mut self) -> Result<Drained, Error> {
        empty(&mut self.inner)?;
        Ok(Drained(()))
    }
}

/// No member is left in `archive`, and nothing after it.
pub(super) fn empty<R: Read<Error = stream::Error>>(archive: &mut Archive<R>) -> Result<(), Error> {
    match archive.next_member()? {
        Some(member) => {
            let wanted = "the end of the payload archive";
            Err(Error::Order { found: Excerpt::of(&member.name), wanted })
        }
        None => Ok(()),
    }
}

impl<D> embedded_io::ErrorType for Payload<D> {
    type Error = stream::Error;
}

impl<D: Decoder> Read for Payload<D> {
    /// `Ok(0)` after [`Payload::size_bytes`] bytes.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, stream::Error> {
        self.inner.entry("payload").read(into)
    }
}

/// That a payload was read to its end.
///
/// ```compile_fail,E0603
/// let forged = twinslot::artifact::Drained(());
/// ```
#[derive(Debug)]
#[must_use]
pub struct Drained(pub(super) ());

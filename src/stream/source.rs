//! Where an artifact's bytes come from. Never goes back: what was read or passed over is gone.

use embedded_io::Read;

use super::Error;

/// Bytes held while they are passed over by reading them.
const STEP_BYTES: usize = 4096;

/// An artifact's bytes, in order, without those that are not needed.
pub trait Source: Read<Error = Error> {
    /// Passes over the next `bytes`. A source that cannot do better reads them.
    ///
    /// # Errors
    /// The source's, and [`Error::Truncated`] where it is seen to have fewer; a source that does
    /// not look returns no more bytes from then on.
    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        read_through(self, bytes)
    }
}

/// Passes over `bytes` of any source by reading them.
///
/// # Errors
/// The source's, and [`Error::Truncated`].
pub fn read_through<R>(source: &mut R, bytes: u64) -> Result<(), Error>
where
    R: Read<Error = Error> + ?Sized,
{
    let (mut room, mut left) = ([0; STEP_BYTES], bytes);
    while left > 0 {
        let most = usize::try_from(left).map_or(STEP_BYTES, |left| left.min(STEP_BYTES));
        match source.read(&mut room[..most])? {
            0 => return Err(Error::Truncated { what: "the artifact", missing: left }),
            len => left = left.saturating_sub(u64::try_from(len).unwrap_or(left)),
        }
    }
    Ok(())
}

//! What a compressed stream is and what memory it asks for, told from its first bytes. The
//! decoders themselves allocate and live in the shell, behind [`Decoders`].

use embedded_io::Read;

use super::Error;

/// A compression of format 3 artifacts (`mender-artifact --compression`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `.tar`
    None,
    /// `.tar.gz`
    Gzip,
    /// `.tar.xz` (the tool calls it lzma)
    Xz,
    /// `.tar.zst`
    Zstd,
}

impl core::fmt::Display for Coding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        })
    }
}

/// Makes decoders. The shell's allocate everything they will ever need in `open`; none
/// allocates while it is read.
pub trait Decoders {
    /// The decoder over an input.
    type Reader<R: Read<Error = Error>>: Read<Error = Error>;

    /// A decoder of `coding` over `input`. The reader returns `Ok(0)` only when the compressed
    /// stream is complete, its own checksum right, and `input` has nothing left.
    ///
    /// # Errors
    /// [`Error::Window`] before any memory is taken, [`Error::Damaged`] or what `input` says.
    fn open<R: Read<Error = Error>>(
        &mut self,
        coding: Coding,
        input: R,
    ) -> Result<Self::Reader<R>, Error>;
}

//! The pipeline between the artifact's bytes and the slot's: one adapter a file, in the order
//! the bytes pass through them. Knows nothing of tar, JSON or slots.

pub mod block;
pub mod decode;
pub mod digest;
pub mod plain;
pub mod relay;
mod source;

use crate::device::Cause;

pub use source::{Source, read_through};

/// Why the pipeline stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The source could not be read.
    #[error("cannot read the artifact: {0}")]
    Source(Cause),
    /// The source ended before `what` was complete.
    #[error("{what} is truncated: {missing} more bytes expected")]
    Truncated {
        /// The part that is incomplete, for a person.
        what: &'static str,
        /// How many bytes were still to come.
        missing: u64,
    },
    /// A compressed stream breaks its own format.
    #[error("damaged {coding} data: {text}")]
    Damaged {
        /// The compression.
        coding: decode::Coding,
        /// What the decoder said.
        text: &'static str,
    },
    /// A compressed stream asks for more memory than it may have.
    #[error("{coding} data asks for a window of {asked} bytes, at most {allowed} are allowed")]
    Window {
        /// The compression.
        coding: decode::Coding,
        /// Window or dictionary size asked for, in bytes.
        asked: u64,
        /// The bound (`MemoryMax`), in bytes.
        allowed: u64,
    },
    /// Something follows where the stream must have ended.
    #[error("{what} is followed by bytes that belong to nothing")]
    Trailing {
        /// The part that was complete, for a person.
        what: &'static str,
    },
}

impl embedded_io::Error for Error {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self {
            Self::Source(_) => embedded_io::ErrorKind::Other,
            _ => embedded_io::ErrorKind::InvalidData,
        }
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self::Source(cause)
    }
}

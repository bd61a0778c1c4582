//! What is not compressed, as a decoder has it. Never keeps a byte.

use embedded_io::{ErrorType, Read};

use super::decode::{Decoder, Mark};
use super::{Error, Source};

/// A stream that is its own content: decoding can go on anywhere.
#[derive(Debug)]
pub struct Plain<R> {
    input: R,
    at_byte: u64,
}

impl<R> Plain<R> {
    /// The content of `input`.
    pub const fn new(input: R) -> Self {
        Self { input, at_byte: 0 }
    }
}

impl<R> ErrorType for Plain<R> {
    type Error = Error;
}

impl<R: Source> Read for Plain<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let len = self.input.read(into)?;
        self.at_byte = self.at_byte.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(len)
    }
}

impl<R: Source> Decoder for Plain<R> {
    fn mark(&self) -> Option<Mark> {
        let at_byte = self.at_byte;
        Some(Mark { coded_bytes: at_byte, decoded_bytes: at_byte, crc: 0 })
    }

    fn resume(&mut self, mark: Mark, _: &[u8]) -> Result<(), Error> {
        self.input.skip(mark.coded_bytes.saturating_sub(self.at_byte))?;
        self.at_byte = mark.coded_bytes;
        Ok(())
    }
}

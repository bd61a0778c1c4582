//! Compressed bytes on their way to a decoder: read ahead, probed, counted against their end.
//! Never knows what the decoder makes of them.

use twinslot::stream::decode::{Ask, Coding, PROBE_BYTES, probe, starts};
use twinslot::stream::{Error, Source};

/// Compressed bytes held at a time. More gains nothing measurable.
const INPUT_BYTES: usize = 32 * 1024;

/// Compressed bytes on their way to a decoder.
pub(super) struct Input<R> {
    coding: Coding,
    source: R,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// How many bytes came from the source.
    came: u64,
}

impl<R: Source> Input<R> {
    pub(super) fn new(coding: Coding, source: R) -> Self {
        let bytes = vec![0; INPUT_BYTES].into_boxed_slice();
        Self { coding, source, bytes, start: 0, end: 0, came: 0 }
    }

    /// The bytes at hand, and more only when there are none: empty means the source ended.
    pub(super) fn fill(&mut self) -> Result<&[u8], Error> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.more()?;
        }
        Ok(&self.bytes[self.start..self.end])
    }

    /// The next bytes without taking them: what a probe needs, less only where the source ends.
    pub(super) fn peek(&mut self) -> Result<&[u8], Error> {
        if self.end - self.start < PROBE_BYTES {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < PROBE_BYTES {
            if self.more()? == 0 {
                break;
            }
        }
        Ok(&self.bytes[self.start..self.end])
    }

    /// Reads behind the bytes at hand; returns how many came.
    fn more(&mut self) -> Result<usize, Error> {
        let more = self.source.read(&mut self.bytes[self.end..])?;
        self.end += more;
        self.came = self.came.saturating_add(count(more));
        Ok(more)
    }

    /// How many bytes were taken.
    pub(super) fn at_byte(&self) -> u64 {
        self.came.saturating_sub(count(self.end.saturating_sub(self.start)))
    }

    /// Goes on at byte `at_byte` of the input.
    pub(super) fn jump(&mut self, at_byte: u64) -> Result<(), Error> {
        let missing = at_byte.saturating_sub(self.at_byte());
        let held = self.end - self.start;
        let step = usize::try_from(missing).map_or(held, |missing| missing.min(held));
        self.consume(step);
        let beyond = missing.saturating_sub(count(step));
        self.source.skip(beyond)?;
        self.came = self.came.saturating_add(beyond);
        Ok(())
    }

    pub(super) fn consume(&mut self, len: usize) {
        self.start += len;
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.fill()?.first().copied();
        self.start += 1;
        byte.ok_or_else(|| self.truncated(1))
    }

    pub(super) fn little_endian(&mut self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(u32::from_le_bytes(bytes))
    }

    fn discard(&mut self, mut len: u64) -> Result<(), Error> {
        while len > 0 {
            let held = self.fill()?.len();
            if held == 0 {
                return Err(self.truncated(len));
            }
            let step = usize::try_from(len).map_or(held, |len| len.min(held));
            self.consume(step);
            len = len.saturating_sub(count(step));
        }
        Ok(())
    }

    /// The window that the next frame, member or stream asks for; `None` when the input ended.
    fn ask(&mut self, allowed: u64) -> Result<Option<u64>, Error> {
        let coding = self.coding;
        loop {
            let head = self.peek()?;
            if head.is_empty() {
                return Ok(None);
            }
            match probe(coding, head)? {
                Ask::Skip(len) => self.discard(len)?,
                Ask::Window(asked) if asked <= allowed => return Ok(Some(asked)),
                Ask::Window(asked) => {
                    return Err(Error::Window { coding, asked, allowed });
                }
            }
        }
    }

    /// The window of the first one: an empty input is a truncated one.
    pub(super) fn ask_first(&mut self, allowed: u64) -> Result<u64, Error> {
        self.ask(allowed)?.ok_or_else(|| self.truncated(1))
    }

    /// Whether another frame or member follows, which asks for no more than `allowed`.
    pub(super) fn ask_next(&mut self, allowed: u64) -> Result<bool, Error> {
        let coding = self.coding;
        let head = self.peek()?;
        if !head.is_empty() && !starts(coding, head) {
            return Err(self.trailing());
        }
        Ok(self.ask(allowed)?.is_some())
    }

    pub(super) fn damaged(&self, text: &'static str) -> Error {
        let coding = self.coding;
        Error::Damaged { coding, text }
    }

    /// `missing` is 1 where only the decoder could know: at least that.
    pub(super) fn truncated(&self, missing: u64) -> Error {
        let what = self.coding.what();
        Error::Truncated { what, missing }
    }

    pub(super) fn trailing(&self) -> Error {
        let what = self.coding.what();
        Error::Trailing { what }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

//! gzip over zlib-rs. The framing is here: zlib-rs cannot start a second member in its own gzip
//! mode without allocating. Never allocates after `open`.

use embedded_io::Read;
use twinslot::stream::Error;
use zlib_rs::crc32::crc32;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::input::Input;

/// gzip members one after another, RFC 1952.
pub(super) struct Gzip<R> {
    input: Input<R>,
    inflate: Inflate,
    crc: u32,
    inside: bool,
}

/// The longest file name or comment passed over, in bytes.
const GZIP_TEXT_MAX: usize = 64 * 1024;

impl<R: Read<Error = Error>> Gzip<R> {
    pub(super) fn open(mut input: Input<R>, allowed: u64) -> Result<Self, Error> {
        input.ask_first(allowed)?;
        let mut gzip = Self { input, inflate: Inflate::new(false, 15), crc: 0, inside: true };
        gzip.header()?;
        Ok(gzip)
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        loop {
            if !self.inside {
                if !self.input.ask_next(u64::MAX)? {
                    return Ok(0);
                }
                self.header()?;
            }
            let produced = self.inflate(out)?;
            if produced > 0 {
                return Ok(produced);
            }
        }
    }

    fn inflate(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
        let input = self.input.fill()?;
        let at_end = input.is_empty();
        let status = self.inflate.decompress(input, out, InflateFlush::NoFlush);
        let since = |before: u64, after: u64| usize::try_from(after - before).unwrap_or(0);
        self.input.consume(since(taken, self.inflate.total_in()));
        let produced = since(made, self.inflate.total_out());
        self.crc = crc32(self.crc, &out[..produced]);
        match status {
            Ok(Status::StreamEnd) => self.trailer()?,
            Ok(_) if at_end && produced == 0 => return Err(self.input.truncated(1)),
            Ok(_) => {}
            Err(_) => {
                let text = self.inflate.error_message().unwrap_or("not deflate");
                return Err(self.input.damaged(text));
            }
        }
        Ok(produced)
    }

    /// RFC 1952 section 2.3; method and flags have been probed.
    fn header(&mut self) -> Result<(), Error> {
        let (has_crc, has_extra, texts) = (0x02, 0x04, [0x08, 0x10]);
        self.crc = 0;
        self.pass(3)?;
        let flags = self.header_byte()?;
        self.pass(6)?;
        if flags & has_extra != 0 {
            let len = [self.header_byte()?, self.header_byte()?];
            self.pass(u16::from_le_bytes(len))?;
        }
        for text in texts {
            if flags & text != 0 {
                self.pass_text()?;
            }
        }
        let [low, high, ..] = self.crc.to_le_bytes();
        if flags & has_crc != 0 && [self.input.byte()?, self.input.byte()?] != [low, high] {
            return Err(self.input.damaged("header checksum mismatch"));
        }
        self.inflate.reset(false);
        self.crc = 0;
        self.inside = true;
        Ok(())
    }

    fn header_byte(&mut self) -> Result<u8, Error> {
        let byte = self.input.byte()?;
        self.crc = crc32(self.crc, &[byte]);
        Ok(byte)
    }

    fn pass(&mut self, len: u16) -> Result<(), Error> {
        for _ in 0..len {
            self.header_byte()?;
        }
        Ok(())
    }

    fn pass_text(&mut self) -> Result<(), Error> {
        for _ in 0..=GZIP_TEXT_MAX {
            if self.header_byte()? == 0 {
                return Ok(());
            }
        }
        Err(self.input.damaged("header text without an end"))
    }

    /// CRC32 and ISIZE, the length modulo 2^32; RFC 1952 section 2.3.1.
    fn trailer(&mut self) -> Result<(), Error> {
        if self.input.little_endian()? != self.crc {
            return Err(self.input.damaged("content checksum mismatch"));
        }
        let len = self.inflate.total_out() & u64::from(u32::MAX);
        if u64::from(self.input.little_endian()?) != len {
            return Err(self.input.damaged("content length mismatch"));
        }
        self.inside = false;
        Ok(())
    }
}

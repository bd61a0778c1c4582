//! gzip over zlib-rs. The framing is here: zlib-rs cannot start a second member in its own gzip
//! mode without allocating. Never allocates after `open`.

use twinslot::stream::decode::Mark;
use twinslot::stream::{Error, Source};
use zlib_rs::crc32::crc32;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::input::Input;

/// gzip members one after another, RFC 1952.
pub(super) struct Gzip<R> {
    input: Input<R>,
    inflate: Inflate,
    /// Content of this member before what `inflate` has seen, in bytes.
    before: u64,
    crc: u32,
    inside: bool,
    /// Whether this is not the first member: the others have no marks.
    ended: bool,
    mark: Option<Mark>,
}

/// The longest file name or comment passed over, in bytes.
const GZIP_TEXT_MAX: usize = 64 * 1024;

/// pgzip, which mender-artifact compresses with, begins a new deflate block after as many bytes
/// of content, having flushed the one before; pigz does so eight times as often.
const FLUSHED_BYTES: u64 = 1 << 20;

/// How a flush ends, RFC 1951 section 3.2.4: a stored block without content, which fills up to a
/// whole byte before its lengths.
const FLUSH: [u8; 4] = [0, 0, 0xff, 0xff];

/// How many bytes of input that is at most with the last byte of content before it: two codes of
/// 15 bits, three bits of the stored block's header; the rest is room for other encoders.
const FLUSH_WITHIN: usize = 16;

impl<R: Source> Gzip<R> {
    pub(super) fn open(mut input: Input<R>, allowed: u64) -> Result<Self, Error> {
        input.ask_first(allowed)?;
        let inflate = Inflate::new(false, 15);
        let (before, crc, inside, ended, mark) = (0, 0, true, false, None);
        let mut gzip = Self { input, inflate, before, crc, inside, ended, mark };
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
            let produced = match self.flush_len()? {
                Some(len) if out.len() >= 2 => self.pass_flush(len, &mut out[..2])?,
                _ => {
                    let most = self.before_flush().min(out.len());
                    self.inflate(usize::MAX, &mut out[..most])?
                }
            };
            if produced > 0 {
                return Ok(produced);
            }
        }
    }

    /// The last place where the encoder flushed, in the first member.
    pub(super) const fn mark(&self) -> Option<Mark> {
        self.mark
    }

    pub(super) fn resume(&mut self, mark: Mark, window: &[u8]) -> Result<(), Error> {
        self.input.jump(mark.coded_bytes)?;
        self.inflate.reset(false);
        if self.inflate.set_dictionary(window).is_err() {
            return Err(self.input.damaged("cannot go on inside of it"));
        }
        (self.before, self.crc) = (mark.decoded_bytes, mark.crc);
        Ok(())
    }

    /// Content of this member so far, in bytes.
    fn made(&self) -> u64 {
        self.before.saturating_add(self.inflate.total_out())
    }

    /// Content up to the last byte before a flush, in bytes; with that byte, up to the next. Given
    /// room for it, `inflate` would go past the flush and take what it cannot give back.
    fn before_flush(&self) -> usize {
        let left = match FLUSHED_BYTES - 1 - self.made() % FLUSHED_BYTES {
            0 => FLUSHED_BYTES,
            left => left,
        };
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// How many bytes of input seem to go up to the end of a flush, where one is to be expected
    /// after one byte of content.
    fn flush_len(&mut self) -> Result<Option<usize>, Error> {
        if self.ended || self.made() % FLUSHED_BYTES != FLUSHED_BYTES - 1 {
            return Ok(None);
        }
        let head = self.input.peek()?;
        let head = &head[..head.len().min(FLUSH_WITHIN)];
        let at = head.windows(FLUSH.len()).position(|bytes| bytes == FLUSH);
        Ok(at.map(|at| at + FLUSH.len()))
    }

    /// Inflates the `len` bytes that seem to go up to the end of a flush: they do if one byte
    /// comes of them, and all are taken.
    fn pass_flush(&mut self, len: usize, out: &mut [u8]) -> Result<usize, Error> {
        let end = self.input.at_byte().saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        let produced = self.inflate(len, out)?;
        let coded_bytes = self.input.at_byte();
        if produced == 1 && self.inside && coded_bytes == end {
            let decoded_bytes = self.made();
            self.mark = Some(Mark { coded_bytes, decoded_bytes, crc: self.crc });
        }
        Ok(produced)
    }

    /// Takes at most `most` bytes of input.
    fn inflate(&mut self, most: usize, out: &mut [u8]) -> Result<usize, Error> {
        let (taken, made) = (self.inflate.total_in(), self.inflate.total_out());
        let input = self.input.fill()?;
        let at_end = input.is_empty();
        let input = &input[..input.len().min(most)];
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
        (self.before, self.crc) = (0, 0);
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
        let len = self.made() & u64::from(u32::MAX);
        if u64::from(self.input.little_endian()?) != len {
            return Err(self.input.damaged("content length mismatch"));
        }
        (self.inside, self.ended) = (false, true);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use twinslot::stream::decode::{Coding, Decoder as _, Decoders as _, WINDOW_BYTES};

    use super::super::{Decoder, HeapDecoders};
    use super::*;

    /// mender-artifact's, 2 MiB of payload in an archive.
    const ARTIFACT: &[u8] = include_bytes!("../../tests/data/artifacts/v3.9-gzip-p256.mender");

    /// The member of this name of an archive.
    fn member(archive: &'static [u8], name: &[u8]) -> &'static [u8] {
        let mut rest = archive;
        loop {
            let (header, after) = rest.split_at(512);
            let size = std::str::from_utf8(&header[124..135]).unwrap();
            let size = usize::from_str_radix(size, 8).unwrap();
            if header.starts_with(name) {
                return &after[..size];
            }
            rest = &after[size.next_multiple_of(512)..];
        }
    }

    thread_local! {
        static READ: Cell<usize> = const { Cell::new(0) };
    }

    /// Bytes in memory, a thousand at a time; how many were read is in `READ`.
    struct Bytes(&'static [u8]);

    impl embedded_io::ErrorType for Bytes {
        type Error = Error;
    }

    impl embedded_io::Read for Bytes {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
            let len = into.len().min(self.0.len()).min(1000);
            let (now, rest) = self.0.split_at(len);
            into[..len].copy_from_slice(now);
            self.0 = rest;
            READ.with(|read| read.set(read.get() + len));
            Ok(len)
        }
    }

    impl Source for Bytes {
        fn skip(&mut self, bytes: u64) -> Result<(), Error> {
            let len = usize::try_from(bytes).unwrap().min(self.0.len());
            self.0 = &self.0[len..];
            Ok(())
        }
    }

    fn open(rest: &'static [u8]) -> Decoder<Bytes> {
        let mut decoders = HeapDecoders { memory_max: 1 << 20 };
        decoders.open(Coding::Gzip, Bytes(rest)).unwrap()
    }

    /// What comes of a stream, and its marks.
    fn decode(decoder: &mut Decoder<Bytes>) -> Result<(Vec<u8>, Vec<Mark>), Error> {
        use embedded_io::Read as _;
        let (mut content, mut marks, mut out) = (Vec::new(), Vec::new(), [0; 5000]);
        loop {
            let len = decoder.read(&mut out)?;
            content.extend_from_slice(&out[..len]);
            marks.extend(decoder.mark());
            if len == 0 {
                marks.dedup();
                return Ok((content, marks));
            }
        }
    }

    fn window(content: &[u8], mark: Mark) -> &[u8] {
        let end = usize::try_from(mark.decoded_bytes).unwrap();
        &content[end - WINDOW_BYTES..end]
    }

    #[test]
    fn decoding_goes_on_at_every_mark_of_a_real_artifact() {
        use embedded_io::Read as _;
        let stream = member(ARTIFACT, b"data/0000.tar.gz");
        let (content, marks) = decode(&mut open(stream)).unwrap();
        let places: Vec<u64> = marks.iter().map(|mark| mark.decoded_bytes).collect();
        assert_eq!(places, [1 << 20, 2 << 20]);
        for mark in marks {
            for first in [0, 1, 40_000] {
                let mut decoder = open(stream);
                let mut head = vec![0; first];
                let len = decoder.read(&mut head).unwrap();
                assert_eq!(head[..len], content[..len]);
                decoder.resume(mark, window(&content, mark)).unwrap();
                let (rest, _) = decode(&mut decoder).unwrap();
                let at = usize::try_from(mark.decoded_bytes).unwrap();
                assert!(rest == content[at..], "{mark:?} after {first}");
            }
        }
    }

    #[test]
    fn what_is_passed_over_is_not_read() {
        let stream = member(ARTIFACT, b"data/0000.tar.gz");
        let (content, marks) = decode(&mut open(stream)).unwrap();
        READ.with(Cell::take);
        let mut decoder = open(stream);
        decoder.resume(marks[1], window(&content, marks[1])).unwrap();
        decode(&mut decoder).unwrap();
        let read = READ.with(Cell::take);
        assert!(read < 1200, "{read} of {} bytes", stream.len());
    }

    #[test]
    fn a_mark_that_is_not_the_streams_ends_as_an_error() {
        let stream = member(ARTIFACT, b"data/0000.tar.gz");
        let (content, marks) = decode(&mut open(stream)).unwrap();
        let mark = marks[0];
        let lies = [
            Mark { crc: mark.crc ^ 1, ..mark },
            Mark { decoded_bytes: mark.decoded_bytes + 1, ..mark },
            Mark { coded_bytes: mark.coded_bytes - 4, ..mark },
            Mark { coded_bytes: mark.coded_bytes + 1, ..mark },
            Mark { coded_bytes: 1 << 40, ..mark },
        ];
        for lie in lies {
            let mut decoder = open(stream);
            let done = decoder.resume(lie, window(&content, mark)).and_then(|()| {
                decode(&mut decoder)?;
                Ok(())
            });
            let is_known = matches!(done, Err(Error::Damaged { .. } | Error::Truncated { .. }));
            assert!(is_known, "{lie:?}: {done:?}");
        }
    }

    /// Random bytes in stored blocks of 65535, with the bytes of a flush in them wherever one is
    /// looked for.
    #[test]
    fn what_only_looks_like_a_flush_is_no_mark() {
        let mut content = vec![7; 3 << 20];
        for at in [1 << 20, 2 << 20] {
            content[at..at + 4].copy_from_slice(&FLUSH);
        }
        let mut stream = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
        let blocks = content.chunks(0xffff);
        let last = blocks.len() - 1;
        for (number, block) in blocks.enumerate() {
            let len = u16::try_from(block.len()).unwrap();
            stream.push(u8::from(number == last));
            stream.extend_from_slice(&len.to_le_bytes());
            stream.extend_from_slice(&(!len).to_le_bytes());
            stream.extend_from_slice(block);
        }
        stream.extend_from_slice(&crc32(0, &content).to_le_bytes());
        stream.extend_from_slice(&(3_u32 << 20).to_le_bytes());
        let (decoded, marks) = decode(&mut open(stream.leak())).unwrap();
        assert!(decoded == content);
        assert_eq!(marks, []);
    }
}

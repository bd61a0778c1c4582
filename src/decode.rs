//! The decoders, which allocate: all of it in `open`, nothing between the first byte and the
//! last. Never decide what memory a stream may have: the ceiling is given, and what the stream
//! asks for is told by the core's probe before its window is taken.

use embedded_io::Read;
use twinslot::device::Cause;
use twinslot::stream::Error;
use twinslot::stream::decode::{Coding, Decoders};

use gzip::Gzip;
use input::Input;
use xz::Xz;
use zstd::Zstd;

/// Decoders on the heap.
pub(crate) struct HeapDecoders {
    /// The ceiling of a window or dictionary (`MemoryMax`), in bytes. A decoder takes that and
    /// a constant of its own: gzip 80 KiB, xz 64 KiB, zstd 1.4 MiB.
    pub(crate) memory_max: u64,
}

impl Decoders for HeapDecoders {
    type Reader<R: Read<Error = Error>> = Decoder<R>;

    fn open<R: Read<Error = Error>>(
        &mut self,
        coding: Coding,
        input: R,
    ) -> Result<Decoder<R>, Error> {
        let body = match coding {
            Coding::None => Body::None(input),
            Coding::Gzip => Body::Gzip(Gzip::open(Input::new(coding, input), self.memory_max)?),
            Coding::Xz => Body::Xz(Xz::open(Input::new(coding, input), self.memory_max)?),
            Coding::Zstd => Body::Zstd(Zstd::open(Input::new(coding, input), self.memory_max)?),
        };
        Ok(Decoder { body, outcome: None })
    }
}

/// A stream while it is decoded. Its outcome is final: after an error, and after the end, every
/// later read says the same again.
pub(crate) struct Decoder<R> {
    body: Body<R>,
    outcome: Option<Result<(), Error>>,
}

enum Body<R> {
    None(R),
    Gzip(Gzip<R>),
    Xz(Xz<R>),
    Zstd(Zstd<R>),
}

impl<R> embedded_io::ErrorType for Decoder<R> {
    type Error = Error;
}

impl<R: Read<Error = Error>> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
        if let Some(outcome) = self.outcome {
            return outcome.map(|()| 0);
        }
        if out.is_empty() {
            return Ok(0);
        }
        let result = match &mut self.body {
            Body::None(input) => input.read(out),
            Body::Gzip(gzip) => gzip.read(out),
            Body::Xz(xz) => xz.read(out),
            Body::Zstd(zstd) => zstd.read(out),
        };
        match result {
            Ok(0) => self.outcome = Some(Ok(())),
            Ok(_) => {}
            Err(error) => self.outcome = Some(Err(error)),
        }
        result
    }
}

/// The window cannot be had: ENOMEM.
const NO_MEMORY: Error = Error::Source(Cause { code: 12, text: "cannot allocate the window" });

mod gzip {
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
}

mod input {
    //! Compressed bytes on their way to a decoder: read ahead, probed, counted against their end.
    //! Never knows what the decoder makes of them.

    use embedded_io::Read;
    use twinslot::stream::Error;
    use twinslot::stream::decode::{Ask, Coding, PROBE_BYTES, probe, starts};

    /// Compressed bytes held at a time. More gains nothing measurable.
    const INPUT_BYTES: usize = 32 * 1024;

    /// Compressed bytes on their way to a decoder.
    pub(super) struct Input<R> {
        coding: Coding,
        source: R,
        bytes: Box<[u8]>,
        start: usize,
        end: usize,
    }

    impl<R: Read<Error = Error>> Input<R> {
        pub(super) fn new(coding: Coding, source: R) -> Self {
            let bytes = vec![0; INPUT_BYTES].into_boxed_slice();
            let (start, end) = (0, 0);
            Self { coding, source, bytes, start, end }
        }

        /// The bytes at hand, and more only when there are none: empty means the source ended.
        pub(super) fn fill(&mut self) -> Result<&[u8], Error> {
            if self.start == self.end {
                self.start = 0;
                self.end = 0;
                self.end = self.source.read(&mut self.bytes)?;
            }
            Ok(&self.bytes[self.start..self.end])
        }

        /// The next bytes without taking them: what a probe needs, less only where the source ends.
        fn peek(&mut self) -> Result<&[u8], Error> {
            if self.end - self.start < PROBE_BYTES {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            while self.end - self.start < PROBE_BYTES {
                match self.source.read(&mut self.bytes[self.end..])? {
                    0 => break,
                    more => self.end += more,
                }
            }
            Ok(&self.bytes[self.start..self.end])
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
                len -= u64::try_from(step).unwrap_or(len);
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
}

mod xz {
    //! xz over xz4rust, which decodes every block in one dictionary. Never allocates after `open`.

    use embedded_io::Read;
    use twinslot::stream::Error;
    use twinslot::stream::decode::Coding;
    use xz4rust::{XzDecoder, XzError, XzNextBlockResult};

    use super::NO_MEMORY;
    use super::input::Input;

    /// One xz stream of any number of blocks, all in the dictionary of the first. Neither a second
    /// stream nor stream padding may follow.
    pub(super) struct Xz<R> {
        input: Input<R>,
        decoder: Box<XzDecoder<'static>>,
        dictionary: u64,
        ended: bool,
    }

    impl<R: Read<Error = Error>> Xz<R> {
        pub(super) fn open(mut input: Input<R>, allowed: u64) -> Result<Self, Error> {
            let dictionary = input.ask_first(allowed)?;
            let len = usize::try_from(dictionary).map_err(|_| NO_MEMORY)?;
            Ok(Self {
                input,
                decoder: XzDecoder::in_heap_with_alloc_dict_size(len, len),
                dictionary,
                ended: false,
            })
        }

        pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
            while !self.ended {
                let input = self.input.fill()?;
                if input.is_empty() {
                    return Err(self.input.truncated(1));
                }
                let (taken, made) = match self.decoder.decode(input, out) {
                    Ok(XzNextBlockResult::NeedMoreData(taken, made)) => (taken, made),
                    Ok(XzNextBlockResult::EndOfStream(taken, made)) => {
                        self.ended = true;
                        (taken, made)
                    }
                    Err(error) => return Err(self.refusal(&error)),
                };
                self.input.consume(taken);
                if made > 0 {
                    return Ok(made);
                }
            }
            if self.input.fill()?.is_empty() {
                return Ok(0);
            }
            Err(self.input.trailing())
        }

        fn refusal(&self, error: &XzError) -> Error {
            let text = match *error {
                XzError::DictionaryTooLarge(asked) => {
                    return Error::Window { coding: Coding::Xz, asked, allowed: self.dictionary };
                }
                XzError::ContentCrc32Mismatch(..)
                | XzError::ContentCrc64Mismatch(..)
                | XzError::ContentSha256Mismatch(..) => "content checksum mismatch",
                XzError::StreamHeaderCrc32Mismatch(..)
                | XzError::BlockHeaderCrc32Mismatch(..)
                | XzError::IndexCrc32Mismatch(..)
                | XzError::FooterCrc32Mismatch(..) => "header checksum mismatch",
                XzError::UnsupportedBlockHeaderOption
                | XzError::UnsupportedBcjFilter(_)
                | XzError::UnsupportedCheckType(_) => "unsupported option",
                _ => "not xz",
            };
            self.input.damaged(text)
        }
    }
}

mod zstd {
    //! zstd over rust-zstd, which takes its memory piece by piece as a stream first needs each: a
    //! frame of our own makes it take everything in `open`. Never allocates after that.

    use embedded_io::Read;
    use rust_zstd::Decompressor;
    use twinslot::stream::Error;

    use super::NO_MEMORY;
    use super::input::Input;

    /// zstd frames one after another, skippable ones among them, all in the window of the first, or
    /// in that of a block if the first asks for less.
    pub(super) struct Zstd<R> {
        input: Input<R>,
        decoder: Box<Decompressor>,
        window: u64,
        inside: bool,
    }

    /// No larger window, whatever the ceiling: the decoder's own bound on 32-bit targets, less the
    /// margin that [`prime`] adds.
    const ZSTD_WINDOW_MAX: u64 = 1 << 29;

    impl<R: Read<Error = Error>> Zstd<R> {
        pub(super) fn open(mut input: Input<R>, allowed: u64) -> Result<Self, Error> {
            let allowed = allowed.min(ZSTD_WINDOW_MAX);
            let window = input.ask_first(allowed)?.max(allowed.min(BLOCK_MAX));
            let mut decoder = Box::new(Decompressor::new());
            prime(&mut decoder, window).map_err(|_| NO_MEMORY)?;
            Ok(Self { input, decoder, window, inside: true })
        }

        pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
            loop {
                if !self.inside && !self.input.ask_next(self.window)? {
                    return Ok(0);
                }
                self.inside = true;
                let input = self.input.fill()?;
                let at_end = input.is_empty();
                let (mut taken, mut made) = (0, 0);
                let result = self.decoder.decompress_stream(input, &mut taken, out, &mut made);
                let left = result.map_err(|error| self.input.damaged(zstd_text(&error)))?;
                self.input.consume(taken);
                self.inside = left != 0;
                if made > 0 {
                    return Ok(made);
                }
                if at_end && self.inside {
                    return Err(self.input.truncated(1));
                }
            }
        }
    }

    fn zstd_text(error: &str) -> &'static str {
        let known = [
            ("Content checksum mismatch", "content checksum mismatch"),
            ("Frame needs dictionary", "a dictionary is needed"),
        ];
        let text = known.iter().find(|(start, _)| error.starts_with(start));
        text.map_or("not zstd", |(_, text)| text)
    }

    /// Has `decoder` allocate all it will ever need for frames of at most `window` bytes of window.
    /// It does so piece by piece, as a stream first needs each, so it is fed a frame that needs them
    /// all: every kind of table, the most literals, a block in pieces, and content up to the end of
    /// the round buffer, which for a frame of unknown content is the window and seven blocks.
    /// RFC 8878 sections 3.1.1 and 4.
    fn prime(decoder: &mut Decompressor, window: u64) -> Result<(), String> {
        let len = window.max(BLOCK_MAX) + 7 * BLOCK_MAX;
        decoder.set_window_log_max(30);
        let mut primer = Primer { decoder, left: len };
        primer.feed(&[0x28, 0xb5, 0x2f, 0xfd, 0xe0])?;
        primer.feed(&len.to_le_bytes())?;
        primer.raw_block()?;
        primer.block(PRIMER_LITERALS, BLOCK_MAX)?;
        primer.block(&primer_huffman(), 8192)?;
        primer.block(PRIMER_WEIGHTS, 7)?;
        primer.block(PRIMER_SEQUENCE, 4)?;
        primer.block(PRIMER_PREDEFINED, 3)?;
        primer.runs()?;
        let log = window.max(1024).next_power_of_two().trailing_zeros();
        decoder.set_window_log_max(log);
        Ok(())
    }

    /// Block_Maximum_Size, RFC 8878 section 3.1.1.2.4.
    const BLOCK_MAX: u64 = 128 * 1024;

    /// A full block of one literal repeated, no sequences.
    const PRIMER_LITERALS: &[u8] = &[0x0d, 0x00, 0x20, 0, 0];
    /// Seven literals in one Huffman stream; the weights 1, 0 (and 1) are FSE-coded.
    const PRIMER_WEIGHTS: &[u8] = &[0x72, 0x80, 0x01, 4, 0x10, 0x3f, 0x00, 0x06, 0x80, 0];
    /// One literal and one sequence (1 literal, match of 3 at the last offset) over three FSE tables
    /// of two symbols each.
    const PRIMER_SEQUENCE: &[u8] =
        &[0x08, 0, 1, 0xa8, 0x10, 0x3f, 0x10, 0x3f, 0x10, 0x3f, 0x00, 0xc0];
    /// No literal and one sequence (match of 3) over the predefined tables.
    const PRIMER_PREDEFINED: &[u8] = &[0x00, 1, 0x00, 0, 0, 2];

    /// 8192 literals in four Huffman streams of one bit a literal: enough for the decoder to build
    /// the table that yields two symbols at once.
    fn primer_huffman() -> [u8; 1041] {
        let mut block = [0; 1041];
        block[..12].copy_from_slice(&[0x0a, 0x00, 0x32, 0x10, 0x80, 0x10, 1, 1, 1, 1, 1, 1]);
        for end in [268, 525, 782, 1039] {
            block[end] = 1;
        }
        block
    }

    /// Feeds a decoder its first frame.
    struct Primer<'a> {
        decoder: &'a mut Decompressor,
        /// Content still to come, in bytes.
        left: u64,
    }

    impl Primer<'_> {
        fn feed(&mut self, bytes: &[u8]) -> Result<usize, String> {
            let mut sink = [0; 8192];
            let mut at = 0;
            loop {
                let mut made = 0;
                let hint = self.decoder.decompress_stream(bytes, &mut at, &mut sink, &mut made)?;
                if at == bytes.len() && made < sink.len() {
                    return Ok(hint);
                }
            }
        }

        /// Block_Header, RFC 8878 section 3.1.1.2: kind 0 raw, 1 run, 2 compressed.
        fn header(&mut self, kind: u32, size: u64, content: u64) -> Result<usize, String> {
            self.left -= content;
            let last = u32::from(self.left == 0);
            let size = u32::try_from(size).unwrap_or(0);
            self.feed(&(size << 3 | kind << 1 | last).to_le_bytes()[..3])
        }

        fn block(&mut self, bytes: &[u8], content: u64) -> Result<usize, String> {
            self.header(2, u64::try_from(bytes.len()).unwrap_or(0), content)?;
            self.feed(bytes)
        }

        /// In pieces that double the decoder's buffer to the size of a block, and no further.
        fn raw_block(&mut self) -> Result<(), String> {
            self.header(0, BLOCK_MAX, BLOCK_MAX)?;
            for _ in 0..BLOCK_MAX / 8192 {
                self.feed(&[0; 8192])?;
            }
            Ok(())
        }

        /// The rest. The last block is of one byte: the later it starts, the more room is made.
        fn runs(&mut self) -> Result<(), String> {
            while self.left > 0 {
                let size = BLOCK_MAX.min(self.left - 1).max(1);
                self.header(1, size, size)?;
                self.feed(&[0])?;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEQ_GZ: &[u8] = include_bytes!("../tests/data/decode/seq.gz");
    const MEMBERS_GZ: &[u8] = include_bytes!("../tests/data/decode/members.gz");
    const BLOCKS_XZ: &[u8] = include_bytes!("../tests/data/decode/blocks.xz");
    const X86_XZ: &[u8] = include_bytes!("../tests/data/decode/x86.xz");
    const SEQ_ZST: &[u8] = include_bytes!("../tests/data/decode/seq.zst");
    const FRAMES_ZST: &[u8] = include_bytes!("../tests/data/decode/frames.zst");

    /// Streams of one part, which are whole or truncated; then streams of several.
    const STREAMS: [(Coding, &[u8]); 6] = [
        (Coding::Gzip, SEQ_GZ),
        (Coding::Xz, BLOCKS_XZ),
        (Coding::Xz, X86_XZ),
        (Coding::Zstd, SEQ_ZST),
        (Coding::Gzip, MEMBERS_GZ),
        (Coding::Zstd, FRAMES_ZST),
    ];

    /// Gives seven bytes at a time, then what it was told to say.
    struct Source<'a> {
        rest: &'a [u8],
        end: Result<usize, Error>,
    }

    impl embedded_io::ErrorType for Source<'_> {
        type Error = Error;
    }

    impl Read for Source<'_> {
        fn read(&mut self, out: &mut [u8]) -> Result<usize, Error> {
            let len = out.len().min(self.rest.len()).min(7);
            if len == 0 {
                return self.end;
            }
            let (taken, rest) = self.rest.split_at(len);
            out[..len].copy_from_slice(taken);
            self.rest = rest;
            Ok(len)
        }
    }

    fn open(coding: Coding, rest: &[u8], memory_max: u64) -> Result<Decoder<Source<'_>>, Error> {
        let end = Ok(0);
        HeapDecoders { memory_max }.open(coding, Source { rest, end })
    }

    fn drain(mut decoder: impl Read<Error = Error>) -> Result<Vec<u8>, Error> {
        let (mut content, mut out) = (Vec::new(), [0; 11]);
        loop {
            match decoder.read(&mut out)? {
                0 => return Ok(content),
                len => content.extend_from_slice(&out[..len]),
            }
        }
    }

    fn decode(coding: Coding, stream: &[u8]) -> Result<Vec<u8>, Error> {
        drain(open(coding, stream, 1 << 20)?)
    }

    /// `seq 1 100`
    fn seq() -> Vec<u8> {
        let lines = (1..=100).map(|line| format!("{line}\n"));
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn every_coding_gives_the_content_back() {
        assert_eq!(decode(Coding::None, &seq()), Ok(seq()));
        for (coding, stream) in STREAMS {
            assert_eq!(decode(coding, stream), Ok(seq()), "{coding}");
        }
    }

    #[test]
    fn the_content_may_be_empty_but_the_stream_may_not() {
        let empty = [
            (Coding::Gzip, &include_bytes!("../tests/data/decode/empty.gz")[..]),
            (Coding::Xz, include_bytes!("../tests/data/decode/empty.xz")),
            (Coding::Zstd, include_bytes!("../tests/data/decode/empty.zst")),
        ];
        for (coding, stream) in empty {
            assert_eq!(drain(open(coding, stream, 8 << 20).unwrap()), Ok(vec![]));
            let (what, missing) = (coding.what(), 1);
            assert_eq!(decode(coding, &[]), Err(Error::Truncated { what, missing }));
        }
        assert_eq!(decode(Coding::None, &[]), Ok(vec![]));
    }

    #[test]
    fn a_stream_that_ends_early_anywhere_is_truncated() {
        for (coding, stream) in &STREAMS[..4] {
            for len in 0..stream.len() {
                let result = decode(*coding, &stream[..len]);
                assert!(
                    matches!(result, Err(Error::Truncated { .. })),
                    "{coding} {len}: {result:?}"
                );
            }
        }
    }

    #[test]
    fn no_flipped_bit_changes_the_content_unnoticed() {
        for (coding, stream) in STREAMS {
            for bit in 0..stream.len() * 8 {
                let mut flipped = stream.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                if let Ok(content) = decode(coding, &flipped) {
                    assert_eq!(content, seq(), "{coding} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn nothing_may_follow_a_stream() {
        for (coding, stream) in STREAMS {
            let what = coding.what();
            for tail in [&[0][..], &[0; 4], b"x"] {
                let result = decode(coding, &[stream, tail].concat());
                assert_eq!(result, Err(Error::Trailing { what }));
            }
        }
        let what = Coding::Xz.what();
        let twice = [BLOCKS_XZ, BLOCKS_XZ].concat();
        assert_eq!(decode(Coding::Xz, &twice), Err(Error::Trailing { what }));
    }

    #[test]
    fn a_window_above_the_ceiling_is_refused_in_open() {
        for (coding, stream, asked) in [
            (Coding::Gzip, SEQ_GZ, 32 << 10),
            (Coding::Xz, BLOCKS_XZ, 4096),
            (Coding::Zstd, SEQ_ZST, 292),
        ] {
            assert!(open(coding, stream, asked).is_ok());
            let allowed = asked - 1;
            let refusal = Error::Window { coding, asked, allowed };
            assert_eq!(open(coding, stream, allowed).err(), Some(refusal));
        }
    }

    #[test]
    fn a_later_zstd_frame_may_not_ask_for_more_than_the_first_was_given() {
        let frame = |descriptor| [SEQ_ZST, &[0x28, 0xb5, 0x2f, 0xfd, 0, descriptor]].concat();
        let (what, missing) = ("zstd data", 1);
        let truncated = Error::Truncated { what, missing };
        assert_eq!(decode(Coding::Zstd, &frame(0x38)), Err(truncated));
        let refusal = Error::Window { coding: Coding::Zstd, asked: 144 << 10, allowed: 128 << 10 };
        assert_eq!(decode(Coding::Zstd, &frame(0x39)), Err(refusal));
    }

    #[test]
    fn a_later_xz_block_may_not_ask_for_more_than_the_first_was_given() {
        let second = BLOCKS_XZ.windows(12).rposition(|at| at == &BLOCKS_XZ[12..24]);
        let second = second.unwrap();
        let mut grown = BLOCKS_XZ.to_vec();
        grown[second + 4] = 1;
        let crc = zlib_rs::crc32::crc32(0, &grown[second..second + 8]);
        grown[second + 8..second + 12].copy_from_slice(&crc.to_le_bytes());
        let refusal = Error::Window { coding: Coding::Xz, asked: 6144, allowed: 4096 };
        assert!(second > 12);
        assert_eq!(decode(Coding::Xz, &grown), Err(refusal));
    }

    #[test]
    fn every_optional_field_of_a_gzip_header_is_passed_over_and_its_checksum_checked() {
        let mut header = b"\x1f\x8b\x08\x1e\0\0\0\0\x02\xff\x02\0xyname\0comment\0".to_vec();
        let crc = zlib_rs::crc32::crc32(0, &header).to_le_bytes();
        header.extend_from_slice(&crc[..2]);
        let stream = [&header, &SEQ_GZ[10..]].concat();
        assert_eq!(decode(Coding::Gzip, &stream), Ok(seq()));
        let (coding, text) = (Coding::Gzip, "header checksum mismatch");
        header[9] = 3;
        let stream = [&header, &SEQ_GZ[10..]].concat();
        assert_eq!(decode(coding, &stream), Err(Error::Damaged { coding, text }));
    }

    #[test]
    fn an_error_of_the_source_passes_unchanged_and_stays() {
        let (code, text) = (5, "input/output error");
        let error = Error::Source(Cause { code, text });
        for (coding, stream) in STREAMS {
            let (rest, end) = (&stream[..stream.len() - 1], Err(error));
            let mut decoders = HeapDecoders { memory_max: 1 << 20 };
            let mut decoder = decoders.open(coding, Source { rest, end }).unwrap();
            assert_eq!(drain(&mut decoder), Err(error));
            assert_eq!(decoder.read(&mut [0]), Err(error));
            let (rest, end) = (&stream[..3], Err(error));
            assert_eq!(decoders.open(coding, Source { rest, end }).err(), Some(error));
        }
    }

    #[test]
    fn the_end_stays_the_end() {
        for (coding, stream) in STREAMS {
            let mut decoder = open(coding, stream, 1 << 20).unwrap();
            assert_eq!(drain(&mut decoder), Ok(seq()));
            assert_eq!(decoder.read(&mut [0]), Ok(0));
        }
    }
}

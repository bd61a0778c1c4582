//! The decoders, which allocate: all of it in `open`, nothing between the first byte and the
//! last. Never decide what memory a stream may have: the ceiling is given, and what the stream
//! asks for is told by the core's probe before its window is taken.

mod gzip;
mod input;
mod xz;
mod zstd;

use embedded_io::Read;
use twinslot::device::Cause;
use twinslot::stream::decode::{self, Coding, Decoders, Mark};
use twinslot::stream::plain::Plain;
use twinslot::stream::{Error, Source};

use gzip::Gzip;
use input::Input;
use xz::Xz;
use zstd::Zstd;

/// Decoders on the heap.
pub(crate) struct HeapDecoders {
    /// The ceiling of a window or dictionary (`MemoryMax`), in bytes. Beyond what a stream asks
    /// for within it, a decoder takes a constant: gzip 80 KiB, its window included, xz 64 KiB,
    /// zstd 1.5 MiB.
    pub(crate) memory_max: u64,
}

impl Decoders for HeapDecoders {
    type Reader<R: Source> = Decoder<R>;

    fn open<R: Source>(&mut self, coding: Coding, input: R) -> Result<Decoder<R>, Error> {
        let body = match coding {
            Coding::None => Body::None(Plain::new(input)),
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
    None(Plain<R>),
    Gzip(Gzip<R>),
    Xz(Xz<R>),
    Zstd(Zstd<R>),
}

impl<R> embedded_io::ErrorType for Decoder<R> {
    type Error = Error;
}

impl<R: Source> Read for Decoder<R> {
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

impl<R: Source> decode::Decoder for Decoder<R> {
    /// zstd and xz have none: their tables and windows do not begin anew inside of a stream.
    fn mark(&self) -> Option<Mark> {
        match &self.body {
            Body::None(plain) => plain.mark(),
            Body::Gzip(gzip) => gzip.mark(),
            Body::Xz(_) | Body::Zstd(_) => None,
        }
    }

    fn resume(&mut self, mark: Mark, window: &[u8]) -> Result<(), Error> {
        let text = "cannot be decoded from its middle";
        let result = match &mut self.body {
            Body::None(plain) => plain.resume(mark, window),
            Body::Gzip(gzip) => gzip.resume(mark, window),
            Body::Xz(_) => Err(Error::Damaged { coding: Coding::Xz, text }),
            Body::Zstd(_) => Err(Error::Damaged { coding: Coding::Zstd, text }),
        };
        if let Err(error) = result {
            self.outcome = Some(Err(error));
        }
        result
    }
}

/// The window cannot be had: ENOMEM.
const NO_MEMORY: Error = Error::Source(Cause { code: 12, text: "cannot allocate the window" });

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

    impl twinslot::stream::Source for Source<'_> {}

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

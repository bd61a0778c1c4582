//! zstd over rust-zstd, which takes its memory piece by piece as a stream first needs each: a
//! frame of our own makes it take everything in `open`. Never allocates after that.

use rust_zstd::Decompressor;
use twinslot::stream::{Error, Source};

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

impl<R: Source> Zstd<R> {
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
/// It does so piece by piece, as a stream first needs each, so it is fed a frame that needs
/// them all: every kind of table, the most literals, a block in pieces, and content up to the
/// end of the round buffer, which for a frame of unknown content is the window and seven
/// blocks. The frame is valid (RFC 8878 sections 3.1.1 and 4): zstd accepts it. What it must
/// reach is rust-zstd's business, hence the exact version in `Cargo.toml`.
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
/// One literal and one sequence (1 literal, match of 3 at the last offset) over three FSE
/// tables of two symbols each.
const PRIMER_SEQUENCE: &[u8] = &[0x08, 0, 1, 0xa8, 0x10, 0x3f, 0x10, 0x3f, 0x10, 0x3f, 0x00, 0xc0];
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

//! What a compressed stream is and what memory it asks for, told from its first bytes. The
//! decoders themselves allocate and live in the shell, behind [`Decoders`].

use embedded_io::Read;

use super::{Error, Source};

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

impl Coding {
    /// The stream as a part of the artifact, for [`Error::Truncated`] and [`Error::Trailing`].
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::None => "uncompressed data",
            Self::Gzip => "gzip data",
            Self::Xz => "xz data",
            Self::Zstd => "zstd data",
        }
    }
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
    type Reader<R: Source>: Decoder;

    /// A decoder of `coding` over `input`. The reader returns `Ok(0)` only when the compressed
    /// stream is complete, its own checksum right, and `input` has nothing left.
    ///
    /// # Errors
    /// [`Error::Window`] before any memory is taken, [`Error::Damaged`] or what `input` says.
    fn open<R: Source>(&mut self, coding: Coding, input: R) -> Result<Self::Reader<R>, Error>;
}

/// A decoder over its input.
pub trait Decoder: Read<Error = Error> {
    /// The last place that was read past and that decoding can begin at, if there was one. It is
    /// taken for what it seems to be: only the payload's digest proves it.
    fn mark(&self) -> Option<Mark>;

    /// Passes over the input up to `mark`, which is ahead, and goes on there. `window` is the
    /// [`WINDOW_BYTES`] of content before it. Allocates nothing.
    ///
    /// # Errors
    /// The input's, and [`Error::Damaged`] where this stream cannot go on there.
    fn resume(&mut self, mark: Mark, window: &[u8]) -> Result<(), Error>;
}

/// How much of the content before a [`Mark`] going on there takes, in bytes: the window of
/// deflate, RFC 1951 section 2. What needs more has no marks.
pub const WINDOW_BYTES: usize = 32 * 1024;

/// A place in a compressed stream that decoding can begin at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From the start of the stream, in bytes.
    pub coded_bytes: u64,
    /// From the start of its content, in bytes.
    pub decoded_bytes: u64,
    /// The format's checksum of the content before.
    pub crc: u32,
}

/// How many first bytes [`probe`] may need: an xz stream header and a block header with both
/// sizes and four filters take 53; a zstd frame header takes 18.
pub const PROBE_BYTES: usize = 64;

/// What the first bytes of a stream ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A window (xz: dictionary) of this many bytes.
    Window(u64),
    /// Nothing yet: a zstd skippable frame of this many bytes, its header included, comes
    /// first, and what follows it must be probed.
    Skip(u64),
}

/// gzip: the window of deflate, RFC 1951 section 2.
const GZIP_WINDOW: u64 = 32 * 1024;
/// gzip ID1, ID2; RFC 1952 section 2.3.1.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// gzip fixed header, RFC 1952 section 2.3.
const GZIP_HEADER_LEN: usize = 10;
/// xz-file-format 1.2.1 section 2.1.1.1.
const XZ_MAGIC: [u8; 6] = *b"\xfd7zXZ\0";
/// xz-file-format 1.2.1 section 2.1.1: magic, flags, CRC32.
const XZ_HEADER_LEN: usize = 12;
/// RFC 8878 section 3.1.1.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Whether `head` begins as a stream (gzip member, zstd frame of any kind) of `coding` does.
#[must_use]
pub fn starts(coding: Coding, head: &[u8]) -> bool {
    match coding {
        Coding::None => true,
        Coding::Gzip => head.starts_with(&GZIP_MAGIC),
        Coding::Xz => head.starts_with(&XZ_MAGIC),
        Coding::Zstd => head.starts_with(&ZSTD_MAGIC) || starts_skippable(head),
    }
}

/// What a stream of `coding` that begins with `head` asks for. `head` is its first
/// [`PROBE_BYTES`] bytes, or all of it when it is shorter. Checksums of headers are left to the
/// decoder: they may lie beyond `head`.
///
/// # Errors
/// [`Error::Truncated`] when `head` ends too early, [`Error::Damaged`] when it is no stream of
/// `coding` or uses what the format reserves.
pub fn probe(coding: Coding, head: &[u8]) -> Result<Ask, Error> {
    let mut head = Head { coding, rest: head };
    match coding {
        Coding::None => Ok(Ask::Window(0)),
        Coding::Gzip => probe_gzip(&mut head),
        Coding::Xz => probe_xz(&mut head),
        Coding::Zstd => probe_zstd(&mut head),
    }
}

/// A magic number of a skippable frame, 0x184D2A50 to 0x184D2A5F little-endian; RFC 8878
/// section 3.1.2.
fn starts_skippable(head: &[u8]) -> bool {
    matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// The header of the first member, RFC 1952 section 2.3: method and flags.
fn probe_gzip(head: &mut Head<'_>) -> Result<Ask, Error> {
    head.magic(&GZIP_MAGIC)?;
    let fixed = head.take(GZIP_HEADER_LEN - GZIP_MAGIC.len())?;
    if fixed[0] != 8 {
        return Err(head.damaged("compression method is not deflate"));
    }
    if fixed[1] & 0xe0 != 0 {
        return Err(head.damaged("reserved header flag"));
    }
    Ok(Ask::Window(GZIP_WINDOW))
}

/// The stream header, xz-file-format 1.2.1 section 2.1.1, and the first block's, section 3.1.
/// A stream of no blocks (an index comes first) asks for nothing.
fn probe_xz(head: &mut Head<'_>) -> Result<Ask, Error> {
    head.magic(&XZ_MAGIC)?;
    let rest = head.take(XZ_HEADER_LEN - XZ_MAGIC.len())?;
    if rest[0] != 0 || rest[1] > 0x0f {
        return Err(head.damaged("reserved stream flag"));
    }
    if head.byte()? == 0 {
        return Ok(Ask::Window(0));
    }
    let flags = head.byte()?;
    if flags & 0x3c != 0 {
        return Err(head.damaged("reserved block flag"));
    }
    for present in [0x40, 0x80] {
        if flags & present != 0 {
            skip_xz_size(head)?;
        }
    }
    for _ in 0..flags & 0x03 {
        skip_xz_filter(head)?;
    }
    xz_dictionary(head)
}

/// A size of the block header: a multibyte integer of up to nine bytes, xz-file-format 1.2.1
/// section 1.2.
fn skip_xz_size(head: &mut Head<'_>) -> Result<(), Error> {
    for _ in 0..9 {
        if head.byte()? & 0x80 == 0 {
            return Ok(());
        }
    }
    Err(head.damaged("size of more than 63 bits"))
}

/// A filter before the last: delta (section 5.3.3) or one of the branch converters (5.3.2, BCJ),
/// which ask for no memory to speak of.
fn skip_xz_filter(head: &mut Head<'_>) -> Result<(), Error> {
    let (id, len) = (head.byte()?, head.byte()?);
    match (id, len) {
        (0x03, 1) | (0x04..=0x0b, 0 | 4) => head.take(usize::from(len)).map(|_| ()),
        _ => Err(head.damaged("unknown filter")),
    }
}

/// The last filter: LZMA2 and its dictionary size, xz-file-format 1.2.1 section 5.3.1.
fn xz_dictionary(head: &mut Head<'_>) -> Result<Ask, Error> {
    if (head.byte()?, head.byte()?) != (0x21, 1) {
        return Err(head.damaged("last filter is not lzma2"));
    }
    match head.byte()? {
        bits @ 0..=39 => {
            let mantissa = 2 | u64::from(bits & 1);
            Ok(Ask::Window(mantissa << (bits / 2 + 11)))
        }
        40 => Ok(Ask::Window(u64::from(u32::MAX))),
        _ => Err(head.damaged("reserved dictionary size")),
    }
}

/// A frame header, RFC 8878 section 3.1.1.1, or a skippable frame's, section 3.1.2.
fn probe_zstd(head: &mut Head<'_>) -> Result<Ask, Error> {
    if starts_skippable(head.rest) {
        head.take(4)?;
        return Ok(Ask::Skip(8 + head.little_endian(4)?));
    }
    head.magic(&ZSTD_MAGIC)?;
    let descriptor = head.byte()?;
    if descriptor & 0x08 != 0 {
        return Err(head.damaged("reserved frame header bit"));
    }
    if descriptor & 0x20 == 0 {
        return Ok(Ask::Window(zstd_window(head.byte()?)));
    }
    if descriptor & 0x03 != 0 {
        head.take([0, 1, 2, 4][usize::from(descriptor & 0x03)])?;
    }
    let content = match descriptor >> 6 {
        0 => head.little_endian(1)?,
        1 => head.little_endian(2)? + 256,
        2 => head.little_endian(4)?,
        _ => head.little_endian(8)?,
    };
    Ok(Ask::Window(content))
}

/// Window_Descriptor, RFC 8878 section 3.1.1.1.2: 1 KiB to 3.75 TiB.
fn zstd_window(descriptor: u8) -> u64 {
    let base = 1_u64 << (10 + (descriptor >> 3));
    base + base / 8 * u64::from(descriptor & 7)
}

/// The first bytes of a stream, taken from the front.
struct Head<'a> {
    coding: Coding,
    rest: &'a [u8],
}

impl<'a> Head<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            let missing = len - self.rest.len();
            return Err(Error::Truncated {
                what: self.coding.what(),
                missing: u64::try_from(missing).unwrap_or(u64::MAX),
            });
        };
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.take(1).map(|byte| byte[0])
    }

    fn little_endian(&mut self, len: usize) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(self.take(len)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// Refuses another magic before a short head: what is there already is wrong.
    fn magic(&mut self, magic: &[u8]) -> Result<(), Error> {
        let len = self.rest.len().min(magic.len());
        if self.rest[..len] != magic[..len] {
            return Err(self.damaged("not the format's magic number"));
        }
        self.take(magic.len()).map(|_| ())
    }

    const fn damaged(&self, text: &'static str) -> Error {
        Error::Damaged { coding: self.coding, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// First bytes, put together from parts.
    type Bytes = heapless::Vec<u8, 128>;

    fn join(parts: &[&[u8]]) -> Bytes {
        parts.iter().copied().flatten().copied().collect()
    }

    /// A zstd frame header: the magic number and what follows it.
    fn zstd(tail: &[u8]) -> Bytes {
        join(&[&ZSTD_MAGIC, tail])
    }

    /// The stream header that xz and mender-artifact write (CRC64), then a block header.
    fn xz(block: &[u8]) -> Bytes {
        join(&[b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46", block])
    }

    fn asks(coding: Coding, head: &[u8], window: u64) {
        assert_eq!(probe(coding, head), Ok(Ask::Window(window)));
    }

    fn damaged(coding: Coding, head: &[u8], text: &'static str) {
        assert_eq!(probe(coding, head), Err(Error::Damaged { coding, text }));
    }

    /// Every shorter head is refused, and says how much is missing where that is known.
    fn truncated(coding: Coding, head: &[u8], missing: &[u64]) {
        for (len, missing) in missing.iter().copied().enumerate() {
            let what = coding.what();
            assert_eq!(
                probe(coding, &head[..len]),
                Err(Error::Truncated { what, missing }),
                "{len} bytes"
            );
        }
    }

    #[test]
    fn an_uncompressed_stream_asks_for_nothing_whatever_it_holds() {
        asks(Coding::None, &[], 0);
        asks(Coding::None, &GZIP_MAGIC, 0);
    }

    #[test]
    fn a_gzip_stream_asks_for_32_kib() {
        let head = b"\x1f\x8b\x08\x00\x00\x09\x6e\x88\x00\xff";
        asks(Coding::Gzip, head, 32 * 1024);
        truncated(Coding::Gzip, head, &[2, 1, 8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn a_gzip_header_with_a_reserved_bit_or_another_method_is_refused() {
        asks(Coding::Gzip, b"\x1f\x8b\x08\x1f\0\0\0\0\0\0", 32 * 1024);
        for flag in [0x20, 0x40, 0x80] {
            let head = [0x1f, 0x8b, 8, flag, 0, 0, 0, 0, 0, 0];
            damaged(Coding::Gzip, &head, "reserved header flag");
        }
        let text = "compression method is not deflate";
        damaged(Coding::Gzip, b"\x1f\x8b\x07\0\0\0\0\0\0\0", text);
    }

    #[test]
    fn another_magic_number_is_refused_from_its_first_wrong_byte() {
        for coding in [Coding::Gzip, Coding::Xz, Coding::Zstd] {
            damaged(coding, b"x", "not the format's magic number");
            assert!(!starts(coding, b"x"));
        }
        damaged(Coding::Zstd, b"\x28\xb5\x2f\xfc", "not the format's magic number");
        damaged(Coding::Xz, b"\xfd7zXZ\x01", "not the format's magic number");
    }

    #[test]
    fn a_zstd_window_descriptor_is_base_and_eighths() {
        for (descriptor, window) in [
            (0x00, 1024),
            (0x01, 1024 + 128),
            (0x07, 1024 + 7 * 128),
            (0x08, 2048),
            (0x60, 4 * MIB),
            (0x68, 8 * MIB),
            (0x70, 16 * MIB),
            (0x78, 32 * MIB),
            (0xff, 15 << 38),
        ] {
            let head = zstd(&[0x04, descriptor]);
            asks(Coding::Zstd, &head, window);
            truncated(Coding::Zstd, &head, &[4, 3, 2, 1, 1, 1]);
        }
    }

    #[test]
    fn a_zstd_single_segment_asks_for_its_content() {
        asks(Coding::Zstd, &zstd(&[0x20, 0]), 0);
        asks(Coding::Zstd, &zstd(&[0x20, 255]), 255);
        asks(Coding::Zstd, &zstd(&[0x60, 0, 0]), 256);
        asks(Coding::Zstd, &zstd(&[0x64, 0, 0x0d]), 3584);
        asks(Coding::Zstd, &zstd(&[0x60, 0xff, 0xff]), 65_535 + 256);
        asks(Coding::Zstd, &zstd(&[0xa0, 1, 2, 3, 4]), 0x0403_0201);
        asks(Coding::Zstd, &zstd(&[0xe0, 1, 2, 3, 4, 5, 6, 7, 8]), 0x0807_0605_0403_0201);
        truncated(Coding::Zstd, &zstd(&[0x60, 0, 0]), &[4, 3, 2, 1, 1, 2, 1]);
    }

    #[test]
    fn a_zstd_dictionary_id_stands_before_the_content_size() {
        asks(Coding::Zstd, &zstd(&[0x21, 9, 7]), 7);
        asks(Coding::Zstd, &zstd(&[0x22, 9, 9, 7]), 7);
        let longest = zstd(&[0xe3, 9, 9, 9, 9, 7, 0, 0, 0, 0, 0, 0, 0]);
        asks(Coding::Zstd, &longest, 7);
        assert!(longest.len() <= PROBE_BYTES);
        asks(Coding::Zstd, &zstd(&[0x03, 0x60]), 4 * MIB);
    }

    #[test]
    fn a_zstd_frame_header_with_the_reserved_bit_is_refused() {
        damaged(Coding::Zstd, &zstd(&[0x08, 0]), "reserved frame header bit");
    }

    #[test]
    fn a_zstd_skippable_frame_asks_to_be_skipped() {
        for magic in [0x50, 0x5f] {
            let head = [magic, 0x2a, 0x4d, 0x18, 5, 0, 0, 0];
            assert_eq!(probe(Coding::Zstd, &head), Ok(Ask::Skip(13)));
            assert!(starts(Coding::Zstd, &head));
        }
        let head = [0x53, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(probe(Coding::Zstd, &head), Ok(Ask::Skip((1 << 32) + 7)));
        let what = "zstd data";
        assert_eq!(probe(Coding::Zstd, &head[..7]), Err(Error::Truncated { what, missing: 1 }));
        let text = "not the format's magic number";
        damaged(Coding::Zstd, b"\x60\x2a\x4d\x18\0\0\0\0", text);
    }

    #[test]
    fn an_xz_dictionary_size_is_two_or_three_times_a_power_of_two() {
        for (bits, window) in [
            (0, 4096),
            (1, 6144),
            (2, 8192),
            (0x1c, 64 * MIB),
            (38, 2048 * MIB),
            (39, 3072 * MIB),
            (40, (1 << 32) - 1),
        ] {
            let head = xz(&[2, 0, 0x21, 1, bits]);
            asks(Coding::Xz, &head, window);
            let missing = [6, 5, 4, 3, 2, 1, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1];
            truncated(Coding::Xz, &head, &missing);
        }
        for bits in [41, 0x40, 0x80] {
            let head = xz(&[2, 0, 0x21, 1, bits]);
            damaged(Coding::Xz, &head, "reserved dictionary size");
        }
    }

    #[test]
    fn an_xz_stream_without_a_block_asks_for_nothing() {
        asks(Coding::Xz, &xz(&[0]), 0);
    }

    #[test]
    fn the_xz_filters_and_sizes_before_lzma2_are_passed_over() {
        let (delta, arm64, offset) = ([3, 1, 0], [0x0a, 0], [0x04, 4, 1, 2, 3, 4]);
        let lzma2 = [0x21, 1, 0x1c];
        asks(Coding::Xz, &xz(&join(&[&[4, 1], &arm64, &lzma2])), 64 * MIB);
        asks(Coding::Xz, &xz(&join(&[&[4, 2], &delta, &offset, &lzma2])), 64 * MIB);
        asks(Coding::Xz, &xz(&join(&[&[4, 0x40], &[0x80, 1], &lzma2])), 64 * MIB);
        asks(Coding::Xz, &xz(&join(&[&[4, 0x80], &[0x7f], &lzma2])), 64 * MIB);
        let size = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        let block = [&[14, 0xc3][..], &size, &size, &offset, &offset, &offset, &lzma2];
        let longest = xz(&join(&block));
        asks(Coding::Xz, &longest, 64 * MIB);
        assert!(longest.len() <= PROBE_BYTES);
    }

    #[test]
    fn what_xz_reserves_or_does_not_know_is_refused() {
        let stream = |flags: [u8; 2]| join(&[&XZ_MAGIC, &flags, &[0; 4], &[0]]);
        asks(Coding::Xz, &stream([0, 0x0f]), 0);
        damaged(Coding::Xz, &stream([1, 4]), "reserved stream flag");
        damaged(Coding::Xz, &stream([0, 0x10]), "reserved stream flag");
        damaged(Coding::Xz, &xz(&[2, 0x04, 0x21, 1, 0]), "reserved block flag");
        damaged(Coding::Xz, &xz(&[2, 0x20, 0x21, 1, 0]), "reserved block flag");
        damaged(Coding::Xz, &xz(&[2, 0, 0x21, 2, 0]), "last filter is not lzma2");
        damaged(Coding::Xz, &xz(&[2, 0, 0x04, 0, 0]), "last filter is not lzma2");
        for filter in [[0x21, 1], [0x0c, 0], [0x04, 1], [0x04, 5], [0x03, 0], [0x03, 2]] {
            let head = xz(&join(&[&[3, 1], &filter, &[0; 8]]));
            damaged(Coding::Xz, &head, "unknown filter");
        }
        let size = [0xff; 9];
        let head = xz(&join(&[&[3, 0x40], &size]));
        damaged(Coding::Xz, &head, "size of more than 63 bits");
    }
}

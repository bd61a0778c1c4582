//! The single stages of an installation, each alone and by the code that an installation runs.

use crate::shell::decode::HeapDecoders;
use embedded_io::{ErrorType, Read};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};
use twinslot::device::Cause;
use twinslot::memory::{Aligned, BLOCK_BYTES, Block, RING_BLOCKS};
use twinslot::stream::decode::{Coding, Decoders};
use twinslot::stream::digest::Hasher;
use twinslot::stream::{Error, Source};

/// Blocks of noise, more than any cache of a processor holds near itself.
const NOISE_BLOCKS: usize = 16;

/// Decodes the payload archive of an artifact into as many blocks as an installation has, one
/// after the other.
pub(crate) fn decode(artifact: &Path, coding: Coding) -> Duration {
    let source = payload(artifact);
    let mut ring: Vec<Box<Block>> = std::iter::repeat_with(block).take(RING_BLOCKS).collect();
    let start = Instant::now();
    let mut decoder = HeapDecoders { memory_max: 128 << 20 }.open(coding, source).unwrap();
    for block in (0..RING_BLOCKS).cycle() {
        if fill(&mut decoder, &mut ring[block].0) == 0 {
            break;
        }
    }
    start.elapsed()
}

fn fill(decoder: &mut impl Read<Error = Error>, block: &mut [u8]) -> usize {
    let mut len = 0;
    while len < block.len() {
        match decoder.read(&mut block[len..]).unwrap() {
            0 => break,
            more => len += more,
        }
    }
    len
}

/// Digests as many bytes as the image has.
pub(crate) fn digest(size_bytes: u64) -> Duration {
    let noise = noise();
    let mut hasher = Hasher::default();
    let start = Instant::now();
    for (_, len, block) in blocks(size_bytes, &noise) {
        hasher.update(&block.0[..len]);
    }
    std::hint::black_box(hasher.finish());
    start.elapsed()
}

/// Writes as many bytes to a device, past the page cache, until they are there for good. The
/// slot then holds nothing that an installation could leave as it is.
pub(crate) fn write(device: &Path, size_bytes: u64) -> Duration {
    let noise = noise();
    let mut options = OpenOptions::new();
    let file = options.write(true).custom_flags(libc::O_EXCL | libc::O_DIRECT);
    let file = file.open(device).unwrap();
    let start = Instant::now();
    for (at_byte, len, block) in blocks(size_bytes, &noise) {
        file.write_all_at(&block.0[..len], at_byte).unwrap();
    }
    file.sync_data().unwrap();
    start.elapsed()
}

/// Where each block of so many bytes lies, how many of its bytes count, and what is in it.
fn blocks(size_bytes: u64, noise: &[Box<Block>]) -> impl Iterator<Item = (u64, usize, &Block)> {
    let starts = (0..size_bytes).step_by(BLOCK_BYTES);
    starts.zip(noise.iter().cycle()).map(move |(at_byte, block)| {
        let left = usize::try_from(size_bytes - at_byte).unwrap();
        (at_byte, left.min(BLOCK_BYTES), &**block)
    })
}

fn noise() -> Vec<Box<Block>> {
    let mut random = crate::board::random::Random::seeded().0;
    let make = || {
        let mut block = block();
        block.0.copy_from_slice(&random.bytes(BLOCK_BYTES));
        block
    };
    std::iter::repeat_with(make).take(NOISE_BLOCKS).collect()
}

fn block() -> Box<Block> {
    Box::new(Aligned([0; BLOCK_BYTES]))
}

/// The bytes of data/0000.tar, compressed as they stand in an artifact.
fn payload(artifact: &Path) -> Payload {
    let mut file = File::open(artifact).unwrap();
    let mut header = [0; 512];
    loop {
        file.read_exact(&mut header).unwrap();
        let size = std::str::from_utf8(&header[124..135]).unwrap();
        let size = u64::from_str_radix(size, 8).unwrap();
        if header.starts_with(b"data/0000.tar") {
            return Payload(file.take(size));
        }
        let padded = i64::try_from(size.next_multiple_of(512)).unwrap();
        file.seek(SeekFrom::Current(padded)).unwrap();
    }
}

struct Payload(std::io::Take<File>);

impl ErrorType for Payload {
    type Error = Error;
}

impl Source for Payload {}

impl Read for Payload {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let unreadable = Cause { code: libc::EIO, text: "cannot be read" };
        self.0.read(into).map_err(|_| Error::Source(unreadable))
    }
}

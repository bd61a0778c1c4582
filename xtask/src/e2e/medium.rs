//! A board's eMMC seen from outside: what is on the medium, whatever the board says of it, and
//! damage to it.

use crate::board::Board;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use uboot_env::{Layout, choose, decode};

const CHUNK_BYTES: u64 = 1 << 20;
/// Behind all partitions; what is put there is nobody's.
const STORE_START: u64 = 1 << 30;
/// Room for one artifact.
const STORE_STRIDE: u64 = 64 << 20;

/// An image file.
#[derive(Debug)]
pub(crate) struct Medium<'b> {
    file: File,
    board: &'b Board,
}

/// Both environment copies as they are.
pub(crate) type Copies = [Vec<u8>; 2];

impl<'b> Medium<'b> {
    /// Opens it for reading and writing.
    pub(crate) fn open(image: &Path, board: &'b Board) -> Result<Self> {
        let file = File::options().read(true).write(true).open(image);
        let file = file.with_context(|| image.display().to_string())?;
        Ok(Self { file, board })
    }

    /// The environment copies.
    pub(crate) fn copies(&self) -> Result<Copies> {
        let [first, second] = self.board.environment.starts;
        Ok([self.copy(first)?, self.copy(second)?])
    }

    fn copy(&self, start: u64) -> Result<Vec<u8>> {
        let mut copy = vec![0; usize::try_from(self.board.environment.bytes)?];
        self.file.read_exact_at(&mut copy, start)?;
        Ok(copy)
    }

    /// Puts both environment copies there.
    pub(crate) fn put_copies(&self, copies: &Copies) -> Result<()> {
        for (copy, start) in copies.iter().zip(self.board.environment.starts) {
            self.file.write_all_at(copy, start)?;
        }
        Ok(())
    }

    /// Spoils an environment copy: one byte of a value changes, its CRC does not.
    pub(crate) fn spoil_copy(&self, index: usize) -> Result<()> {
        let starts = self.board.environment.starts;
        let start = starts.get(index).context("there are two copies")?;
        let mut byte = [0];
        self.file.read_exact_at(&mut byte, start + 100)?;
        byte[0] ^= 0xff;
        Ok(self.file.write_all_at(&byte, start + 100)?)
    }

    /// Takes the first MiB of a partition away, and with it its file system.
    pub(crate) fn spoil(&self, partition: &str) -> Result<()> {
        let start = self.board.partition(partition)?.start;
        Ok(self.file.write_all_at(&vec![0; usize::try_from(CHUNK_BYTES)?], start)?)
    }

    /// SHA-256 of a partition, byte by byte.
    pub(crate) fn digest(&self, partition: &str) -> Result<Vec<u8>> {
        let part = self.board.partition(partition)?;
        self.digest_of(part.start, part.bytes)
    }

    /// SHA-256 of everything before the environment: the partition table and a boot loader.
    pub(crate) fn head_digest(&self) -> Result<Vec<u8>> {
        self.digest_of(0, self.board.environment.starts[0])
    }

    fn digest_of(&self, start: u64, bytes: u64) -> Result<Vec<u8>> {
        let mut hash = Sha256::new();
        let mut chunk = vec![0; usize::try_from(CHUNK_BYTES)?];
        let mut at = 0;
        while at < bytes {
            let count = usize::try_from(CHUNK_BYTES.min(bytes - at))?;
            self.file.read_exact_at(&mut chunk[..count], start + at)?;
            hash.update(&chunk[..count]);
            at += CHUNK_BYTES;
        }
        Ok(hash.finalize().to_vec())
    }

    /// Whether a partition begins with a file's bytes.
    pub(crate) fn holds(&self, partition: &str, file: &Path) -> Result<bool> {
        let wanted = fs::read(file).with_context(|| file.display().to_string())?;
        let mut found = vec![0; wanted.len()];
        self.file.read_exact_at(&mut found, self.board.partition(partition)?.start)?;
        Ok(found == wanted)
    }

    /// Puts a file's bytes at the start of a partition.
    pub(crate) fn fill(&self, partition: &str, file: &Path) -> Result<()> {
        let bytes = fs::read(file).with_context(|| file.display().to_string())?;
        let part = self.board.partition(partition)?;
        if u64::try_from(bytes.len())? > part.bytes {
            bail!("{} does not fit into {partition}", file.display());
        }
        Ok(self.file.write_all_at(&bytes, part.start)?)
    }

    /// Where something is kept behind all partitions, in bytes.
    pub(crate) fn stored(number: u64) -> u64 {
        STORE_START + number * STORE_STRIDE
    }

    /// The whole of it.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Puts a file behind all partitions; returns where it starts, in MiB, and its size in bytes.
    pub(crate) fn store(&self, number: u64, file: &Path) -> Result<(u64, u64)> {
        let bytes = fs::read(file).with_context(|| file.display().to_string())?;
        let (start, size) = (Self::stored(number), u64::try_from(bytes.len())?);
        if size > STORE_STRIDE {
            bail!("{} is too large to be brought to a board", file.display());
        }
        self.file.write_all_at(&bytes, start)?;
        Ok((start >> 20, size))
    }
}

/// The current copy's serial and one variable, as U-Boot would read them.
pub(crate) fn variable(copies: &Copies, name: &str) -> Result<Option<String>> {
    let [first, second] = [0, 1].map(|index| decode(&copies[index], Layout::Redundant));
    let chosen = choose(first, second).context("both environment copies are lost")?;
    let value = chosen.current().get(name);
    Ok(value.map(|value| String::from_utf8_lossy(value).into_owned()))
}

/// How often the environment was written between two looks, each time the other copy than the
/// time before. More than twice is not told apart.
pub(crate) fn writes(before: &Copies, after: &Copies) -> Result<u8> {
    let [before, after] = [current_serial(before)?, current_serial(after)?];
    Ok(after.wrapping_sub(before))
}

fn current_serial(copies: &Copies) -> Result<u8> {
    let [first, second] = [0, 1].map(|index| decode(&copies[index], Layout::Redundant));
    let chosen = choose(first, second).context("both environment copies are lost")?;
    Ok(chosen.current().serial())
}

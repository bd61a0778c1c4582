//! What dm-log-writes leaves on its log device: every write in the order in which it was done,
//! and every flush. The format is the kernel's, drivers/md/dm-log-writes.c; little-endian.

use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::os::unix::fs::FileExt;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const VERSION: u64 = 1;
/// Of what `nr_sectors` and `sector` count.
const SECTOR_BYTES: u64 = 512;
/// No write is larger; the kernel splits them far below.
const WRITE_MAX_BYTES: u64 = 64 << 20;
const FLUSH: u64 = 1;
const DISCARD: u64 = 4;
const MARK: u64 = 8;

/// What happened, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Write {
        start: usize,
        bytes: Vec<u8>,
    },
    /// Everything before is on the medium.
    Flush,
    /// What somebody wanted to find again.
    Mark(String),
}

/// A log in a file.
#[derive(Debug)]
pub(super) struct Log<'f> {
    file: &'f File,
    /// Where its next sector is in the file.
    next: u64,
}

impl<'f> Log<'f> {
    pub(super) fn at(file: &'f File, start: u64) -> Self {
        Self { file, next: start }
    }

    /// Reads all of it.
    pub(super) fn entries(mut self) -> Result<Vec<Entry>> {
        let [magic, version, count, sector_bytes] = self.head()?;
        ensure!(magic == MAGIC, "no log of dm-log-writes: it begins with {magic:#x}");
        ensure!(version == VERSION, "a log of version {version}, wanted {VERSION}");
        // Beside it is what nobody wrote.
        let sector_bytes = sector_bytes & 0xffff_ffff;
        ensure!(sector_bytes == SECTOR_BYTES, "sectors of {sector_bytes}, wanted {SECTOR_BYTES}");
        let mut entries = Vec::new();
        for number in 0..count {
            self.entry(&mut entries).with_context(|| format!("entry {number} of {count}"))?;
        }
        Ok(entries)
    }

    /// The four numbers that a header's sector begins with.
    fn head(&mut self) -> Result<[u64; 4]> {
        let sector = self.take(SECTOR_BYTES)?;
        let mut numbers = [0; 4];
        for (number, bytes) in numbers.iter_mut().zip(sector.chunks_exact(8)) {
            *number = u64::from_le_bytes(bytes.try_into()?);
        }
        Ok(numbers)
    }

    fn take(&mut self, bytes: u64) -> Result<Vec<u8>> {
        let mut taken = vec![0; usize::try_from(bytes)?];
        self.file.read_exact_at(&mut taken, self.next)?;
        self.next += bytes;
        Ok(taken)
    }

    fn entry(&mut self, entries: &mut Vec<Entry>) -> Result<()> {
        let start = self.next;
        let [sector, sectors, flags, mark_bytes] = self.head()?;
        if flags & FLUSH != 0 {
            entries.push(Entry::Flush);
        }
        if flags & MARK != 0 {
            let mut mark = vec![0; usize::try_from(mark_bytes.min(SECTOR_BYTES - 32))?];
            self.file.read_exact_at(&mut mark, start + 32)?;
            let text = String::from_utf8_lossy(&mark).trim_end_matches('\0').to_owned();
            entries.push(Entry::Mark(text));
            return Ok(());
        }
        let bytes = sectors * SECTOR_BYTES;
        if flags & DISCARD != 0 {
            bail!("{bytes} bytes were discarded, and nobody here does that");
        }
        ensure!(bytes <= WRITE_MAX_BYTES, "a write of {bytes} bytes");
        if bytes > 0 {
            let start = usize::try_from(sector * SECTOR_BYTES)?;
            entries.push(Entry::Write { start, bytes: self.take(bytes)? });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn sector(numbers: [u64; 4], rest: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend_from_slice(rest);
        bytes.resize(512, 0);
        bytes
    }

    fn read(name: &str, sectors: &[Vec<u8>]) -> Result<Vec<Entry>> {
        let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        file.write_all(&[9; 100])?;
        file.write_all(&sectors.concat())?;
        Log::at(&file, 100).entries()
    }

    #[test]
    fn writes_flushes_and_marks_come_in_order() {
        let log = [
            sector([MAGIC, VERSION, 3, 512], &[]),
            sector([8, 1, 0, 0], &[]),
            vec![7; 512],
            sector([0, 0, FLUSH, 0], &[]),
            sector([0, 0, MARK, 5], b"armed"),
        ];
        let write = Entry::Write { start: 4096, bytes: vec![7; 512] };
        let wanted = [write, Entry::Flush, Entry::Mark("armed".to_owned())];
        assert_eq!(read("log", &log).unwrap(), wanted);
        assert!(read("cut", &log[..3]).is_err());
        assert!(read("other", &[sector([1, VERSION, 0, 512], &[])]).is_err());
    }
}

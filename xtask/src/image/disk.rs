//! An image as a sparse file: parts are put in their regions, and zeros take no room.

use crate::board::layout::Region;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is looked at for zeros, in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// What goes into a region.
#[derive(Debug)]
pub(crate) enum Part {
    Bytes(Vec<u8>),
    File(PathBuf),
}

impl Part {
    /// How many bytes it has, and they.
    pub(crate) fn open(&self) -> Result<(u64, Box<dyn Read + '_>)> {
        match self {
            Self::Bytes(bytes) => Ok((u64::try_from(bytes.len())?, Box::new(bytes.as_slice()))),
            Self::File(path) => {
                let file =
                    File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
                Ok((file.metadata()?.len(), Box::new(file)))
            }
        }
    }
}

/// The file that is being filled.
#[derive(Debug)]
pub(crate) struct Disk {
    file: File,
}

impl Disk {
    /// A disk of zeros.
    pub(crate) fn create(path: &Path, bytes: u64) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
        file.set_len(bytes)?;
        Ok(Self { file })
    }

    /// Puts a part at the start of its region.
    pub(crate) fn put(&self, region: &Region, part: &Part) -> Result<()> {
        let (bytes, reader) = part.open()?;
        if bytes > region.bytes {
            bail!("{} has room for {} bytes, but its image has {bytes}", region.name, region.bytes);
        }
        self.copy(region.start, reader)
    }

    fn copy(&self, start: u64, mut from: impl Read) -> Result<()> {
        let (mut chunk, zeros) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
        let mut at = start;
        loop {
            let mut filled = 0;
            while filled < chunk.len() {
                match from.read(&mut chunk[filled..])? {
                    0 => break,
                    count => filled += count,
                }
            }
            if filled == 0 {
                return Ok(());
            }
            if chunk[..filled] != zeros[..filled] {
                self.file.write_all_at(&chunk[..filled], at)?;
            }
            at += u64::try_from(filled)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn region(start: u64, bytes: u64) -> Region {
        Region { name: "slot-a".to_owned(), start, bytes }
    }

    #[test]
    fn what_fits_exactly_is_taken_and_one_byte_more_is_not() {
        let path = std::env::temp_dir().join(format!("xtask-disk-{}", std::process::id()));
        let disk = Disk::create(&path, 1 << 20).unwrap();
        disk.put(&region(4096, 3), &Part::Bytes(b"abc".to_vec())).unwrap();
        let error =
            disk.put(&region(4096, 2), &Part::Bytes(b"abc".to_vec())).unwrap_err().to_string();
        assert_eq!(error, "slot-a has room for 2 bytes, but its image has 3");
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(&bytes[4095..4100], b"\0abc\0");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn zeros_take_no_room() {
        let path = std::env::temp_dir().join(format!("xtask-sparse-{}", std::process::id()));
        let disk = Disk::create(&path, 16 << 20).unwrap();
        disk.put(&region(0, 16 << 20), &Part::Bytes(vec![0; 16 << 20])).unwrap();
        assert!(std::fs::metadata(&path).unwrap().blocks() < 64);
        std::fs::remove_file(path).unwrap();
    }
}

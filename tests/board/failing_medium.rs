//! A medium that fails at a place of the test's choice. No device mapper is needed.

use super::mounts::Mounts;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use tempfile::TempDir;

/// A file in memory of which one stretch cannot be written: the memory is used up.
pub struct FailingMedium {
    pub image: PathBuf,
    _mounts: Mounts,
    _directory: TempDir,
}

impl FailingMedium {
    /// With `length` bytes at `hole` that read as zeros and stay so; both count whole pages.
    pub fn new(content: &[u8], hole: usize, length: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let mut mounts = Mounts::default();
        let size = format!("{}k", content.len() / 1024 + 256);
        mounts.tmpfs(&size, directory.path());
        let image = directory.path().join("image");
        let file = File::create(&image).unwrap();
        file.set_len(u64::try_from(content.len()).unwrap()).unwrap();
        let behind = hole + length;
        file.write_all_at(&content[..hole], 0).unwrap();
        file.write_all_at(&content[behind..], u64::try_from(behind).unwrap()).unwrap();
        let mut ballast = File::create(directory.path().join("ballast")).unwrap();
        while ballast.write_all(&[0xFF; 4096]).is_ok() {}
        Self { image, _mounts: mounts, _directory: directory }
    }
}

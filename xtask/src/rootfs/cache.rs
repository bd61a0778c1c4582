//! What was made once and can be made again, kept under the target directory by a digest of what
//! went into it. Safe for several processes at once; forgets what nobody wants any more.

use crate::tree;
use anyhow::{Context, Result};
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// Names another directory, so that everything is made anew.
pub(crate) const VARIABLE: &str = "TWINSLOT_IMAGE_CACHE";
/// What was not asked for so long gives way to what has its name.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// Tells apart what is being made at the same time.
static PARTS: AtomicU32 = AtomicU32::new(0);

/// Something to be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// What it is, for a person.
    pub(crate) name: &'a str,
    /// Of what goes into it, in hexadecimal.
    pub(crate) digest: &'a str,
    /// `ext4`
    pub(crate) extension: &'a str,
}

impl Item<'_> {
    /// Where it is; made at a path beside that if it is not there yet.
    pub(crate) fn find_or_make(&self, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let directory = match env::var_os(VARIABLE) {
            Some(directory) => PathBuf::from(directory),
            None => tree::target()?.join("boards/cache"),
        };
        fs::create_dir_all(&directory)?;
        let digest = self.digest.get(..16).context("a digest is longer")?;
        let path = directory.join(format!("{}-{digest}.{}", self.name, self.extension));
        if let Ok(file) = File::options().append(true).open(&path) {
            file.set_modified(SystemTime::now())?;
            return Ok(path);
        }
        self.forget(&directory)?;
        let number = PARTS.fetch_add(1, Ordering::Relaxed);
        let part = path.with_extension(format!("part-{}-{number}", std::process::id()));
        make(&part).with_context(|| format!("cannot make {}", path.display()))?;
        fs::rename(part, &path)?;
        Ok(path)
    }

    fn forget(&self, directory: &Path) -> Result<()> {
        let start = format!("{}-", self.name);
        let digits = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let digest = name.strip_prefix(&start).and_then(|rest| rest.split_once('.'));
            let ours = digest.is_some_and(|(digest, _)| digits(digest));
            let age = entry.metadata().and_then(|data| data.modified()).map(|time| time.elapsed());
            if ours && matches!(age, Ok(Ok(age)) if age > FORGOTTEN) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

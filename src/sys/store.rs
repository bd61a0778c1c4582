//! Small files that must survive a power cut: written whole or not at all, or appended to.
//! Never knows what is in them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Failure;

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("{} is longer than the {max_bytes} bytes allowed", path.display())]
    TooLong { path: PathBuf, max_bytes: u64 },
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The file at `path`; `None` if there is none.
///
/// # Errors
/// It is longer than `max_bytes`, or cannot be read.
pub(crate) fn read_bounded(path: &Path, max_bytes: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::new("open", path, &error).into()),
    };
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new("read", path, &error))?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= max_bytes => Ok(Some(bytes)),
        _ => Err(ReadError::TooLong { path: path.to_owned(), max_bytes }),
    }
}

/// Makes `path` hold `bytes`, durably: whoever reads it, whenever the power fails, finds all of
/// the old or all of the new.
///
/// # Errors
/// Then the old content stands, unless only the directory's flush failed.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Kept::new(path.to_owned()).replace(bytes)
}

/// As [`replace`], in a file that nobody but its owner may read, at no moment.
///
/// # Errors
/// As those of [`replace`].
pub(crate) fn keep_secret(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    // What a power cut left there may have been made for everyone.
    remove(&beside(path))?;
    Kept { mode: 0o600, ..Kept::new(path.to_owned()) }.replace(bytes)
}

/// A file that is replaced again and again while nothing may be allocated.
#[derive(Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    new: PathBuf,
    mode: u32,
}

impl Kept {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { new: beside(&path), path, mode: 0o644 }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// [`replace`]; allocates only to say what failed.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn replace(&self, bytes: &[u8]) -> Result<(), Failure> {
        let Self { path, new, mode } = self;
        write_new(new, bytes, *mode).map_err(|error| Failure::new("write", new, &error))?;
        fs::rename(new, path).map_err(|error| Failure::new("replace", path, &error))?;
        flush_directory(path)
    }
}

/// Adds `bytes` to the end of `path`, durably; the file is made if there is none. A power cut
/// may leave a part of them at the end.
///
/// # Errors
/// Then a part of `bytes` may be at the end.
pub(crate) fn append(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        let mut file = options(0o644).append(true).create(true).open(path)?;
        let is_new = file.metadata()?.len() == 0;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(is_new)
    };
    let is_new = write().map_err(|error| Failure::new("append to", path, &error))?;
    if is_new { flush_directory(path) } else { Ok(()) }
}

/// Removes `path`, durably; `false` if there was none.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn remove(path: &Path) -> Result<bool, Failure> {
    match fs::remove_file(path) {
        Ok(()) => flush_directory(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::new("remove", path, &error)),
    }
}

/// Makes the directory `path`, durably, in one that exists; nothing if it is there.
///
/// # Errors
/// The parent is missing or cannot be written, or `path` is no directory.
pub(crate) fn create_directory(path: &Path) -> Result<(), Failure> {
    match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => flush_directory(path),
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(Failure::new("create", path, &error)),
    }
}

/// Finds out whether `room` can be kept in `directory`, by writing as much and removing it.
///
/// # Errors
/// The directory is missing or read-only, or its file system is full.
pub(crate) fn try_room(directory: &Path, room: &[u8]) -> Result<(), Failure> {
    let trial = beside(&directory.join("room"));
    let written = write_new(&trial, room, 0o644);
    let removed = remove(&trial);
    written.map_err(|error| Failure::new("write", &trial, &error))?;
    removed.map(|_| ())
}

/// Where the new content waits: hidden, and the same every time, so that what a power cut leaves
/// is overwritten by the next attempt.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = options(mode).write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn options(mode: u32) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(mode).custom_flags(libc::O_NOFOLLOW);
    options
}

/// A name is durable once its directory is (fsync(2)).
fn flush_directory(path: &Path) -> Result<(), Failure> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| Failure::new("flush", directory, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("twinslot-{}-store-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            create_directory(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let scratch = Scratch::new("replace");
        let path = scratch.0.join("provides");
        fs::write(beside(&path), "longer leftover of a power cut").unwrap();
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(scratch.names(), ["provides"]);
    }

    #[test]
    fn a_secret_is_its_owners_alone_also_after_a_power_cut() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = Scratch::new("secret");
        let path = scratch.0.join("key");
        fs::write(beside(&path), "leftover").unwrap();
        fs::set_permissions(beside(&path), fs::Permissions::from_mode(0o644)).unwrap();
        keep_secret(&path, b"secret").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(scratch.names(), ["key"]);
    }

    #[test]
    fn what_is_appended_follows_what_was_there() {
        let scratch = Scratch::new("append");
        let path = scratch.0.join("journal");
        append(&path, b"one ").unwrap();
        append(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one two");
    }

    #[test]
    fn a_file_is_read_up_to_its_bound_and_not_a_byte_over() {
        let scratch = Scratch::new("read");
        let path = scratch.0.join("f");
        assert!(read_bounded(&path, 4).unwrap().is_none());
        fs::write(&path, "four").unwrap();
        assert_eq!(read_bounded(&path, 4).unwrap().unwrap(), b"four");
        assert_eq!(read_bounded(&path, 5).unwrap().unwrap(), b"four");
        let refused = read_bounded(&path, 3).unwrap_err().to_string();
        assert_eq!(refused, format!("{} is longer than the 3 bytes allowed", path.display()));
        assert!(matches!(read_bounded(&scratch.0, 9), Err(ReadError::Failed(_))));
    }

    #[test]
    fn removing_twice_is_told_apart() {
        let scratch = Scratch::new("remove");
        let path = scratch.0.join("f");
        replace(&path, b"").unwrap();
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
    }

    #[test]
    fn every_error_names_the_path() {
        let path = Path::new("/no/such/file");
        let said = "cannot write /no/such/.file.new: No such file or directory";
        assert_eq!(replace(path, b"").unwrap_err().to_string(), said);
        let said = "cannot append to /no/such/file: No such file or directory";
        assert_eq!(append(path, b"").unwrap_err().to_string(), said);
        assert!(try_room(Path::new("/no/such"), b"x").is_err());
        let file = Path::new("/proc/version");
        assert!(create_directory(file).is_err());
    }

    #[test]
    fn trying_for_room_leaves_none_taken() {
        let scratch = Scratch::new("room");
        try_room(&scratch.0, &[0; 5000]).unwrap();
        assert!(scratch.names().is_empty());
    }
}

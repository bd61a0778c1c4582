//! Advisory locks: one updater at a time, and the environment's against the tools of U-Boot and
//! libubootenv. Never breaks a lock.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use twinslot::device::Cause;

use super::{Failure, cause};

/// The file a running updater holds, in the directory it is told.
const UPDATER_FILE: &str = "twinslot.lock";

/// What fw_printenv and fw_setenv lock: U-Boot's own since 2023 the first, libubootenv and older
/// ones the second. Both together keep everyone off.
const ENV_FILES: [&str; 2] = ["/run/fw_printenv.lock", "/var/lock/fw_printenv.lock"];

/// How long another tool may take: a save to a slow flash is done within it.
const ENV_WAIT_MS: u64 = 10_000;

/// Between two looks at a lock that is held.
const POLL_MS: u64 = 50;

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{} is held by {}", path.display(), process(*pid))]
    Held { path: PathBuf, pid: Option<u32> },
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<LockError> for Cause {
    fn from(error: LockError) -> Self {
        const HELD: Cause =
            Cause { code: libc::EWOULDBLOCK, text: "another program holds the environment's lock" };
        match error {
            LockError::Held { .. } => HELD,
            LockError::Failed(failure) => failure.cause,
        }
    }
}

fn process(pid: Option<u32>) -> String {
    pid.map_or("another process".to_owned(), |pid| format!("process {pid}"))
}

/// Held while this program may change the board. The kernel lets go when the process ends,
/// however it ends; the file stays.
#[derive(Debug)]
pub(crate) struct UpdaterLock {
    _file: Flock<File>,
}

impl UpdaterLock {
    /// Takes the lock in `directory`, at once or not at all.
    ///
    /// # Errors
    /// [`LockError::Held`] with the holder's pid, or the directory cannot be written.
    pub(crate) fn take(directory: &Path) -> Result<Self, LockError> {
        let path = directory.join(UPDATER_FILE);
        let file = open(&path, 0o600).map_err(|error| Failure::new("open", &path, &error))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => {
                sign(&file).map_err(|error| Failure::new("write", &path, &error))?;
                Ok(Self { _file: file })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(LockError::Held { path, pid: signature(&file) }),
            Err((_, errno)) => Err(Failure::new("lock", &path, &errno.into()).into()),
        }
    }
}

/// Held while this program may change the environment.
#[derive(Debug)]
pub(crate) struct EnvLock {
    _files: Vec<Flock<File>>,
}

impl EnvLock {
    /// Takes the locks of both tools, in one order, each within ten seconds. Where the directory
    /// is missing or read-only no other tool can lock either: nothing to wait for.
    ///
    /// # Errors
    /// [`LockError::Held`] with the file, or a lock file cannot be opened.
    pub(crate) fn take() -> Result<Self, LockError> {
        Self::take_all(&ENV_FILES.map(Path::new), ENV_WAIT_MS)
    }

    fn take_all(paths: &[&Path], wait_ms: u64) -> Result<Self, LockError> {
        let mut files: Vec<Flock<File>> = Vec::new();
        for path in paths {
            let Some(file) = open_if_possible(path)? else { continue };
            // A second flock of one file by another descriptor would wait for ourselves.
            if !files.iter().any(|held| is_same(held, &file)) {
                files.push(wait_for(file, path, wait_ms)?);
            }
        }
        Ok(Self { _files: files })
    }
}

fn open(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(mode);
    options.custom_flags(libc::O_NOFOLLOW).open(path)
}

fn open_if_possible(path: &Path) -> Result<Option<File>, Failure> {
    let error = match open(path, 0o666) {
        Ok(file) => return Ok(Some(file)),
        Err(error) => error,
    };
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::EROFS) => Ok(None),
        _ => Err(Failure::new("open", path, &error)),
    }
}

fn wait_for(mut file: File, path: &Path, wait_ms: u64) -> Result<Flock<File>, LockError> {
    for _ in 0..=wait_ms / POLL_MS {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
            Err((_, errno)) => {
                let path = path.to_owned();
                return Err(Failure { action: "lock", path, cause: cause(&errno.into()) }.into());
            }
        };
        sleep(Duration::from_millis(POLL_MS));
    }
    Err(LockError::Held { path: path.to_owned(), pid: None })
}

fn is_same(one: &File, other: &File) -> bool {
    let identity = |file: &File| file.metadata().map(|found| (found.dev(), found.ino()));
    identity(one).is_ok_and(|own| identity(other).is_ok_and(|its| own == its))
}

/// Leaves the pid for whoever finds the lock held.
fn sign(mut file: &File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

fn signature(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("twinslot-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn a_second_updater_is_told_who_runs_until_it_has_ended() {
        let directory = scratch("updater");
        let first = UpdaterLock::take(&directory).unwrap();
        let refused = UpdaterLock::take(&directory).unwrap_err();
        let own = std::process::id();
        assert!(matches!(refused, LockError::Held { pid: Some(pid), .. } if pid == own));
        let said = format!("{}/twinslot.lock is held by process {own}", directory.display());
        assert_eq!(refused.to_string(), said);
        drop(first);
        UpdaterLock::take(&directory).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn an_updater_without_its_directory_says_so() {
        let refused = UpdaterLock::take(Path::new("/no/such")).unwrap_err();
        let said = "cannot open /no/such/twinslot.lock: No such file or directory";
        assert_eq!(refused.to_string(), said);
    }

    #[test]
    fn both_tools_locks_are_held_and_let_go() {
        let directory = scratch("both");
        let paths = [directory.join("a"), directory.join("b")];
        let paths = [paths[0].as_path(), paths[1].as_path()];
        let held = EnvLock::take_all(&paths, 0).unwrap();
        for path in paths {
            let refused = EnvLock::take_all(&[path], 0).unwrap_err();
            assert!(matches!(refused, LockError::Held { .. }));
            assert!(refused.to_string().contains(&path.display().to_string()));
        }
        drop(held);
        EnvLock::take_all(&paths, 0).unwrap();
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn one_file_by_two_paths_is_locked_once() {
        let directory = scratch("one");
        let linked = directory.join("link");
        std::os::unix::fs::symlink(&directory, &linked).unwrap();
        let paths = [directory.join("a"), linked.join("a")];
        let held = EnvLock::take_all(&[&paths[0], &paths[1]], 0).unwrap();
        assert_eq!(held._files.len(), 1);
        fs::remove_dir_all(directory).unwrap();
    }

    #[test]
    fn a_directory_that_is_missing_is_no_obstacle() {
        let held = EnvLock::take_all(&[Path::new("/no/such/lock")], 0).unwrap();
        assert!(held._files.is_empty());
    }

    #[test]
    fn a_lock_let_go_in_time_is_waited_for() {
        let directory = scratch("wait");
        let path = directory.join("a");
        let held = EnvLock::take_all(&[&path], 0).unwrap();
        let later = std::thread::spawn(move || {
            sleep(Duration::from_millis(2 * POLL_MS));
            drop(held);
        });
        EnvLock::take_all(&[&path], 5000).unwrap();
        later.join().unwrap();
        fs::remove_dir_all(directory).unwrap();
    }
}

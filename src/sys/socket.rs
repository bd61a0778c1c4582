//! A listening socket in the file system, for its owner and group. Never takes one over from a
//! process that listens, and never serves it.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

use super::Failure;

/// What is taken from the mode of a new socket, so that 0660 is left.
const MASK: Mode = Mode::S_IXUSR.union(Mode::S_IXGRP).union(Mode::S_IRWXO);

/// Why nobody can connect here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("{} is served by another process", path.display())]
    Taken { path: PathBuf },
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Listens at `path`, where the socket of a process that ended may lie. To be called before
/// there are threads: for a moment the whole process's mask for new files is another.
///
/// # Errors
/// Somebody listens there, it is no socket, or the directory cannot be written.
pub(crate) fn listen(path: &Path) -> Result<UnixListener, ListenError> {
    let failed = |action, error: &io::Error| Failure::new(action, path, error);
    match bind(path) {
        Ok(listener) => return Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
        Err(error) => return Err(failed("listen at", &error).into()),
    }
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if !is_socket {
        return Err(failed("listen at", &io::Error::from_raw_os_error(libc::EEXIST)).into());
    }
    if UnixStream::connect(path).is_ok() {
        return Err(ListenError::Taken { path: path.to_owned() });
    }
    fs::remove_file(path).map_err(|error| failed("remove", &error))?;
    bind(path).map_err(|error| failed("listen at", &error).into())
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let before = umask(MASK);
    let listener = UnixListener::bind(path);
    umask(before);
    listener
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_socket_is_its_owners_and_groups_and_is_taken_over_only_from_the_dead() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let first = listen(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let taken = listen(&path).unwrap_err().to_string();
        assert_eq!(taken, format!("{} is served by another process", path.display()));
        drop(first);
        drop(listen(&path).unwrap());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        let refused = listen(&path).unwrap_err().to_string();
        assert_eq!(refused, format!("cannot listen at {}: File exists", path.display()));
        assert!(path.exists());
    }
}

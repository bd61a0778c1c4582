//! The owner's small programs that say something on standard output: who this device is, what it
//! has. Bounded in time and in what is listened to. Never lets one live on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::program::{self, ANSWER_BYTES, Ended};
use crate::sys;

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Why a program said nothing that counts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{} cannot be run: {reason}", path.display())]
    NotRun { path: PathBuf, reason: &'static str },
    #[error("{} failed: {ended}", path.display())]
    Failed { path: PathBuf, ended: Ended },
    #[error("{} said more than {ANSWER_BYTES} bytes", path.display())]
    TooMuch { path: PathBuf },
}

/// What the program at `path` writes to standard output; its other words go where ours do.
///
/// # Errors
/// It cannot be run, fails, takes too long, or says too much.
pub(crate) fn said(path: &Path) -> Result<String, Error> {
    let owned = || path.to_owned();
    let ran = program::ask(path, TIMEOUT)
        .map_err(|error| Error::NotRun { path: owned(), reason: sys::cause(&error).text })?;
    match ran.ended {
        Ended::Exit(0) if ran.said.as_str().len() > ANSWER_BYTES => {
            Err(Error::TooMuch { path: owned() })
        }
        Ended::Exit(0) => Ok(ran.said.as_str().to_owned()),
        ended => Err(Error::Failed { path: owned(), ended }),
    }
}

/// The lines `NAME=VALUE` of what a program said; Mender's format. Other lines say nothing.
pub(crate) fn pairs(said: &str) -> Vec<(String, String)> {
    let pair = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
    };
    said.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Instant;

    fn run(body: &str) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let prefix = format!("{} ", path.display());
        said(&path).map_err(|error| error.to_string().replacen(&prefix, "", 1))
    }

    #[test]
    fn what_a_program_says_on_standard_output_is_kept_whole() {
        assert_eq!(run("echo mac=1; echo error >&2"), Ok("mac=1\n".into()));
        let long = run(&format!("head -c {ANSWER_BYTES} /dev/zero"));
        assert_eq!(long.map(|said| said.len()), Ok(ANSWER_BYTES));
    }

    #[test]
    fn a_program_that_fails_or_says_too_much_said_nothing() {
        assert_eq!(run("echo mac=1; exit 3"), Err("failed: exit code 3".into()));
        assert_eq!(run("yes | head -c 1000000"), Err("said more than 65536 bytes".into()));
    }

    #[test]
    fn what_a_program_leaves_running_is_ended() {
        let begun = Instant::now();
        assert_eq!(run("sleep 1000 & echo a=b"), Ok("a=b\n".into()));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn lines_with_a_name_and_a_value_count() {
        let pairs = pairs("mac=00:11\n\n # no\nkey = a=b\r\n=x\n");
        let expected = [("mac", "00:11"), ("key", "a=b")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);
    }
}

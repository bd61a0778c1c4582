//! The owner's small programs that say something on standard output: who this device is, what it
//! has. Bounded in time and in what is listened to. Never lets one live on.

use std::io::{self, PipeReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use crate::sys;
use crate::sys::process::{has_ended, kill_group};

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How often a running one is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long the last words of one that ended may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How much of what one says is kept, in bytes.
const SAID_BYTES: usize = 64 << 10;

/// Why a program said nothing that counts.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{} cannot be run: {reason}", path.display())]
    NotRun { path: PathBuf, reason: String },
    #[error("{} failed: {status}", path.display())]
    Failed { path: PathBuf, status: std::process::ExitStatus },
    #[error("{} did not end within {} seconds", path.display(), TIMEOUT.as_secs())]
    TooLate { path: PathBuf },
    #[error("{} said more than {SAID_BYTES} bytes", path.display())]
    TooMuch { path: PathBuf },
}

/// What the program at `path` writes to standard output; its other words go where ours do.
///
/// # Errors
/// It cannot be run, fails, takes too long, or says too much.
pub(crate) fn said(path: &Path) -> Result<String, Error> {
    let not_run = |error: io::Error| Error::NotRun {
        path: path.to_owned(),
        reason: sys::cause(&error).text.to_owned(),
    };
    let (reader, writer) = io::pipe().map_err(not_run)?;
    let mut command = Command::new(path);
    command.stdin(Stdio::null()).stdout(writer).process_group(0);
    let mut child = command.spawn().map_err(not_run)?;
    // The writing end must be the program's alone, or the pipe never ends.
    drop(command);
    let (tell, told) = sync_channel(1);
    spawn(move || tell.send(listen(reader)));
    let end = Instant::now() + TIMEOUT;
    let mut ended = has_ended(child.id()).map_err(not_run)?;
    while !ended && Instant::now() < end {
        sleep(LOOK);
        ended = has_ended(child.id()).map_err(not_run)?;
    }
    // Not reaped yet: the group's number is still its own.
    kill_group(child.id());
    let status = child.wait().map_err(not_run)?;
    let path = || path.to_owned();
    if !ended {
        return Err(Error::TooLate { path: path() });
    }
    if !status.success() {
        return Err(Error::Failed { path: path(), status });
    }
    let said = told.recv_timeout(LAST_WORDS).map_err(|_| Error::TooLate { path: path() })?;
    if said.len() > SAID_BYTES {
        return Err(Error::TooMuch { path: path() });
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

/// Reads to the end in any case, so that a talkative program does not wait for a reader; keeps
/// what is allowed and one byte more.
fn listen(mut reader: PipeReader) -> Vec<u8> {
    let (mut said, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(len @ 1..) = reader.read(&mut piece) {
        let room = (SAID_BYTES + 1).saturating_sub(said.len());
        said.extend_from_slice(&piece[..len.min(room)]);
    }
    said
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
        let long = run(&format!("head -c {SAID_BYTES} /dev/zero"));
        assert_eq!(long.map(|said| said.len()), Ok(SAID_BYTES));
    }

    #[test]
    fn a_program_that_fails_or_says_too_much_said_nothing() {
        assert_eq!(run("echo mac=1; exit 3"), Err("failed: exit status: 3".into()));
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

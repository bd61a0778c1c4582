//! The owner's own tests of a system on trial: the executables of one directory, one after the
//! other, all of which must exit 0 in time. Decides nothing; what follows is the core's.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::sys;
use crate::sys::process::{has_ended, kill_group};

/// How often a running check is looked at.
const LOOK_MS: u64 = 100;

/// How long the last words of a check that ended may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Longer than any check may take.
const DAY: Duration = Duration::from_secs(86_400);

/// How much of what a failed check says goes into the reason, in bytes.
const SAID_BYTES: usize = 200;

/// Why the system on trial is not kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unhealthy {
    #[error("cannot read the health checks in {}: {reason}", directory.display())]
    Unreadable { directory: PathBuf, reason: String },
    #[error("health check {name} cannot be run: {reason}")]
    NotRun { name: String, reason: String },
    #[error("health check {name} failed: {status}{said}")]
    Failed { name: String, status: String, said: String },
    #[error("health check {name} did not end within the {timeout_s} seconds that all have{said}")]
    TooLate { name: String, timeout_s: u64, said: String },
}

/// The checks of a directory, and what they have together.
#[derive(Debug)]
pub(crate) struct Checks<'c> {
    directory: &'c Path,
    timeout: Duration,
}

impl<'c> Checks<'c> {
    pub(crate) fn new(directory: &'c Path, timeout: Duration) -> Self {
        Self { directory, timeout: timeout.min(DAY) }
    }

    /// Runs all checks in the order of their names, `alive` being called every so often. No
    /// directory is no checks. Returns the names of those that ran.
    ///
    /// # Errors
    /// The first check that fails.
    pub(crate) fn run(&self, alive: &mut dyn FnMut()) -> Result<Vec<String>, Unhealthy> {
        let end = Instant::now() + self.timeout;
        let mut ran = Vec::new();
        for path in self.executables()? {
            let name = name(&path);
            self.check(&path, end, alive)?;
            ran.push(name);
        }
        Ok(ran)
    }

    /// Executable files, by name; names that begin with a dot are none.
    fn executables(&self) -> Result<Vec<PathBuf>, Unhealthy> {
        let unreadable = |error: io::Error| Unhealthy::Unreadable {
            directory: self.directory.to_owned(),
            reason: sys::cause(&error).text.to_owned(),
        };
        let entries = match fs::read_dir(self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            let found = fs::metadata(&path).map_err(unreadable)?;
            let is_executable = found.is_file() && found.permissions().mode() & 0o111 != 0;
            if is_executable && !name(&path).starts_with('.') {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn check(&self, path: &Path, end: Instant, alive: &mut dyn FnMut()) -> Result<(), Unhealthy> {
        let name = name(path);
        let not_run = |error: io::Error| Unhealthy::NotRun {
            name: name.clone(),
            reason: sys::cause(&error).text.to_owned(),
        };
        let (reader, writer) = io::pipe().map_err(not_run)?;
        let errors = writer.try_clone().map_err(not_run)?;
        let mut command = Command::new(path);
        command.stdin(Stdio::null()).stdout(writer).stderr(errors).process_group(0);
        let mut child = command.spawn().map_err(not_run)?;
        // The writing ends must be the check's alone, or the pipe never ends.
        drop(command);
        let (tell, told) = sync_channel(1);
        std::thread::spawn(move || tell.send(listen(reader)));
        let status = wait(&mut child, end, alive).map_err(not_run)?;
        // A process that left the check's group may hold the pipe for ever.
        let said = told.recv_timeout(LAST_WORDS).unwrap_or_default();
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(Unhealthy::Failed { name, status: describe(status), said }),
            None => Err(Unhealthy::TooLate { name, timeout_s: self.timeout.as_secs(), said }),
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Waits for the check's end, at most until `end`, and ends all it left running.
fn wait(
    child: &mut Child,
    end: Instant,
    alive: &mut dyn FnMut(),
) -> io::Result<Option<ExitStatus>> {
    loop {
        alive();
        let (has_ended, is_late) = (has_ended(child.id())?, Instant::now() >= end);
        if has_ended || is_late {
            // Not reaped yet: the group's number is still its own.
            kill_group(child.id());
            let status = child.wait()?;
            return Ok(has_ended.then_some(status));
        }
        sleep(Duration::from_millis(LOOK_MS));
    }
}

/// The last line a check wrote, as the end of a sentence. Reads to the end in any case, so that
/// a talkative check does not wait for a reader.
fn listen(mut reader: io::PipeReader) -> String {
    let (mut tail, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(len @ 1..) = reader.read(&mut piece) {
        tail.extend_from_slice(&piece[..len]);
        let surplus = tail.len().saturating_sub(2 * SAID_BYTES);
        tail.drain(..surplus);
    }
    let text = String::from_utf8_lossy(&tail);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().filter(|char| !char.is_control()).take(SAID_BYTES).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(scripts: &[(&str, u32, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, mode, body) in scripts {
            let path = directory.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        directory
    }

    fn run(directory: &Path, timeout_s: u64) -> Result<Vec<String>, String> {
        let checks = Checks::new(directory, Duration::from_secs(timeout_s));
        checks.run(&mut || {}).map_err(|unhealthy| unhealthy.to_string())
    }

    #[test]
    fn checks_run_in_the_order_of_their_names_and_only_executables_are_checks() {
        let directory = checks(&[
            ("20-b", 0o755, "exit 0"),
            ("10-a", 0o755, "echo fine"),
            ("README", 0o644, "exit 1"),
            (".hidden", 0o755, "exit 1"),
        ]);
        assert_eq!(run(directory.path(), 60), Ok(vec!["10-a".into(), "20-b".into()]));
        assert_eq!(run(Path::new("/no/such/directory"), 60), Ok(Vec::new()));
    }

    #[test]
    fn the_first_check_that_fails_is_named_with_its_code_and_last_words() {
        let directory = checks(&[
            ("10-app", 0o755, "echo starting; echo no answer on port 80 >&2; exit 7"),
            ("20-later", 0o755, "exit 8"),
        ]);
        let said = "health check 10-app failed: exit code 7: no answer on port 80";
        assert_eq!(run(directory.path(), 60), Err(said.into()));
    }

    #[test]
    fn a_check_that_dies_by_a_signal_failed() {
        let directory = checks(&[("10-app", 0o755, "kill -9 $$")]);
        let said = "health check 10-app failed: killed by signal 9";
        assert_eq!(run(directory.path(), 60), Err(said.into()));
    }

    #[test]
    fn a_check_that_hangs_is_ended_with_all_it_started_and_named() {
        let directory = checks(&[("10-app", 0o755, "echo waiting; sleep 1000 & sleep 1000")]);
        let said = "health check 10-app did not end within the 1 seconds that all have: waiting";
        assert_eq!(run(directory.path(), 1), Err(said.into()));
    }

    #[test]
    fn a_check_that_says_more_than_a_pipe_holds_still_ends() {
        let directory = checks(&[("10-app", 0o755, "yes | head -c 1000000; echo done")]);
        assert_eq!(run(directory.path(), 60), Ok(vec!["10-app".into()]));
    }

    #[test]
    fn a_file_that_is_no_program_is_named() {
        let directory = checks(&[]);
        let path = directory.path().join("10-app");
        fs::write(&path, [0x7f, b'X']).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let refused = run(directory.path(), 60).unwrap_err();
        assert!(refused.starts_with("health check 10-app cannot be run: "), "{refused}");
    }

    #[test]
    fn the_watchdog_is_fed_while_a_check_runs() {
        let directory = checks(&[("10-app", 0o755, "sleep 1")]);
        let mut fed = 0;
        let checks = Checks::new(directory.path(), Duration::from_secs(60));
        assert!(checks.run(&mut || fed += 1).is_ok());
        assert!(fed > 3, "{fed}");
    }
}

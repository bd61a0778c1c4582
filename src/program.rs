//! One executable of the owner's or of the artifact's: run without arguments, in a process group
//! that does not outlive it, until it ends or its time is over. Never judges how it ended.

use std::fmt;
use std::io::{self, PipeReader, Read as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::sys::process::{has_ended, kill_group};

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long the last words of a program that ended may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Longer than any program may take.
const DAY: Duration = Duration::from_secs(86_400);

/// The longest answer, in bytes.
pub(crate) const ANSWER_BYTES: usize = 64 << 10;

/// How much of what a program wrote is kept, in bytes from its end (Mender keeps as much).
const SAID_BYTES: usize = 10 << 10;

/// How much of that goes into a sentence, in characters.
const WORDS: usize = 200;

/// What whoever waits for a program wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    GoOn,
    /// The program is to be ended.
    Stop,
}

/// Called every so often while a program runs.
pub(crate) type Tend<'t> = &'t mut dyn FnMut() -> Wish;

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exit(i32),
    Signal(i32),
    /// It was ended: its time was over.
    TooLate,
    /// It was ended: somebody asked to stop.
    Stopped,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::TooLate => f.write_str("too late"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// What a program wrote, as far as it was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(String);

impl Said {
    /// All of it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The lines that are not empty.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.lines().map(str::trim).filter(|line| !line.is_empty())
    }

    /// The last line, cut; empty where nothing was said.
    pub(crate) fn last_words(&self) -> String {
        let line = self.lines().next_back().unwrap_or_default();
        line.chars().filter(|char| !char.is_control()).take(WORDS).collect()
    }
}

/// A program that ran.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(crate) took_ms: u64,
    pub(crate) said: Said,
}

/// Runs the program at `path` for at most `limit`; the end of what it wrote is kept.
///
/// # Errors
/// It cannot be started.
pub(crate) fn run(path: &Path, limit: Duration, tend: Tend<'_>) -> io::Result<Ran> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(path);
    command.stdout(writer.try_clone()?).stderr(writer);
    carry(command, (reader, listen), (limit, tend))
}

/// Runs the program at `path` for its answer: what it writes to standard output, from the start,
/// up to [`ANSWER_BYTES`] and one more. Its other words go where ours do.
///
/// # Errors
/// It cannot be started.
pub(crate) fn ask(path: &Path, limit: Duration) -> io::Result<Ran> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(path);
    command.stdout(writer);
    carry(command, (reader, answer), (limit, &mut || Wish::GoOn))
}

fn carry(
    mut command: Command,
    (reader, listen): (PipeReader, fn(PipeReader) -> Said),
    (limit, tend): (Duration, Tend<'_>),
) -> io::Result<Ran> {
    command.stdin(Stdio::null()).process_group(0);
    let start = Instant::now();
    let mut child = command.spawn()?;
    // The writing ends must be the program's alone, or the pipe never ends.
    drop(command);
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || tell.send(listen(reader)));
    let ended = wait(&mut child, start + limit.min(DAY), tend)?;
    let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    // A process that left the group may hold the pipe for ever.
    let said = told.recv_timeout(LAST_WORDS).unwrap_or_default();
    Ok(Ran { ended, took_ms, said })
}

/// Waits until `end`, `tend` being called meanwhile; whether it was not asked to stop.
pub(crate) fn pause(end: Instant, tend: Tend<'_>) -> Wish {
    // Every turn takes a while.
    while Instant::now() < end {
        if tend() == Wish::Stop {
            return Wish::Stop;
        }
        sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
    }
    tend()
}

/// Waits for the program's end, at most until `end`, and ends all it left running.
fn wait(child: &mut Child, end: Instant, tend: Tend<'_>) -> io::Result<Ended> {
    loop {
        let wish = tend();
        let (has_ended, is_late) = (has_ended(child.id())?, Instant::now() >= end);
        if has_ended || is_late || wish == Wish::Stop {
            // Not reaped yet: the group's number is still its own.
            kill_group(child.id());
            let status = child.wait()?;
            return Ok(match (has_ended, is_late) {
                (true, _) => how(status),
                (false, true) => Ended::TooLate,
                (false, false) => Ended::Stopped,
            });
        }
        sleep(LOOK);
    }
}

fn how(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exit(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}

/// The end of what was written. Reads to the end in any case, so that a talkative program does
/// not wait for a reader.
fn listen(mut reader: PipeReader) -> Said {
    let (mut tail, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(len @ 1..) = reader.read(&mut piece) {
        tail.extend_from_slice(&piece[..len]);
        let surplus = tail.len().saturating_sub(SAID_BYTES);
        tail.drain(..surplus);
    }
    Said(String::from_utf8_lossy(&tail).into_owned())
}

/// The start of what was written. Reads to the end in any case, too.
fn answer(mut reader: PipeReader) -> Said {
    let (mut head, mut piece) = (Vec::new(), [0; 1024]);
    while let Ok(len @ 1..) = reader.read(&mut piece) {
        let room = (ANSWER_BYTES + 1).saturating_sub(head.len());
        head.extend_from_slice(&piece[..len.min(room)]);
    }
    Said(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn ran(body: &str, limit: Duration, tend: Tend<'_>) -> io::Result<Ran> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        fs::write(&path, body).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        run(&path, limit, tend)
    }

    fn sh(body: &str, limit: Duration) -> Ran {
        ran(&format!("#!/bin/sh\n{body}\n"), limit, &mut || Wish::GoOn).unwrap()
    }

    #[test]
    fn an_end_is_told_as_it_was() {
        let minute = Duration::from_secs(60);
        assert_eq!(sh("exit 0", minute).ended, Ended::Exit(0));
        assert_eq!(sh("exit 21", minute).ended, Ended::Exit(21));
        assert_eq!(sh("kill -9 $$", minute).ended, Ended::Signal(9));
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_it_started() {
        let start = Instant::now();
        let ran = sh("echo waiting; sleep 1000 & sleep 1000", Duration::from_secs(1));
        assert_eq!((ran.ended, ran.said.last_words()), (Ended::TooLate, "waiting".into()));
        assert!(ran.took_ms >= 1000 && start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_program_is_ended_when_asked_and_at_once() {
        let start = Instant::now();
        let body = "#!/bin/sh\nsleep 1000\n";
        let ran = ran(body, Duration::from_secs(60), &mut || Wish::Stop).unwrap();
        assert_eq!(ran.ended, Ended::Stopped);
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn of_a_talkative_program_the_end_is_kept() {
        let ran = sh("yes | head -c 1000000; echo no >&2; echo", Duration::from_secs(60));
        assert!(ran.said.0.len() <= SAID_BYTES && ran.said.lines().count() > 1000);
        assert_eq!(ran.said.last_words(), "no");
        let long = sh("yes | head -c 9000 | tr -d '\\n'; printf '\\033'", Duration::from_secs(60));
        assert_eq!(long.said.last_words(), "y".repeat(WORDS));
    }

    #[test]
    fn what_is_no_program_cannot_be_run() {
        assert!(ran("\u{7f}X", Duration::from_secs(60), &mut || Wish::GoOn).is_err());
    }
}

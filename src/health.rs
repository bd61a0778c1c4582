//! The owner's own tests of a system: the executables of one directory, one after the other, all
//! of them to the end while their time lasts. Decides nothing; what follows is the core's.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twinslot::journal::{self, Program, Verdict};

use crate::config::Config;
use crate::program::{self, Ended, Tend};
use crate::sys;

pub(crate) mod results;

/// How long the sentence on a check may be where several failed, in characters.
const SHARE_CHARS: usize = 120;

/// Longer than any check may take.
const DAY: Duration = Duration::from_secs(86_400);

/// The checks of a directory, and the time they have.
#[derive(Debug)]
pub(crate) struct Checks<'c> {
    directory: &'c Path,
    /// For all together.
    total: Duration,
    /// For each of them; none is what is left of the total.
    each: Option<Duration>,
}

/// A check that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) took_ms: u64,
    /// How it ended where that is worth a word, and its last words.
    pub(crate) said: String,
}

impl Checked {
    /// Whether the system is to blame.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self.verdict, Verdict::Failed | Verdict::TimedOut)
    }

    /// As the journal has it.
    pub(crate) fn record(&self) -> journal::Ran<&str> {
        let Self { name, verdict, took_ms, said } = self;
        journal::Ran { program: Program::Check, name, verdict: *verdict, took_ms: *took_ms, said }
    }

    /// `failed: exit code 1: last words`
    fn sentence(&self) -> String {
        match self.verdict {
            Verdict::TimedOut => self.said.clone(),
            _ => format!("failed: {}", self.said),
        }
    }
}

impl<'c> Checks<'c> {
    /// As configured.
    pub(crate) fn new(config: &'c Config) -> Self {
        let each = config.health_check_timeout_s;
        Self {
            directory: &config.health_checks,
            total: Duration::from_secs(config.health_timeout_s).min(DAY),
            each: (each > 0).then(|| Duration::from_secs(each)),
        }
    }

    /// Runs all checks in the order of their names. No directory is no checks.
    ///
    /// # Errors
    /// The directory cannot be read, as a sentence.
    pub(crate) fn run(&self, tend: Tend<'_>) -> Result<Vec<Checked>, String> {
        let end = Instant::now() + self.total;
        let paths = self.executables().map_err(|error| {
            let (directory, reason) = (self.directory.display(), sys::cause(&error).text);
            format!("cannot read the health checks in {directory}: {reason}")
        })?;
        Ok(paths.iter().map(|path| self.check(path, end, tend)).collect())
    }

    /// Executable files, by name; names that begin with a dot are none.
    fn executables(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let found = fs::metadata(&path)?;
            let is_executable = found.is_file() && found.permissions().mode() & 0o111 != 0;
            if is_executable && !name(&path).starts_with('.') {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }

    fn check(&self, path: &Path, end: Instant, tend: Tend<'_>) -> Checked {
        let checked = |verdict, took_ms, said| Checked { name: name(path), verdict, took_ms, said };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return checked(Verdict::TimedOut, 0, format!("did not begin within {}", self.all()));
        }
        let limit = self.each.map_or(left, |each| each.min(left));
        let ran = match program::run(path, limit, tend) {
            Ok(ran) => ran,
            Err(error) => {
                let said = format!("cannot be run: {}", sys::cause(&error).text);
                return checked(Verdict::Failed, 0, said);
            }
        };
        let words = ran.said.last_words();
        let (verdict, how) = match ran.ended {
            Ended::Exit(0) => return checked(Verdict::Passed, ran.took_ms, words),
            Ended::TooLate if limit < left => {
                (Verdict::TimedOut, format!("did not end within its {} seconds", limit.as_secs()))
            }
            Ended::TooLate => (Verdict::TimedOut, format!("did not end within {}", self.all())),
            ended => (Verdict::Failed, ended.to_string()),
        };
        let said = if words.is_empty() { how } else { format!("{how}: {words}") };
        checked(verdict, ran.took_ms, said)
    }

    fn all(&self) -> String {
        format!("the {} seconds that all have", self.total.as_secs())
    }
}

/// Why the system is not kept: names every check that failed. None where all is well.
pub(crate) fn complaint(results: &[Checked]) -> Option<String> {
    let failed: Vec<&Checked> = results.iter().filter(|result| result.is_failure()).collect();
    match failed[..] {
        [] => None,
        [one] => Some(format!("health check {} {}", one.name, one.sentence())),
        _ => {
            let names: Vec<&str> = failed.iter().map(|result| result.name.as_str()).collect();
            let share = |result: &&Checked| {
                let sentence: String = result.sentence().chars().take(SHARE_CHARS).collect();
                format!("{} {sentence}", result.name)
            };
            let more: Vec<String> = failed.iter().map(share).collect();
            Some(format!("health checks {} failed: {}", names.join(", "), more.join("; ")))
        }
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;

//! State scripts, as Mender has them: programs of the owner's (`/etc/mender/scripts`) and of the
//! artifact's that are run as an update goes from state to state. Never decides what follows
//! when one fails, and never runs one that somebody else could have put there.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use twinslot::journal::{self, Event, Journal as _, Program, Verdict};
use twinslot::slot::Slot;

use crate::config::{Config, ScriptsConfig};
use crate::program::{self, Ended, Ran, Said, Tend, Wish};
use crate::state::StateDir;
use crate::sys::store::ReadError;
use crate::sys::{self, Failure};

pub(crate) mod kept;
mod place;

pub(crate) use kept::{Keeper, Kept, Stage};

/// A script that exits with this wants to be run again later.
const RETRY_LATER: i32 = 21;

/// Longer than any script may take.
const DAY: Duration = Duration::from_secs(86_400);

/// How much of a script's output a record has, in characters.
const WORDS: usize = 300;

/// A state of an update, or of the daemon between updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Idle,
    Sync,
    Download,
    ArtifactInstall,
    ArtifactReboot,
    ArtifactCommit,
    ArtifactRollback,
    ArtifactRollbackReboot,
    ArtifactFailure,
}

impl State {
    /// Whose scripts come in the artifact; those of the others are the running system's.
    fn is_artifacts(self) -> bool {
        !matches!(self, Self::Idle | Self::Sync | Self::Download)
    }

    /// Whether what runs there belongs to an update's story.
    fn is_told(self) -> bool {
        !matches!(self, Self::Idle | Self::Sync)
    }
}

/// Where in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    Enter,
    Leave,
    Error,
}

/// A moment at which scripts run.
pub(crate) type Moment = (State, Transition);

/// Whether a failure at this moment changes nothing: there is nowhere to go back to.
fn is_ignored((state, transition): Moment) -> bool {
    use State as S;
    let nowhere = matches!(
        state,
        S::Idle | S::ArtifactRollback | S::ArtifactRollbackReboot | S::ArtifactFailure
    );
    let committed = (state, transition) == (S::ArtifactCommit, Transition::Leave);
    nowhere || committed || transition == Transition::Error
}

/// Why an update must not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("state script {name} {how}")]
    Script { name: String, how: String },
    #[error("stopped as asked, while state script {name} ran")]
    Stopped { name: String },
    #[error("state scripts are not run from {}: {why}", path.display())]
    Place { path: PathBuf, why: &'static str },
    #[error("{}: found version {found:?} of state scripts, expected 2 or 3", path.display())]
    Version { path: PathBuf, found: String },
    #[error("{} is not the state script that came in the artifact", path.display())]
    Altered { path: PathBuf },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// The scripts of this machine, and those of the artifact whose update goes on.
#[derive(Debug)]
pub(crate) struct Scripts<'c> {
    config: &'c ScriptsConfig,
    state: StateDir,
    kept: Option<Kept>,
}

impl<'c> Scripts<'c> {
    /// Those of the running system: Idle, Sync and Download.
    pub(crate) fn new(config: &'c Config) -> Self {
        Self { config: &config.scripts, state: StateDir::new(&config.state_dir), kept: None }
    }

    /// Those of the artifact for `slot` too, if its update is not over.
    pub(crate) fn of(config: &'c Config, slot: Slot) -> Self {
        let mut scripts = Self::new(config);
        scripts.kept = Kept::find(&scripts.state, slot);
        scripts
    }

    /// How far the artifact's update has come, if it has scripts.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// Has the artifact's scripts be of an update that has come to `stage`.
    pub(crate) fn go_on(&mut self, stage: Stage) {
        if let Some(kept) = &mut self.kept {
            kept.go_on(stage);
        }
    }

    /// Runs the scripts of a moment in the order of their names, `tend` being called meanwhile.
    ///
    /// # Errors
    /// The first script that fails; none where a failure changes nothing: it is on record, and
    /// the next script runs.
    pub(crate) fn run(
        &mut self,
        state: State,
        transition: Transition,
        tend: Tend<'_>,
    ) -> Result<(), Broken> {
        let is_ignored = is_ignored((state, transition));
        let paths = match self.find((state, transition)) {
            Err(broken) if is_ignored => {
                log::warn!("{broken}");
                return Ok(());
            }
            paths => paths?,
        };
        for path in &paths {
            match self.one(path, state, tend) {
                Err(broken) if is_ignored => log::warn!("{broken}, which changes nothing"),
                done => done?,
            }
        }
        Ok(())
    }

    /// Runs the scripts of several moments, one after the other, whatever comes of it.
    pub(crate) fn run_all(&mut self, moments: &[Moment], tend: Tend<'_>) {
        for (state, transition) in moments {
            if let Err(broken) = self.run(*state, *transition, tend) {
                log::warn!("{broken}, which changes nothing");
            }
        }
    }

    /// Forgets the artifact's scripts: its update is over.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.kept = None;
        if let Err(failure) = kept::remove(&self.state, slot) {
            log::warn!("{failure}");
        }
    }

    fn find(&self, (state, transition): Moment) -> Result<Vec<PathBuf>, Broken> {
        let prefix = format!("{state:?}_{transition:?}_");
        if !state.is_artifacts() {
            return place::scripts(&self.config.directory, &prefix);
        }
        self.kept.as_ref().map_or_else(|| Ok(Vec::new()), |kept| kept.scripts(&prefix))
    }

    fn one(&mut self, path: &Path, state: State, tend: Tend<'_>) -> Result<(), Broken> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let run = Run { config: self.config, path, name: &name };
        let start = Instant::now();
        let (how, said) = run.to_the_end(tend);
        let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let words = tail(&said);
        let said = match how.problem() {
            Some(problem) if words.is_empty() => problem,
            Some(problem) => format!("{problem}: {words}"),
            None => words,
        };
        let ran = journal::Ran {
            program: Program::Script,
            name: &name[..],
            verdict: how.verdict(),
            took_ms,
            said: &said[..],
        };
        if state.is_told() {
            self.record(Event::Ran(ran));
        }
        match how {
            How::Passed => Ok(()),
            How::Stopped => Err(Broken::Stopped { name }),
            How::Failed(_) | How::TimedOut(_) => Err(Broken::Script { name, how: said }),
        }
    }

    /// A full disk must not keep an update from going on, or back.
    fn record(&mut self, event: Event<&str>) {
        if let Err(cause) = self.state.append(event) {
            log::warn!("a state script is not on record: {cause}");
        }
    }
}

/// How a script ended, with its retries.
enum How {
    Passed,
    Stopped,
    Failed(String),
    TimedOut(String),
}

impl How {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Passed => Verdict::Passed,
            Self::TimedOut(_) => Verdict::TimedOut,
            Self::Failed(_) | Self::Stopped => Verdict::Failed,
        }
    }

    fn problem(&self) -> Option<String> {
        match self {
            Self::Passed => None,
            Self::Stopped => Some("was stopped".to_owned()),
            Self::Failed(problem) | Self::TimedOut(problem) => Some(problem.clone()),
        }
    }
}

/// A script being run.
struct Run<'r> {
    config: &'r ScriptsConfig,
    path: &'r Path,
    name: &'r str,
}

impl Run<'_> {
    /// Runs the script, again and again while it asks for that and its time is not over.
    fn to_the_end(&self, tend: Tend<'_>) -> (How, Said) {
        let limit = Duration::from_secs(self.config.timeout_s);
        let interval = Duration::from_secs(self.config.retry_interval_s.max(1)).min(DAY);
        let retries = Duration::from_secs(self.config.retry_timeout_s).min(DAY);
        let mut end = None;
        // Every turn but the last waits for an interval, and all of them end in time.
        loop {
            let ran = match program::run(self.path, limit, tend) {
                Ok(ran) => ran,
                Err(error) => {
                    let problem = format!("cannot be run: {}", sys::cause(&error).text);
                    return (How::Failed(problem), Said::default());
                }
            };
            self.log(&ran);
            if ran.ended != Ended::Exit(RETRY_LATER) {
                return (self.how(ran.ended), ran.said);
            }
            let end = *end.get_or_insert(Instant::now() + retries);
            let next = Instant::now() + interval;
            if next >= end {
                let problem =
                    format!("asked to be retried for more than {} seconds", retries.as_secs());
                return (How::TimedOut(problem), ran.said);
            }
            log::info!("state script {} asks to be retried in {interval:?}", self.name);
            if program::pause(next, tend) == Wish::Stop {
                return (How::Stopped, ran.said);
            }
        }
    }

    fn how(&self, ended: Ended) -> How {
        match ended {
            Ended::Exit(0) => How::Passed,
            Ended::Stopped => How::Stopped,
            Ended::TooLate => {
                How::TimedOut(format!("did not end within {} seconds", self.config.timeout_s))
            }
            ended => How::Failed(format!("failed: {ended}")),
        }
    }

    fn log(&self, ran: &Ran) {
        for line in ran.said.lines() {
            log::debug!("{}: {line}", self.name);
        }
        log::info!("state script {} ended: {}", self.name, ran.ended);
    }
}

/// The end of what a script wrote, in one line.
fn tail(said: &Said) -> String {
    let line = said.lines().collect::<Vec<_>>().join(" | ");
    let line: String = line.chars().filter(|char| !char.is_control()).collect();
    let surplus = line.chars().count().saturating_sub(WORDS);
    line.chars().skip(surplus).collect()
}

/// Waits for whatever runs until someone asks to stop.
pub(crate) fn until(stop: &dyn Fn() -> bool) -> impl FnMut() -> Wish + '_ {
    move || if stop() { Wish::Stop } else { Wish::GoOn }
}

/// Waits for whatever runs.
pub(crate) fn patiently() -> Wish {
    Wish::GoOn
}

#[cfg(test)]
mod tests;

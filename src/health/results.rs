//! What health checks told, kept in the state directory: those of the last trial, for `status`,
//! and those of the system before an update, which is not to blame for what failed before it.

use std::path::PathBuf;

use twinslot::journal::Verdict;
use twinslot::json::{self, Text, Value};
use twinslot::slot::Slot;

use super::Checked;
use crate::object::{Object, array};
use crate::state::StateDir;
use crate::sys::Failure;
use crate::sys::store::{self, ReadError};

/// The longest file, in bytes.
const FILE_BYTES: u64 = 64 << 10;

/// How many checks are kept; with their words they fit the file.
const CHECKS: usize = 64;

/// What the checks were run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// The system that is about to be updated.
    Before,
    /// The system on trial.
    Trial,
}

/// What the checks told, and of which system in which slot they decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Results {
    /// The slot of the update.
    pub(crate) slot: Slot,
    /// The artifact in it.
    pub(crate) artifact: String,
    pub(crate) checks: Vec<Checked>,
}

impl Results {
    /// Keeps them, in place of those of the same occasion before.
    ///
    /// # Errors
    /// The state directory takes none.
    pub(crate) fn keep(&self, occasion: Occasion, state: &StateDir) -> Result<(), Failure> {
        let checks = array(self.checks.iter().take(CHECKS).map(fields));
        let object = Object::default()
            .text("slot", self.slot)
            .text("artifact_name", &self.artifact)
            .raw("checks", checks);
        store::replace(&path(occasion, state), object.to_string().as_bytes())
    }

    /// Those of the occasion, if there are any; what is no such file is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn find(occasion: Occasion, state: &StateDir) -> Result<Option<Self>, ReadError> {
        let text = store::read_bounded(&path(occasion, state), FILE_BYTES)?;
        Ok(text.and_then(|text| parse(&text)))
    }

    /// Forgets those of the occasion.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub(crate) fn forget(occasion: Occasion, state: &StateDir) -> Result<(), Failure> {
        store::remove(&path(occasion, state)).map(drop)
    }

    /// For an app: an array of what each check told.
    pub(crate) fn shown(&self) -> String {
        array(self.checks.iter().map(|check| {
            let passed = check.verdict == Verdict::Passed;
            fields(check).raw("passed", passed).text("slot", self.slot)
        }))
    }

    /// The checks, those that failed before too excused.
    pub(crate) fn excuse(&self, checks: &mut [Checked]) {
        let failed: Vec<&str> = self
            .checks
            .iter()
            .filter(|check| check.is_failure())
            .map(|check| check.name.as_str())
            .collect();
        for check in checks.iter_mut().filter(|check| check.is_failure()) {
            if failed.contains(&check.name.as_str()) {
                check.verdict = Verdict::FailedBefore;
            }
        }
    }
}

fn path(occasion: Occasion, state: &StateDir) -> PathBuf {
    state.path().join(match occasion {
        Occasion::Before => "baseline",
        Occasion::Trial => "health",
    })
}

fn fields(check: &Checked) -> Object {
    Object::default()
        .text("name", &check.name)
        .text("verdict", check.verdict.word())
        .raw("ms", check.took_ms)
        .text("said", &check.said)
}

fn parse(text: &[u8]) -> Option<Results> {
    let object = json::parse(text).ok()?.to_object()?;
    let of = |key| object.get(key).and_then(Value::to_text);
    let letter = of("slot")?;
    let slot = [Slot::A, Slot::B].into_iter().find(|slot| letter == *slot.letter())?;
    let checks = object.get("checks")?.to_array()?.iter().map(check).collect::<Option<_>>()?;
    Some(Results { slot, artifact: of("artifact_name")?.to_string(), checks })
}

fn check(value: Value<'_>) -> Option<Checked> {
    let object = value.to_object()?;
    let of = |key| object.get(key).and_then(Value::to_text);
    let own = |text: Text<'_>| text.to_string();
    Some(Checked {
        name: own(of("name")?),
        verdict: Verdict::of(of("verdict")?)?,
        took_ms: object.get("ms")?.to_u64()?,
        said: own(of("said")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, verdict: Verdict) -> Checked {
        Checked { name: name.into(), verdict, took_ms: 7, said: "\"so\"\n".into() }
    }

    fn results() -> Results {
        let checks = vec![checked("10-a", Verdict::Failed), checked("20-b", Verdict::Passed)];
        Results { slot: Slot::B, artifact: "release-2".into(), checks }
    }

    #[test]
    fn results_are_read_as_they_were_kept_and_apart_by_occasion() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::new(directory.path());
        results().keep(Occasion::Trial, &state).unwrap();
        assert_eq!(Results::find(Occasion::Trial, &state).unwrap(), Some(results()));
        assert_eq!(Results::find(Occasion::Before, &state).unwrap(), None);
        Results::forget(Occasion::Trial, &state).unwrap();
        assert_eq!(Results::find(Occasion::Trial, &state).unwrap(), None);
    }

    #[test]
    fn any_number_of_the_longest_results_fits_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDir::new(directory.path());
        let name = "x".repeat(255);
        let check = Checked { said: "ü".repeat(280), ..checked(&name, Verdict::FailedBefore) };
        let results = Results { checks: vec![check; 1000], ..results() };
        results.keep(Occasion::Trial, &state).unwrap();
        let kept = Results::find(Occasion::Trial, &state).unwrap().unwrap();
        assert_eq!(kept.checks.len(), CHECKS);
    }

    #[test]
    fn what_failed_before_is_excused_and_nothing_else() {
        let mut checks = ["10-a", "20-b", "30-c"].map(|name| checked(name, Verdict::TimedOut));
        results().excuse(&mut checks);
        let verdicts = checks.map(|check| check.verdict);
        assert_eq!(verdicts, [Verdict::FailedBefore, Verdict::TimedOut, Verdict::TimedOut]);
    }

    #[test]
    fn a_file_that_is_no_results_is_none() {
        for text in ["", "{}", r#"{"slot":"c","artifact_name":"x","checks":[]}"#, "[]"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}

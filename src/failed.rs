//! The versions that failed on this board, so that they are not tried again and again. A file in
//! the state directory, replaced whole. Never decides what follows from a failure.

use std::path::PathBuf;

use twinslot::json;

use crate::object::{Object, array};
use crate::state::StateDir;
use crate::sys::{Failure, clock, store};

/// How many are remembered; the oldest goes first.
const ENTRIES_MAX: usize = 16;

/// The longest reason, in characters.
const REASON_CHARS: usize = 440;

/// The longest file, in bytes.
const FILE_BYTES: u64 = 64 << 10;

/// A version that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) artifact_name: String,
    pub(crate) reason: String,
    /// Seconds since 1970.
    pub(crate) at_s: u64,
}

/// What is remembered of failed versions.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    path: PathBuf,
}

impl Failed {
    pub(crate) fn new(state: &StateDir) -> Self {
        Self { path: state.path().join("failed") }
    }

    /// How this version failed, if it did.
    pub(crate) fn get(&self, artifact_name: &str) -> Option<Entry> {
        self.entries().into_iter().find(|entry| entry.artifact_name == artifact_name)
    }

    /// This version failed now.
    ///
    /// # Errors
    /// It is not on record.
    pub(crate) fn remember(&self, artifact_name: &str, reason: &str) -> Result<(), Failure> {
        let mut entries = self.all_but(artifact_name);
        let surplus = (entries.len() + 1).saturating_sub(ENTRIES_MAX);
        entries.drain(..surplus);
        entries.push(Entry {
            artifact_name: artifact_name.to_owned(),
            reason: reason.chars().take(REASON_CHARS).collect(),
            at_s: clock::unix_seconds(),
        });
        store::replace(&self.path, text(&entries).as_bytes())
    }

    /// This version may be tried again.
    ///
    /// # Errors
    /// It is still on record.
    pub(crate) fn forget(&self, artifact_name: &str) -> Result<(), Failure> {
        if self.get(artifact_name).is_none() {
            return Ok(());
        }
        store::replace(&self.path, text(&self.all_but(artifact_name)).as_bytes())
    }

    fn all_but(&self, artifact_name: &str) -> Vec<Entry> {
        let mut entries = self.entries();
        entries.retain(|entry| entry.artifact_name != artifact_name);
        entries
    }

    /// The oldest first. A file that cannot be read is begun anew: what it would prevent is a
    /// second attempt, not a wrong one.
    fn entries(&self) -> Vec<Entry> {
        let read = store::read_bounded(&self.path, FILE_BYTES).map_err(|error| error.to_string());
        let entries =
            read.and_then(|text| text.map_or_else(|| Ok(Vec::new()), |text| parse(&text)));
        entries.unwrap_or_else(|error| {
            log::warn!("the record of failed versions is begun anew: {error}");
            Vec::new()
        })
    }
}

fn text(entries: &[Entry]) -> String {
    let entries = entries.iter().map(|entry| {
        Object::default()
            .text("artifact_name", &entry.artifact_name)
            .raw("at", entry.at_s)
            .text("reason", &entry.reason)
    });
    format!("{}\n", array(entries))
}

fn parse(text: &[u8]) -> Result<Vec<Entry>, String> {
    let value = json::parse(text).map_err(|error| error.to_string())?;
    let array = value.to_array().ok_or("wanted a list")?;
    let entry = |value: json::Value<'_>| {
        let object = value.to_object()?;
        let text = |key| object.get(key)?.to_text().map(|text| text.to_string());
        Some(Entry {
            artifact_name: text("artifact_name")?,
            reason: text("reason")?,
            at_s: object.get("at")?.to_u64()?,
        })
    };
    let entries: Option<Vec<_>> = array.iter().map(entry).collect();
    entries.ok_or_else(|| "wanted artifact_name, at and reason".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn failed() -> (tempfile::TempDir, Failed) {
        let directory = tempfile::tempdir().unwrap();
        let failed = Failed::new(&StateDir::new(directory.path()));
        (directory, failed)
    }

    #[test]
    fn a_version_is_remembered_with_its_last_reason_until_it_is_forgotten() {
        let (_directory, failed) = failed();
        assert_eq!(failed.get("release-2"), None);
        failed.remember("release-2", "no answer").unwrap();
        failed.remember("release-3", "it \"hangs\"\n").unwrap();
        failed.remember("release-2", "exit code 7").unwrap();
        let entry = failed.get("release-2").unwrap();
        assert_eq!(entry.reason, "exit code 7");
        assert!(entry.at_s > 1_700_000_000);
        assert_eq!(failed.get("release-3").unwrap().reason, "it \"hangs\"\n");
        failed.forget("release-2").unwrap();
        failed.forget("release-9").unwrap();
        assert_eq!(failed.get("release-2"), None);
        assert!(failed.get("release-3").is_some());
    }

    #[test]
    fn only_so_many_are_remembered_and_the_oldest_go_first() {
        let (_directory, failed) = failed();
        for number in 0..=ENTRIES_MAX {
            failed.remember(&format!("release-{number}"), &"ä\u{1}".repeat(9999)).unwrap();
        }
        assert_eq!(failed.get("release-0"), None);
        assert!(failed.get("release-1").is_some());
        assert_eq!(failed.entries().len(), ENTRIES_MAX);
        let bytes = fs::metadata(&failed.path).unwrap().len();
        assert!(bytes < FILE_BYTES, "{bytes}");
    }

    #[test]
    fn a_damaged_record_is_begun_anew() {
        let (_directory, failed) = failed();
        for text in ["", "[{]", "{}", "[{\"artifact_name\":1,\"at\":1,\"reason\":\"x\"}]", "\u{0}"]
        {
            fs::write(&failed.path, text).unwrap();
            assert_eq!(failed.get("release-2"), None);
            failed.remember("release-2", "x").unwrap();
            assert!(failed.get("release-2").is_some());
        }
    }
}

//! What a slot provides: a flat map of words, kept as the text that `show-provides` prints and
//! the shell stores. Never holds the device type, which belongs to the device.

use core::fmt::{self, Write};

use heapless::String;

use crate::artifact::compat::DEVICE_TYPE;
use crate::artifact::header::{Header, WORD_MAX_BYTES};
use crate::json::Text;

/// The longest text, in bytes.
pub const PROVIDES_MAX_BYTES: usize = 16 << 10;

/// The key of the artifact's name.
pub const ARTIFACT_NAME: &str = "artifact_name";

/// The key of the group an artifact is one of.
pub const ARTIFACT_GROUP: &str = "artifact_group";

/// Keys and values as lines `KEY=VALUE\n`, sorted by key, each key once. Keys have no `=`,
/// neither has a control character, so the text needs no escapes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provides {
    text: String<PROVIDES_MAX_BYTES>,
}

/// Why a text is not what a slot provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a sorted list of words.
    #[error("line {line} of provides is not KEY=VALUE with a key after the one before")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// More than fits.
    #[error("provides needs more than {PROVIDES_MAX_BYTES} bytes")]
    Full,
}

impl Provides {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { text: String::new() }
    }

    /// The map that `text` is, as [`Provides::as_str`] gave it.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Line`], which a torn or edited file may get.
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut provides = Self::new();
        let mut last = "";
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let fault = Error::Line { line: index + 1 };
            let line = core::str::from_utf8(line).map_err(|_| fault)?;
            let (key, _) = pair(line).filter(|(key, _)| *key > last).ok_or(fault)?;
            provides.text.push_str(line).map_err(|_| Error::Full)?;
            last = key;
        }
        Ok(provides)
    }

    /// The text to store: lines `KEY=VALUE\n`, sorted by key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.text.split_inclusive('\n').filter_map(pair)
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    /// Sets `key` to `value`; on an error nothing changes.
    ///
    /// # Errors
    /// [`Error::Line`] where they are no line of such a text, [`Error::Full`].
    pub fn set(&mut self, key: &str, value: impl fmt::Display) -> Result<(), Error> {
        let mut line = String::<{ 2 * WORD_MAX_BYTES + 2 }>::new();
        let fault = Error::Line { line: 1 };
        writeln!(line, "{key}={value}").map_err(|_| fault)?;
        if pair(&line).is_none_or(|(found, _)| found != key) {
            return Err(fault);
        }
        let mut next = Self::new();
        let mut put = |line: &str| next.text.push_str(line).map_err(|_| Error::Full);
        let lines = || self.text.split_inclusive('\n');
        let key_of = |line: &str| pair(line).map(|(key, _)| key.len()).unwrap_or_default();
        lines().filter(|line| line[..key_of(line)] < *key).try_for_each(&mut put)?;
        put(&line)?;
        lines().filter(|line| line[..key_of(line)] > *key).try_for_each(&mut put)?;
        *self = next;
        Ok(())
    }

    /// What the device provides once the artifact of `header` is committed, by Mender's rule
    /// (mender src/mender-update/context/context.cpp, `CommitArtifactData`): what the artifact
    /// clears is dropped, what it provides is merged in, its name and group come last. An
    /// artifact that does not say what it clears clears everything. On an error nothing changes.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn apply(&mut self, header: &Header<'_>) -> Result<(), Error> {
        let mut next = Self::new();
        for (key, value) in self.iter().filter(|(key, _)| !is_cleared(key, header)) {
            writeln!(next.text, "{key}={value}").map_err(|_| Error::Full)?;
        }
        for (key, value) in header.provides() {
            let key: String<WORD_MAX_BYTES> = word(key)?;
            next.set(&key, value)?;
        }
        next.set(ARTIFACT_NAME, header.artifact_name())?;
        if let Some(group) = header.artifact_group() {
            next.set(ARTIFACT_GROUP, group)?;
        }
        *self = next;
        Ok(())
    }
}

fn word<const N: usize>(text: Text<'_>) -> Result<String<N>, Error> {
    let mut word = String::new();
    write!(word, "{text}").map_err(|_| Error::Full)?;
    Ok(word)
}

/// The key and value of a line with its end.
fn pair(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_suffix('\n')?;
    let (key, value) = line.split_once('=')?;
    let plain = !line.contains(char::is_control) && !key.is_empty() && key != DEVICE_TYPE;
    plain.then_some((key, value))
}

fn is_cleared(key: &str, header: &Header<'_>) -> bool {
    match header.clears() {
        Some(mut patterns) => patterns.any(|pattern| matches(pattern, key)),
        None => true,
    }
}

/// Whether `pattern`, in which only `*` is special and stands for any characters, is `key`.
fn matches(pattern: Text<'_>, key: &str) -> bool {
    let (mut pattern, mut key) = (pattern.chars(), key.chars());
    // Where to go on when the characters after the last star do not match here.
    let mut retry = None;
    // Every turn takes a character of the key, or a star, or moves the place to retry on.
    loop {
        let mut after = pattern.clone();
        match after.next() {
            Some('*') => {
                pattern = after;
                retry = Some((pattern.clone(), key.clone()));
                continue;
            }
            wanted => {
                let mut rest = key.clone();
                let found = rest.next();
                if wanted == found {
                    if wanted.is_none() {
                        return true;
                    }
                    (pattern, key) = (after, rest);
                    continue;
                }
            }
        }
        let Some((from, at)) = &mut retry else { return false };
        if at.next().is_none() {
            return false;
        }
        (pattern, key) = (from.clone(), at.clone());
    }
}

#[cfg(test)]
mod tests;

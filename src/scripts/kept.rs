//! The state scripts of an artifact, kept from its header on until its update is over: a private
//! directory a slot in the state directory. Nothing in it is a script before its index is
//! written, and that is written last. Never runs one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use twinslot::artifact::header::{SCRIPTS_MAX, ScriptSink};
use twinslot::device::Cause;
use twinslot::json::{self, Value};
use twinslot::slot::Slot;
use twinslot::stream::digest::{Digest, Hasher};

use super::{Broken, place};
use crate::object::{Object, array};
use crate::state::StateDir;
use crate::sys::store;
use crate::sys::{self, Failure};

/// The longest index, in bytes: a name of a file and a digest for each script.
const INDEX_BYTES: u64 = 64 << 10;

/// The largest script, in bytes: all of them together are bounded by the header they came in.
const SCRIPT_BYTES: u64 = twinslot::artifact::header::HEADER_MAX_BYTES;

/// How far an update has come for its scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// ArtifactInstall has begun.
    Installing,
    /// The slot is armed, or was.
    Armed,
    /// The slot was given up, and the scripts of that were run.
    GivenUp,
}

impl Stage {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Installing, "installing"), (Self::Armed, "armed"), (Self::GivenUp, "given-up")];

    fn word(self) -> &'static str {
        Self::ALL.into_iter().find(|(stage, _)| *stage == self).map_or("", |(_, word)| word)
    }
}

/// A script's name and digest.
type Script = (String, Digest);

/// Scripts on their way from an artifact's header into the directory.
#[derive(Debug)]
pub(crate) struct Keeper {
    directory: PathBuf,
    open: Option<Open>,
    scripts: Vec<Script>,
}

#[derive(Debug)]
struct Open {
    name: String,
    file: File,
    hasher: Hasher,
}

impl Keeper {
    /// Begins anew: what an earlier artifact for `slot` left goes.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub(crate) fn new(state: &StateDir, slot: Slot) -> Result<Self, Failure> {
        remove(state, slot)?;
        Ok(Self { directory: directory(state, slot), open: None, scripts: Vec::new() })
    }

    /// Binds the scripts to the artifact whose header they came in: from now on they can be run.
    ///
    /// # Errors
    /// The state directory cannot be written.
    pub(crate) fn bind(mut self, slot: Slot, artifact: &str) -> Result<(), Failure> {
        let directory = self.directory.clone();
        let failed = |error: &io::Error| Failure::new("write", &directory, error);
        self.end().map_err(|error| failed(&error))?;
        if self.scripts.is_empty() {
            return Ok(());
        }
        File::open(&directory).and_then(|opened| opened.sync_all()).map_err(|e| failed(&e))?;
        let artifact = artifact.to_owned();
        let kept =
            Kept { directory, slot, artifact, stage: Stage::Installing, scripts: self.scripts };
        kept.write()
    }

    fn begin(&mut self, name: &str) -> io::Result<()> {
        self.end()?;
        if self.scripts.is_empty() {
            DirBuilder::new().mode(0o700).create(&self.directory)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o700).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(self.directory.join(name))?;
        self.open = Some(Open { name: name.to_owned(), file, hasher: Hasher::default() });
        Ok(())
    }

    /// Makes the script that is open durable.
    fn end(&mut self) -> io::Result<()> {
        if let Some(Open { name, file, hasher }) = self.open.take() {
            file.sync_all()?;
            self.scripts.push((name, hasher.finish()));
        }
        Ok(())
    }

    fn put(&mut self, name: &str, part: &[u8]) -> io::Result<()> {
        if part.is_empty() {
            return self.begin(name);
        }
        if let Some(open) = &mut self.open {
            open.file.write_all(part)?;
            open.hasher.update(part);
        }
        Ok(())
    }
}

impl ScriptSink for Keeper {
    fn keep(&mut self, name: &str, part: &[u8]) -> Result<(), Cause> {
        self.put(name, part).map_err(|error| sys::cause(&error))
    }
}

/// The scripts of an artifact whose update is not over.
#[derive(Debug)]
pub(crate) struct Kept {
    directory: PathBuf,
    slot: Slot,
    artifact: String,
    stage: Stage,
    scripts: Vec<Script>,
}

impl Kept {
    /// Those for the system in `slot`; what has no index, or none that can be read, is none.
    pub(crate) fn find(state: &StateDir, slot: Slot) -> Option<Self> {
        let directory = directory(state, slot);
        let path = index(&directory);
        let text = store::read_bounded(&path, INDEX_BYTES).unwrap_or_else(|error| {
            log::warn!("the artifact's state scripts are not run: {error}");
            None
        })?;
        let kept = parse(&text, directory);
        if kept.is_none() {
            log::warn!("the artifact's state scripts are not run: {} is damaged", path.display());
        }
        kept.filter(|kept| kept.slot == slot)
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// The artifact they came in.
    pub(crate) fn artifact(&self) -> &str {
        &self.artifact
    }

    /// Goes on to `stage`. That it did is only worth a warning where it cannot be kept: scripts
    /// may be run once more than needed then.
    pub(crate) fn go_on(&mut self, stage: Stage) {
        self.stage = stage;
        if let Err(failure) = self.write() {
            log::warn!("{failure}");
        }
    }

    /// Paths of the scripts whose names begin with `prefix`, by name, each as it was signed.
    ///
    /// # Errors
    /// The directory is not this user's alone, or a script is not what came in the artifact.
    pub(crate) fn scripts(&self, prefix: &str) -> Result<Vec<PathBuf>, Broken> {
        let mut paths = Vec::new();
        for (name, digest) in &self.scripts {
            if !name.starts_with(prefix) {
                continue;
            }
            place::private(&self.directory)?;
            let path = self.directory.join(name);
            let found = store::read_bounded(&path, SCRIPT_BYTES)?;
            if found.is_none_or(|bytes| Digest::of(&bytes) != *digest) {
                return Err(Broken::Altered { path });
            }
            paths.push(path);
        }
        paths.sort();
        Ok(paths)
    }

    fn write(&self) -> Result<(), Failure> {
        let script =
            |(name, digest): &Script| Object::default().text("name", name).text("sha256", digest);
        let object = Object::default()
            .text("slot", self.slot)
            .text("artifact_name", &self.artifact)
            .text("stage", self.stage.word())
            .raw("scripts", array(self.scripts.iter().map(script)));
        store::replace(&index(&self.directory), object.to_string().as_bytes())
    }
}

/// Forgets the scripts for `slot`: the index first, so that no part of them is ever run.
///
/// # Errors
/// The state directory cannot be written.
pub(crate) fn remove(state: &StateDir, slot: Slot) -> Result<(), Failure> {
    let directory = directory(state, slot);
    match fs::symlink_metadata(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new("look at", &directory, &error)),
        Ok(found) if !found.is_dir() => return store::remove(&directory).map(drop),
        Ok(_) => {}
    }
    store::remove(&index(&directory))?;
    fs::remove_dir_all(&directory).map_err(|error| Failure::new("remove", &directory, &error))
}

fn directory(state: &StateDir, slot: Slot) -> PathBuf {
    state.path().join(format!("scripts-{slot}"))
}

/// No script has this name: all begin with `Artifact`.
fn index(directory: &Path) -> PathBuf {
    directory.join("index")
}

fn parse(text: &[u8], directory: PathBuf) -> Option<Kept> {
    let object = json::parse(text).ok()?.to_object()?;
    let of = |key| object.get(key).and_then(Value::to_text);
    let (letter, word) = (of("slot")?, of("stage")?);
    let slot = [Slot::A, Slot::B].into_iter().find(|slot| letter == *slot.letter())?;
    let (stage, _) = Stage::ALL.into_iter().find(|(_, known)| word == **known)?;
    let scripts = object.get("scripts")?.to_array()?.iter().take(SCRIPTS_MAX).map(script);
    let scripts = scripts.collect::<Option<_>>()?;
    Some(Kept { directory, slot, artifact: of("artifact_name")?.to_string(), stage, scripts })
}

fn script(value: Value<'_>) -> Option<Script> {
    let object = value.to_object()?;
    let of = |key| object.get(key).and_then(Value::to_text);
    let digest = Digest::from_hex(of("sha256")?.to_str()?.as_bytes())?;
    Some((of("name")?.to_string(), digest))
}

#[cfg(test)]
mod tests;

//! Where state scripts may lie: in directories that nobody but root, or who runs this, can
//! change. Reads directories; never runs anything.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Broken;
use crate::sys::Failure;
use crate::sys::process::user;
use crate::sys::store;

/// Mode bits that let others write.
const OTHERS_WRITE: u32 = 0o022;

/// In a directory with this bit only its owner renames or removes a file.
const STICKY: u32 = 0o1000;

/// Mode bits that let others in at all.
const OTHERS: u32 = 0o077;

/// The longest file `version`, in bytes.
const VERSION_BYTES: u64 = 64;

/// The versions of state scripts that are run; a directory without the file is of the last.
const VERSIONS: [&str; 2] = ["2", "3"];

/// Makes sure that nobody else can look into the directory.
///
/// # Errors
/// It is not this user's alone.
pub(super) fn private(directory: &Path) -> Result<(), Broken> {
    let found = look(directory)?;
    if !found.is_dir() || found.uid() != user() || found.mode() & OTHERS != 0 {
        let why = "it is not a directory of this user alone";
        return Err(Broken::Place { path: directory.to_owned(), why });
    }
    Ok(())
}

/// Paths of the scripts in the running system's directory whose names begin with `prefix`, by
/// name. No directory is no scripts; a file that is not executable is none either.
///
/// # Errors
/// Somebody else can change a script, or they are of a version that is not known.
pub(super) fn scripts(directory: &Path, prefix: &str) -> Result<Vec<PathBuf>, Broken> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::new("read", directory, &error).into()),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Failure::new("read", directory, &error))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(prefix));
        if number.is_some_and(is_numbered) && is_executable(&look(&entry.path())?) {
            paths.push(entry.path());
        }
    }
    if !paths.is_empty() {
        version(directory)?;
        trusted(directory)?;
    }
    for path in &paths {
        owned(path)?;
    }
    paths.sort();
    Ok(paths)
}

/// Two digits, then nothing or `_` and a word.
fn is_numbered(rest: &str) -> bool {
    let (number, word) = rest.split_once('_').map_or((rest, None), |(n, word)| (n, Some(word)));
    let is_word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace);
    number.len() == 2
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && word.is_none_or(is_word)
}

fn is_executable(found: &Metadata) -> bool {
    !found.is_dir() && found.permissions().mode() & 0o111 != 0
}

fn version(directory: &Path) -> Result<(), Broken> {
    let path = directory.join("version");
    let Some(text) = store::read_bounded(&path, VERSION_BYTES)? else { return Ok(()) };
    let text = String::from_utf8_lossy(&text);
    let found = text.split_whitespace().next().unwrap_or_default();
    if VERSIONS.contains(&found) {
        return Ok(());
    }
    let found = found.chars().filter(|char| !char.is_control()).collect();
    Err(Broken::Version { path, found })
}

/// Nobody else can put another file in the place of one in `directory`.
fn trusted(directory: &Path) -> Result<(), Broken> {
    let real = fs::canonicalize(directory);
    let real = real.map_err(|error| Failure::new("resolve", directory, &error))?;
    for part in real.ancestors() {
        let found = look(part)?;
        let is_shared = found.mode() & OTHERS_WRITE != 0;
        let is_kept = part != real && found.mode() & STICKY != 0;
        if is_shared && !is_kept {
            return Err(Broken::Place { path: part.to_owned(), why: "others can write there" });
        }
        ours(part, &found)?;
    }
    Ok(())
}

/// A plain file that nobody else can write.
fn owned(path: &Path) -> Result<(), Broken> {
    let found = look(path)?;
    let place = |why| Broken::Place { path: path.to_owned(), why };
    if !found.is_file() {
        return Err(place("it is not a plain file"));
    }
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(place("others can write it"));
    }
    ours(path, &found)
}

fn ours(path: &Path, found: &Metadata) -> Result<(), Broken> {
    if found.uid() == 0 || found.uid() == user() {
        return Ok(());
    }
    Err(Broken::Place { path: path.to_owned(), why: "it is owned by another user" })
}

fn look(path: &Path) -> Result<Metadata, Failure> {
    fs::symlink_metadata(path).map_err(|error| Failure::new("look at", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, u32)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, mode) in files {
            let path = directory.path().join(name);
            fs::write(&path, "3\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        directory
    }

    fn found(directory: &Path) -> Result<Vec<String>, String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let paths = scripts(directory, "Sync_Enter_").map_err(|broken| broken.to_string())?;
        Ok(paths.into_iter().map(name).collect())
    }

    #[test]
    fn scripts_are_found_by_name_in_order_and_only_where_executable() {
        let directory = directory(&[
            ("Sync_Enter_10_b", 0o755),
            ("Sync_Enter_02", 0o700),
            ("Sync_Enter_03", 0o644),
            ("Sync_Enter_1", 0o755),
            ("Sync_Enter_100", 0o755),
            ("Sync_Enter_04_", 0o755),
            ("Sync_Enter_05_a b", 0o755),
            ("Sync_Leave_00", 0o755),
            ("version", 0o644),
        ]);
        let expected = ["Sync_Enter_02", "Sync_Enter_10_b"].map(String::from);
        assert_eq!(found(directory.path()), Ok(expected.into()));
        assert_eq!(found(Path::new("/no/such/directory")), Ok(Vec::new()));
    }

    #[test]
    fn what_others_can_write_is_not_run() {
        for mode in [0o775, 0o757, 0o777] {
            let directory = directory(&[("Sync_Enter_00", mode)]);
            assert!(found(directory.path()).unwrap_err().ends_with("others can write it"));
        }
        for mode in [0o777, 0o1777, 0o770] {
            let directory = directory(&[("Sync_Enter_00", 0o755)]);
            let path = directory.path();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(found(path).unwrap_err().ends_with("others can write there"), "{mode:o}");
            // Neither is what lies below.
            let below = path.join("below");
            fs::create_dir(&below).unwrap();
            fs::rename(path.join("Sync_Enter_00"), below.join("Sync_Enter_00")).unwrap();
            assert_eq!(found(&below).is_ok(), mode == 0o1777, "{mode:o}");
        }
    }

    #[test]
    fn a_link_to_a_script_is_not_run() {
        let directory = directory(&[("other", 0o755)]);
        let link = directory.path().join("Sync_Enter_00");
        std::os::unix::fs::symlink("other", link).unwrap();
        assert!(found(directory.path()).unwrap_err().ends_with("not a plain file"));
    }

    #[test]
    fn a_version_that_is_not_known_is_refused() {
        for (text, accepted) in [("2", true), ("3\n", true), ("1", false), ("", false)] {
            let directory = directory(&[("Sync_Enter_00", 0o755)]);
            fs::write(directory.path().join("version"), text).unwrap();
            assert_eq!(found(directory.path()).is_ok(), accepted, "{text:?}");
        }
    }

    #[test]
    fn a_directory_that_others_may_enter_is_not_private() {
        let directory = directory(&[]);
        for (mode, accepted) in [(0o700, true), (0o710, false), (0o701, false)] {
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(private(directory.path()).is_ok(), accepted, "{mode:o}");
        }
    }
}

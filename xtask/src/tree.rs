//! Where the source tree is, what belongs to it, and where cargo builds. Every task runs with
//! the tree's root as its working directory.

use crate::command::{program, text};
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Makes the root of the tree the working directory; a relative CARGO_TARGET_DIR still means
/// what it meant before.
pub(crate) fn enter() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent")?;
    env::set_current_dir(root).with_context(|| format!("cannot enter {}", root.display()))
}

/// The directory cargo builds in, absolute.
pub(crate) fn target() -> Result<PathBuf> {
    let named = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    Ok(std::path::absolute(named)?)
}

/// Every file that is committed or could be: git's view where there is git, else all files
/// outside `target` and dot directories of version control. Sorted, relative to the root.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = match Path::new(".git").exists() {
        true => text(&mut program("git", &arguments)).unwrap_or_default(),
        false => String::new(),
    };
    let mut files: Vec<PathBuf> = listed.split_terminator('\0').map(PathBuf::from).collect();
    if files.is_empty() {
        walk(Path::new(""), &mut files)?;
    }
    files.retain(|file| file.is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let listed = if directory == Path::new("") { Path::new(".") } else { directory };
    for entry in fs::read_dir(listed)? {
        let entry = entry?;
        let path = directory.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            files.push(path);
        } else if path != Path::new("target") && path != Path::new(".git") {
            walk(&path, files)?;
        }
    }
    Ok(())
}

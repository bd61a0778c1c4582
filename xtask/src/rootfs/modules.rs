//! Kernel modules and what they need, taken from Debian's package: unpacked, in the order in
//! which they can be loaded.

use crate::command::program;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module ready for `insmod`.
#[derive(Debug)]
pub(crate) struct Module {
    /// `ext4`
    pub(crate) name: String,
    /// `heartbeat=60`
    pub(crate) options: String,
    pub(crate) bytes: Vec<u8>,
}

/// The modules asked for, `NAME OPTIONS` each, every one behind those it depends on.
///
/// # Errors
/// One is not in the directory; a kernel that has it built in counts as that, too, unless the
/// name ends in `?`.
pub(crate) fn load(directory: &Path, wanted: &[&str]) -> Result<Vec<Module>> {
    let mut paths = BTreeMap::new();
    find(directory, &mut paths)?;
    let mut loaded = Vec::new();
    for wish in wanted {
        let (name, options) = wish.split_once(' ').unwrap_or((wish, ""));
        let optional = name.strip_suffix('?');
        let name = canonical(optional.unwrap_or(name));
        if optional.is_none() || paths.contains_key(&name) {
            add(&paths, (&name, options), &mut loaded)?;
        }
    }
    Ok(loaded)
}

/// The kernel takes `-` and `_` for the same.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn find(directory: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if kind.is_dir() {
            find(&path, found)?;
        } else if let Some((name, "" | ".xz")) = name.split_once(".ko") {
            found.insert(canonical(name), path);
        }
    }
    Ok(())
}

fn add(
    paths: &BTreeMap<String, PathBuf>,
    (name, options): (&str, &str),
    loaded: &mut Vec<Module>,
) -> Result<()> {
    if loaded.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let path = paths.get(name).with_context(|| format!("the kernel has no module {name}"))?;
    let bytes = unpacked(path)?;
    // A module never depends on itself, so this ends.
    for need in depends(&bytes) {
        add(paths, (&canonical(&need), ""), loaded)?;
    }
    loaded.push(Module { name: name.to_owned(), options: options.to_owned(), bytes });
    Ok(())
}

fn unpacked(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_none_or(|extension| extension != "xz") {
        return Ok(fs::read(path)?);
    }
    let output = program("xz", &["--decompress", "--stdout"]).arg(path).output();
    let output = output.context("xz is missing: run `cargo xtask setup`, or install xz-utils")?;
    if !output.status.success() {
        bail!("xz cannot unpack {}", path.display());
    }
    Ok(output.stdout)
}

/// What its `.modinfo` names, which is text with a NUL behind each entry.
fn depends(module: &[u8]) -> Vec<String> {
    let key = b"\0depends=";
    let Some(at) = module.windows(key.len()).position(|window| window == key) else {
        return Vec::new();
    };
    let value = module[at + key.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = value.split(|byte| *byte == b',').filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("xtask-ko-{}-{name}", std::process::id()));
        fs::create_dir_all(path.join("fs")).unwrap();
        fs::write(path.join("fs/ext4.ko"), "\0depends=jbd2,mb-cache\0x").unwrap();
        fs::write(path.join("fs/jbd2.ko"), "\0depends=\0x").unwrap();
        fs::write(path.join("mb_cache.ko"), "nothing").unwrap();
        path
    }

    #[test]
    fn a_module_comes_behind_what_it_needs_and_once() {
        let path = directory("order");
        let loaded = load(&path, &["ext4 a=1 b=2", "jbd2", "gone?"]).unwrap();
        let order: Vec<_> = loaded.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(order, ["jbd2", "mb_cache", "ext4"]);
        assert_eq!(loaded[2].options, "a=1 b=2");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_module_that_is_not_there_is_named() {
        let path = directory("gone");
        let error = load(&path, &["gone"]).unwrap_err();
        assert_eq!(error.to_string(), "the kernel has no module gone");
        fs::remove_dir_all(path).unwrap();
    }
}

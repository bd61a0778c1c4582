//! A tree of files in memory, owned by root, in one order on every machine. Writes nothing.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Directory,
    File { executable: bool, bytes: Vec<u8> },
    Link { target: String },
}

/// Paths without a leading slash, each behind the directories it is in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    nodes: BTreeMap<String, Node>,
}

impl Contents {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Every path and what stands there, directories first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (path.as_str(), node))
    }

    /// The bytes of a file.
    pub(crate) fn file(&self, path: &str) -> Option<&[u8]> {
        match self.nodes.get(path)? {
            Node::File { bytes, .. } => Some(bytes),
            Node::Directory | Node::Link { .. } => None,
        }
    }

    /// A directory, and those it is in.
    pub(crate) fn directory(&mut self, path: &str) {
        self.put(path, Node::Directory);
    }

    /// A symbolic link.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Node::Link { target: target.to_owned() });
    }

    /// A file that is read.
    pub(crate) fn text(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.put(path, Node::File { executable: false, bytes: bytes.into() });
    }

    /// A file that is run.
    pub(crate) fn program(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.put(path, Node::File { executable: true, bytes: bytes.into() });
    }

    /// What stood there before is gone.
    fn put(&mut self, path: &str, node: Node) {
        for (at, _) in path.match_indices('/') {
            self.nodes.entry(path[..at].to_owned()).or_insert(Node::Directory);
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// Copies one file of this machine, following links.
    pub(crate) fn copy(&mut self, path: &str, from: &Path) -> Result<()> {
        let read = || format!("cannot read {}", from.display());
        let bytes = fs::read(from).with_context(read)?;
        let executable = fs::metadata(from).with_context(read)?.permissions().mode() & 0o111 != 0;
        self.put(path, Node::File { executable, bytes });
        Ok(())
    }

    /// Copies all files below a directory of the source tree, each `@NAME@` in them replaced.
    /// A file that starts with `#!` is run. A name that is not known is an error.
    pub(crate) fn fill_in(&mut self, directory: &Path, names: &[(&str, String)]) -> Result<()> {
        for path in files(directory)? {
            let text = fs::read_to_string(&path)?;
            let text = replaced(&text, names).with_context(|| path.display().to_string())?;
            let within = path.strip_prefix(directory)?.to_string_lossy().into_owned();
            self.put(
                &within,
                Node::File { executable: text.starts_with("#!"), bytes: text.into() },
            );
        }
        Ok(())
    }

    /// SHA-256 over everything in it, in hexadecimal.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, node) in self.iter() {
            hash.update(path.as_bytes());
            let (kind, bytes): (_, &[u8]) = match node {
                Node::Directory => (b"d", &[]),
                Node::File { executable: false, bytes } => (b"f", bytes),
                Node::File { executable: true, bytes } => (b"x", bytes),
                Node::Link { target } => (b"l", target.as_bytes()),
            };
            hash.update([0]);
            hash.update(kind);
            hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(bytes);
        }
        hexadecimal(&hash.finalize())
    }
}

/// Bytes as two digits each.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn files(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn replaced(text: &str, names: &[(&str, String)]) -> Result<String> {
    let mut text = text.to_owned();
    for (name, value) in names {
        text = text.replace(&format!("@{name}@"), value);
    }
    // What is left between two `@` is a name that nobody gave a value.
    let upper = |word: &&str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    match text.split('@').skip(1).find(upper) {
        Some(name) => bail!("nothing is known for @{name}@"),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_behind_its_directories() {
        let mut contents = Contents::new();
        contents.text("b/c/d", "x");
        contents.program("a", "#!");
        let paths: Vec<&str> = contents.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["a", "b", "b/c", "b/c/d"]);
    }

    #[test]
    fn the_digest_tells_contents_modes_and_places_apart() {
        let digest = |change: fn(&mut Contents)| {
            let mut contents = Contents::new();
            contents.text("a", "1");
            change(&mut contents);
            contents.digest()
        };
        let digests = [
            digest(|_| ()),
            digest(|tree| tree.text("a", "2")),
            digest(|tree| tree.program("a", "1")),
            digest(|tree| tree.link("a", "1")),
            digest(|tree| tree.directory("b")),
        ];
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), digests.len());
    }

    #[test]
    fn a_name_without_a_value_is_an_error() {
        let names = [("A", "1".to_owned())];
        assert_eq!(replaced("x@A@y @a@ $@", &names).unwrap(), "x1y @a@ $@");
        assert_eq!(
            replaced("@B_C@", &names).unwrap_err().to_string(),
            "nothing is known for @B_C@"
        );
    }
}

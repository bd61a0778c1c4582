//! An ext4 file system made from a tree in memory, without mounting it: the same bytes for the
//! same tree on every machine with the same e2fsprogs.
//!
//! `mke2fs -d` takes files in the order in which the host's directory lists them, so the tree is
//! put in by a script for debugfs instead.

use super::contents::{Contents, Node};
use crate::command::words;
use crate::image::guid::Guid;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// All times in it: 2026-01-01.
const EPOCH_SECONDS: &str = "1767225600";
/// Tells apart what is being made at the same time.
static STAGES: AtomicU32 = AtomicU32::new(0);
const BLOCK_BYTES: u64 = 4096;
/// Chosen by name, so that the host's mke2fs.conf has no say. U-Boot reads all of them.
const FEATURES: &str = "none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,\
    huge_file,dir_nlink,extra_isize,metadata_csum";

/// A file system to be.
#[derive(Clone, Debug)]
pub(crate) struct FileSystem<'a> {
    /// Up to 16 bytes.
    pub(crate) label: &'a str,
    /// What its UUID is derived from.
    pub(crate) seed: &'a str,
    pub(crate) bytes: u64,
    /// Written to while power may fail.
    pub(crate) journal: bool,
}

impl FileSystem<'_> {
    /// Makes it at a path, through a directory beside it that is removed again.
    pub(crate) fn make(&self, contents: &Contents, to: &Path) -> Result<()> {
        let number = STAGES.fetch_add(1, Ordering::Relaxed);
        let stage = to.with_extension(format!("stage-{}-{number}", std::process::id()));
        fs::create_dir_all(&stage)?;
        let made = self.stage(contents, &stage).and_then(|part| Ok(fs::rename(part, to)?));
        fs::remove_dir_all(stage)?;
        made
    }

    fn stage(&self, contents: &Contents, stage: &Path) -> Result<PathBuf> {
        let part = stage.join("image");
        File::create(&part)?.set_len(self.bytes)?;
        self.format(&part)?;
        let script = script(contents, stage)?;
        fs::write(stage.join("script"), script)?;
        tool("debugfs", &["-w", "-f"], |command| command.arg(stage.join("script")).arg(&part))?;
        tool("e2fsck", &["-f", "-n"], |command| command.arg(&part))?;
        Ok(part)
    }

    fn format(&self, image: &Path) -> Result<()> {
        let guid = Guid::derived(&["file system", self.seed]).to_string();
        let journal = if self.journal { ",has_journal" } else { "" };
        let features = format!("{FEATURES}{journal}");
        let extended = format!(
            "hash_seed={guid},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        );
        let options =
            ["-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-O", &features];
        tool("mke2fs", &options, |command| {
            command.args(["-U", &guid, "-L", self.label, "-E", &extended]).arg(image)
        })
    }
}

/// How large a file system must be for a tree, in whole MiB: for what seldom changes.
pub(crate) fn wanted_bytes(contents: &Contents) -> u64 {
    let blocks = contents.iter().map(|(_, node)| match node {
        Node::File { bytes, .. } => {
            u64::try_from(bytes.len()).unwrap_or(u64::MAX).div_ceil(BLOCK_BYTES)
        }
        Node::Directory => 1,
        Node::Link { .. } => 0,
    });
    let data = blocks.sum::<u64>() * BLOCK_BYTES;
    // Inode tables and bitmaps take 2 %; mke2fs makes one inode of 256 bytes for 16 KiB.
    (data + data / 32 + (1 << 20)).next_multiple_of(1 << 20)
}

/// The commands that put the tree in, and its files beside them under numbers.
fn script(contents: &Contents, stage: &Path) -> Result<String> {
    let mut script = String::new();
    for (number, (path, node)) in contents.iter().enumerate() {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if [path, &stage.to_string_lossy()].iter().any(|text| text.contains(['"', '\n'])) {
            bail!("debugfs cannot take the path {path:?}");
        }
        writeln!(script, "cd \"/{directory}\"")?;
        match node {
            Node::Directory => writeln!(script, "mkdir \"{name}\"")?,
            Node::Link { target } => writeln!(script, "symlink \"{name}\" \"{target}\"")?,
            Node::File { executable, bytes } => {
                let file = stage.join(number.to_string());
                fs::write(&file, bytes)?;
                let mode = if *executable { 0o755 } else { 0o644 };
                fs::set_permissions(&file, Permissions::from_mode(mode))?;
                writeln!(script, "write \"{}\" \"{name}\"", file.display())?;
            }
        }
    }
    Ok(script)
}

/// Runs one of e2fsprogs, at one moment for all times. debugfs says what failed and exits 0, so
/// anything it says is an error.
fn tool<'a>(
    name: &str,
    options: &[&str],
    rest: impl FnOnce(&mut Command) -> &mut Command + 'a,
) -> Result<()> {
    let mut command = Command::new(name);
    command
        .args(options)
        .env("E2FSPROGS_FAKE_TIME", EPOCH_SECONDS)
        .env("MKE2FS_CONFIG", "/dev/null");
    // Where Debian has them, for users without sbin on their path.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
    rest(&mut command);
    let output = command.output().with_context(|| {
        format!("{name} is missing: run `cargo xtask setup`, or install e2fsprogs")
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    // Each of them says first who it is.
    let said = said.lines().find(|line| !line.starts_with(&format!("{name} 1.")));
    if !output.status.success() || (name == "debugfs" && said.is_some()) {
        bail!("{} failed: {}", words(&command), said.unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str) -> Vec<u8> {
        let to = std::env::temp_dir().join(format!("xtask-ext4-{}-{name}", std::process::id()));
        let mut contents = Contents::new();
        // Enough names for a second block of the directory.
        for number in 0..300 {
            contents.text(&format!("many/file-with-a-long-name-{number}"), format!("{number}"));
        }
        contents.program("sbin/init", vec![7; 100_000]);
        contents.link("bin", "sbin");
        let system = FileSystem { label: "test", seed: "test", bytes: 4 << 20, journal: false };
        system.make(&contents, &to).unwrap();
        let bytes = fs::read(&to).unwrap();
        fs::remove_file(to).unwrap();
        bytes
    }

    #[test]
    fn a_file_system_made_twice_has_the_same_bytes() {
        let first = made("first");
        assert_eq!(first[1080..1082], [0x53, 0xef]);
        assert!(first == made("second"));
    }

    #[test]
    fn a_tree_that_does_not_fit_is_an_error() {
        let to = std::env::temp_dir().join(format!("xtask-ext4-{}-full", std::process::id()));
        let mut contents = Contents::new();
        contents.text("a", vec![1; 2 << 20]);
        let system = FileSystem { label: "test", seed: "test", bytes: 1 << 20, journal: false };
        assert!(system.make(&contents, &to).is_err());
        assert!(!to.exists());
    }
}

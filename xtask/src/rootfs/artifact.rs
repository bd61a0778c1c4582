//! A signed artifact of a root file system, by the real mender-artifact.

use super::cache::Item;
use super::contents::hexadecimal;
use crate::command::{program, quiet};
use crate::tools;
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// What an artifact says of itself, and who signs it.
#[derive(Clone, Debug)]
pub(crate) struct Artifact<'a> {
    pub(crate) device_type: &'a str,
    /// `release-2`
    pub(crate) name: &'a str,
    /// A private key; `tests/data/artifacts/p256.key` fits the key that test slots hold.
    pub(crate) key: &'a Path,
}

/// The artifact for an image; made once for the same image, name and key.
pub(crate) fn write(image: &Path, artifact: &Artifact<'_>) -> Result<PathBuf> {
    let mut hash = Sha256::new();
    for part in [artifact.device_type.as_bytes(), artifact.name.as_bytes()] {
        hash.update(part);
        hash.update([0]);
    }
    hash.update(fs::read(artifact.key).with_context(|| artifact.key.display().to_string())?);
    hash.update(fs::read(image).with_context(|| image.display().to_string())?);
    let digest = hexadecimal(&hash.finalize());
    let item = Item { name: artifact.name, digest: &digest, extension: "mender" };
    item.find_or_make(|to| {
        let words = ["write", "rootfs-image", "--no-progress", "--compression", "gzip"];
        let mut command = program(&tool()?.to_string_lossy(), &words);
        command.args(["-t", artifact.device_type, "-n", artifact.name, "-k"]).arg(artifact.key);
        quiet(command.arg("-f").arg(image).arg("-o").arg(to))
    })
}

fn tool() -> Result<PathBuf> {
    let variables = tools::variables()?;
    let found = variables.into_iter().find(|(name, _)| *name == "TWINSLOT_MENDER_ARTIFACT");
    Ok(found.context("mender-artifact is not known")?.1)
}

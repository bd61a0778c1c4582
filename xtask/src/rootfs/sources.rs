//! What a slot is made from: Debian's arm64 packages, unpacked by `setup`, and twinslot itself.

use super::cache::Item;
use super::contents::hexadecimal;
use crate::build::{self, TARGETS};
use crate::command::program;
use crate::tools;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Where things are.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The root of the unpacked packages.
    packages: PathBuf,
    /// The board's binary.
    pub(crate) twinslot: PathBuf,
}

impl Sources {
    /// Looks whether `setup` and `build` were here.
    pub(crate) fn find() -> Result<Self> {
        let packages = tools::board_packages()?.join("root");
        let twinslot = build::binary(TARGETS[0])?;
        if !packages.is_dir() {
            bail!("no arm64 packages in {}: run `cargo xtask setup`", packages.display());
        }
        if !twinslot.is_file() {
            bail!("no {}: run `cargo xtask build`", twinslot.display());
        }
        Ok(Self { packages, twinslot })
    }

    /// A file of a package.
    pub(crate) fn package(&self, path: &str) -> PathBuf {
        self.packages.join(path)
    }

    /// The kernel's modules.
    pub(crate) fn modules(&self) -> Result<PathBuf> {
        only(&self.package("usr/lib/modules"), "")
    }

    /// A device tree of the kernel's package: `rockchip/rk3399-rockpro64.dtb`.
    pub(crate) fn device_tree(&self, path: &str) -> Result<PathBuf> {
        Ok(only(&self.package("usr/lib"), "linux-image-")?.join(path))
    }

    /// The kernel, packed as U-Boot unpacks it.
    pub(crate) fn kernel(&self) -> Result<Vec<u8>> {
        self.gzipped(&fs::read(only(&self.package("boot"), "vmlinuz-")?)?)
    }

    /// Packs as small as gzip can, without name and time; kept, as it takes a while.
    pub(crate) fn gzipped(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let digest = hexadecimal(&Sha256::digest(bytes));
        let item = Item { name: "packed", digest: &digest, extension: "gz" };
        let path = item.find_or_make(|to| Ok(fs::write(to, gzip(bytes)?)?))?;
        fs::read(&path).with_context(|| path.display().to_string())
    }
}

fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut command = program("gzip", &["-9", "--no-name", "--stdout"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("gzip is missing")?;
    let mut input = child.stdin.take().context("gzip has no input")?;
    let output = std::thread::scope(|scope| {
        let writer = scope.spawn(move || input.write_all(bytes));
        let output = child.wait_with_output();
        writer.join().map(|written| written.and(output))
    });
    let output = output.map_err(|_| anyhow::anyhow!("gzip was not fed"))??;
    if !output.status.success() {
        bail!("gzip failed: {}", output.status);
    }
    Ok(output.stdout)
}

/// The one entry of a directory whose name starts so.
fn only(directory: &Path, start: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(directory).with_context(|| directory.display().to_string())?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    let named = |path: &&PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    let mut found = paths.iter().filter(named);
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path.clone()),
        (None, _) => bail!("nothing in {} starts with {start:?}", directory.display()),
        _ => bail!("more than one in {} starts with {start:?}", directory.display()),
    }
}

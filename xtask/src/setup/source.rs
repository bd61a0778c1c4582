//! U-Boot's source, from Debian's source package: the upstream tarball.

use super::archive::{Archive, Wanted};
use crate::uboot::VERSION;
use anyhow::{Result, bail};
use std::fs;
use std::path::Path;

/// Fills a directory with the tarball.
pub(super) fn make(to: &Path) -> Result<()> {
    let work = to.join("work");
    let wanted = Wanted { kind: "deb-src", architecture: "arm64", suites: &["trixie"] };
    let tarball = Archive::open(&work, wanted)?.tarball("u-boot")?;
    let name = tarball.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !name.starts_with(&format!("u-boot_{VERSION}.orig.")) {
        bail!("the archive has {name}, wanted U-Boot {VERSION}");
    }
    fs::rename(tarball, to.join("u-boot.orig"))?;
    Ok(fs::remove_dir_all(work)?)
}

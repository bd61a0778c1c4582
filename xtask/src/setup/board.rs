//! What runs on a board: Debian's kernel, its boot loader for real hardware, busybox,
//! environment tools and dmsetup, arm64 packages unpacked into one root.

use super::archive::{Archive, Wanted};
use anyhow::Result;
use std::fs;
use std::path::Path;

/// Beside the kernel; with the libraries that libubootenv's tools and dmsetup need.
pub(crate) const PACKAGES: &[&str] = &[
    "busybox-static",
    "dmsetup",
    "libc6",
    "libcap2",
    "libdevmapper1.02.1",
    "libpcre2-8-0",
    "libselinux1",
    "libubootenv-tool",
    "libubootenv0.1",
    "libudev1",
    "libyaml-0-2",
    "u-boot-rockchip",
    "zlib1g",
];

/// Fills a directory with `root`.
pub(super) fn make(to: &Path) -> Result<()> {
    let work = to.join("work");
    let wanted = Wanted { kind: "deb", architecture: "arm64", suites: &["trixie"] };
    let archive = Archive::open(&work, wanted)?;
    let kernel = archive.dependency("linux-image-arm64", "linux-image-")?;
    let packages: Vec<&str> = PACKAGES.iter().copied().chain([kernel.as_str()]).collect();
    archive.unpack(&packages, &to.join("root"))?;
    Ok(fs::remove_dir_all(work)?)
}

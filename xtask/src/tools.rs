//! Where the real tools are that the tests hold twinslot against, and the variables by which the
//! tests find them. `setup` puts the tools there.

use crate::{build, setup, uboot};
use anyhow::{Context, Result};
use std::env;
use std::fs;
use std::path::PathBuf;

/// Prints the variables as a shell reads them: `eval "$(cargo xtask env)"`, then plain cargo.
pub(crate) fn run(_: &[String]) -> Result<()> {
    for (name, value) in variables()? {
        println!("export {name}='{}'", value.display());
    }
    Ok(())
}

/// What the tests may read.
pub(crate) fn variables() -> Result<[(&'static str, PathBuf); 8]> {
    let [board, host] = build::TARGETS;
    Ok([
        // fw_printenv, fw_setenv and mkenvimage as U-Boot itself has them
        ("TWINSLOT_UBOOT_TOOLS", uboot()?.join("bin")),
        // usr/bin/fw_printenv and fw_setenv, and usr/lib/<multiarch> for LD_LIBRARY_PATH
        ("TWINSLOT_LIBUBOOTENV", libubootenv()?),
        ("TWINSLOT_BIN", build::binary(host)?),
        ("TWINSLOT_BIN_AARCH64", build::binary(board)?),
        ("TWINSLOT_QEMU_AARCH64", "/usr/bin/qemu-aarch64-static".into()),
        ("TWINSLOT_MENDER_ARTIFACT", "/usr/bin/mender-artifact".into()),
        // the Go client, 3.4
        ("TWINSLOT_MENDER", "/usr/bin/mender".into()),
        ("TWINSLOT_NGINX", "/usr/sbin/nginx".into()),
    ])
}

/// U-Boot's own environment tools: Debian packages mkenvimage only, `setup` compiles the others.
pub(crate) fn uboot() -> Result<PathBuf> {
    Ok(cache()?.join("u-boot"))
}

/// libubootenv's package, unpacked and not installed: its fw_printenv must not become everyone's.
pub(crate) fn libubootenv() -> Result<PathBuf> {
    Ok(cache()?.join("libubootenv"))
}

/// `root`: Debian's arm64 kernel and what else a board's slots hold.
pub(crate) fn board_packages() -> Result<PathBuf> {
    kept("board-trixie", setup::board::PACKAGES)
}

/// `root`: a QEMU with all it needs, which is not the machine's.
pub(crate) fn emulator() -> Result<PathBuf> {
    kept("qemu-trixie-backports", &[])
}

/// `u-boot.orig`: the upstream tarball.
pub(crate) fn uboot_source() -> Result<PathBuf> {
    kept(&format!("u-boot-{}-source", uboot::VERSION), &[])
}

/// Where something is kept that depends on more than its name.
pub(crate) fn kept(name: &str, made_from: &[&str]) -> Result<PathBuf> {
    let parts = made_from.iter().flat_map(|part| [part.as_bytes(), &[0]]);
    let mut crc = crc32fast::Hasher::new();
    parts.for_each(|part| crc.update(part));
    Ok(cache()?.join(format!("{name}-{:08x}", crc.finalize())))
}

/// The user's cache for this Debian release: another release has other versions.
pub(crate) fn cache() -> Result<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set")?;
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    Ok(cache.join("twinslot").join(release_key(&release)))
}

fn release_key(text: &str) -> String {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or("unknown").trim_matches('"').to_owned()
    };
    format!("{}-{}", field("ID"), field("VERSION_ID"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_keyed_by_the_release() {
        assert_eq!(release_key("NAME=\"X\"\nID=debian\nVERSION_ID=\"12\"\n"), "debian-12");
        assert_eq!(release_key("ID=debian\n"), "debian-unknown");
    }
}

//! Brings a bare Debian 12 machine with rustup's toolchain to where every other task works.
//! Looks before each step, so a second run changes nothing. Packages come from the machine's
//! own package sources, by apt.

mod uboot;

use crate::build::TARGETS;
use crate::command::{program, run as run_command, text};
use crate::tools;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian packages, and what each is for.
#[rustfmt::skip]
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "links proc-macros and tests for the host; compiles U-Boot's environment tools"),
    ("libc6-dev", "the same"),
    ("mender-artifact", "makes artifacts"),
    ("mender-client", "the client twinslot takes over from"),
    ("u-boot-tools", "mkenvimage"),
    ("qemu-user-static", "runs the aarch64 binary"),
    ("e2fsprogs", "mkfs.ext4"),
    ("fdisk", "sfdisk"),
    ("mount", "losetup, mount"),
    ("util-linux", "flock, partx, unshare"),
    ("xz-utils", "unpacks sources, makes vectors"),
    ("zstd", "makes vectors"),
    ("openssl", "keys and signatures beside ours"),
    ("strace", "shows the order of writes"),
];

const LIBUBOOTENV: [&str; 2] = ["libubootenv-tool", "libubootenv0.1"];

/// Does what is missing, and says so step by step.
pub(crate) fn run(_: &[String]) -> Result<()> {
    rust()?;
    packages()?;
    once(&tools::libubootenv()?, "libubootenv, unpacked", libubootenv)?;
    once(&tools::uboot()?, "U-Boot's fw_printenv and fw_setenv", uboot::build)
}

fn rust() -> Result<()> {
    let root = text(&mut program("rustc", &["--print", "sysroot"]))?;
    let root = Path::new(root.trim());
    let std = TARGETS.map(|target| (target, root.join("lib/rustlib").join(target).join("lib")));
    rustup("target", &std)?;
    let programs = [("rustfmt", "bin/rustfmt"), ("clippy", "bin/cargo-clippy")];
    rustup("component", &programs.map(|(component, program)| (component, root.join(program))))
}

/// Adds those whose path is not there.
fn rustup(kind: &str, wanted: &[(&str, PathBuf)]) -> Result<()> {
    let missing = wanted.iter().filter(|(_, path)| !path.exists());
    let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
    if missing.is_empty() {
        println!("setup: rust {kind}s: all {} are there", wanted.len());
        return Ok(());
    }
    println!("setup: rust {kind}s: adding {}", missing.join(", "));
    run_command(program("rustup", &[kind, "add"]).args(missing))
}

fn packages() -> Result<()> {
    let missing = missing_packages()?;
    if missing.is_empty() {
        println!("setup: packages: all {} are there", PACKAGES.len());
        return Ok(());
    }
    println!("setup: packages: installing {}", missing.join(", "));
    if fs::metadata("/proc/self")?.uid() != 0 {
        bail!("only root can install packages; run it as root, or install {}", missing.join(" "));
    }
    run_command(&mut apt(&["update"]))?;
    let options = ["install", "--yes", "--no-install-recommends"];
    run_command(apt(&options).args(missing))
}

fn missing_packages() -> Result<Vec<&'static str>> {
    let format = "--showformat=${db:Status-Status} ${Package}\n";
    let mut query = program("dpkg-query", &["--show", format]);
    let known = text(query.args(PACKAGES.iter().map(|(name, _)| name)))
        .context("setup knows Debian, and here is no dpkg-query")?;
    let installed = |name: &str| known.lines().any(|line| line == format!("installed {name}"));
    Ok(PACKAGES.iter().map(|(name, _)| *name).filter(|name| !installed(name)).collect())
}

/// apt-get, which asks nothing, waits for another apt, and may write where only we may.
fn apt(arguments: &[&str]) -> Command {
    let options = ["-o", "DPkg::Lock::Timeout=120", "-o", "APT::Sandbox::User=root"];
    let mut command = program("apt-get", &["--quiet"]);
    command.args(options).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Fills a directory that is not there yet: made beside it and renamed, so that a broken run
/// leaves nothing that looks whole.
fn once(to: &Path, what: &str, fill: fn(&Path) -> Result<()>) -> Result<()> {
    if to.is_dir() {
        println!("setup: {what}: in {}", to.display());
        return Ok(());
    }
    println!("setup: {what}: making {}", to.display());
    let part = to.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    fill(&part).with_context(|| format!("cannot make {}", to.display()))?;
    Ok(fs::rename(&part, to)?)
}

fn libubootenv(to: &Path) -> Result<()> {
    let download = |()| run_command(apt(&["download"]).args(LIBUBOOTENV).current_dir(to));
    // A machine whose packages were all there may never have asked for the lists.
    download(()).or_else(|_| run_command(&mut apt(&["update"])).and_then(download))?;
    for entry in fs::read_dir(to)? {
        let package = entry?.path();
        run_command(program("dpkg", &["-x"]).arg(&package).arg(to))?;
        fs::remove_file(package)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_filled_once_and_never_half() {
        let to = std::env::temp_dir().join(format!("xtask-once-{}", std::process::id()));
        assert!(once(&to, "it", |_| bail!("no")).is_err());
        assert!(!to.exists());
        once(&to, "it", |part| Ok(fs::write(part.join("a"), "1")?)).unwrap();
        once(&to, "it", |_| bail!("twice")).unwrap();
        assert_eq!(fs::read(to.join("a")).unwrap(), b"1");
        fs::remove_dir_all(to).unwrap();
    }
}

//! Brings a bare Debian 12 machine with rustup's toolchain to where every other task works.
//! Looks before each step, so a second run changes nothing. Packages come from the machine's
//! own package sources, by apt.

mod archive;
pub(crate) mod board;
mod emulator;
mod source;
mod uboot;

use crate::big_endian;
use crate::board::Board;
use crate::build::TARGETS;
use crate::command::{cargo, program, run as run_command, text};
use crate::qemu::Emulator;
use crate::tools;
use crate::uboot::{EMULATED, Recipe};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Debian packages, and what each is for.
#[rustfmt::skip]
const PACKAGES: &[(&str, &str)] = &[
    ("gcc", "links proc-macros and tests for the host; compiles U-Boot's environment tools"),
    ("libc6-dev", "the same"),
    ("mender-artifact", "makes artifacts"),
    ("mender-client", "the client twinslot takes over from"),
    ("nginx-light", "a web server that people have, for ranges and the static channel"),
    ("u-boot-tools", "mkenvimage"),
    ("qemu-user-static", "runs the aarch64 binary, and the codec on a big-endian processor"),
    ("e2fsprogs", "mkfs.ext4"),
    ("fdisk", "sfdisk"),
    ("mount", "losetup, mount"),
    ("util-linux", "flock, partx, unshare"),
    ("xz-utils", "unpacks sources, makes vectors"),
    ("zstd", "makes vectors"),
    ("openssl", "keys and signatures beside ours"),
    ("strace", "shows the order of writes"),
    ("gcc-aarch64-linux-gnu", "compiles U-Boot"),
    ("make", "builds U-Boot"),
    ("bison", "the same"),
    ("flex", "the same"),
    ("bc", "the same"),
    ("xxd", "the same"),
    ("bzip2", "unpacks U-Boot's source"),
];

/// For `fuzz` alone.
const FUZZ_PACKAGES: &[(&str, &str)] = &[("g++", "compiles libFuzzer")];

const LIBUBOOTENV: [&str; 2] = ["libubootenv-tool", "libubootenv0.1"];

/// Does what is missing, and says so step by step.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let _lock = lock()?;
    tests()?;
    once(&tools::board_packages()?, "the board's kernel and programs", board::make)?;
    emulated_board()
}

/// Another clone may be at it, too.
fn lock() -> Result<File> {
    fs::create_dir_all(tools::cache()?)?;
    let lock = File::create(tools::cache()?.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// What the tests need, but for the emulated board.
pub(crate) fn tests() -> Result<()> {
    rust()?;
    packages(PACKAGES)?;
    fs::create_dir_all(tools::cache()?)?;
    once(&tools::libubootenv()?, "libubootenv, unpacked", libubootenv)?;
    once(&tools::uboot()?, "U-Boot's fw_printenv and fw_setenv", uboot::build)
}

/// What `fuzz` needs besides a nightly toolchain: cargo-fuzz's place.
pub(crate) fn fuzz() -> Result<PathBuf> {
    packages(FUZZ_PACKAGES)?;
    let to = tools::cache()?.join("cargo-fuzz");
    once(&to, "cargo-fuzz", |to| {
        let mut install = cargo(&["install", "cargo-fuzz", "--locked", "--root"]);
        run_command(install.arg(to))
    })?;
    Ok(to.join("bin"))
}

/// What the end-to-end tests run on.
fn emulated_board() -> Result<()> {
    match Emulator::of_the_machine() {
        Some(_) => println!("setup: QEMU with an eMMC: the machine's own"),
        None => {
            once(&tools::emulator()?, "QEMU with an eMMC", emulator::make).or_else(|error| {
                Emulator::find().map_err(|_| error).map(|_| {
                    println!("setup: QEMU with an eMMC: not to be had; an SD card takes its place");
                })
            })?
        }
    }
    let recipe = Recipe::of(&Board::load(EMULATED)?)?;
    let built = recipe.directory()?;
    let what = format!("U-Boot for {EMULATED}");
    if built.is_dir() {
        return once(&built, &what, |_| Ok(()));
    }
    let source = tools::uboot_source()?;
    once(&source, "U-Boot's source", source::make)?;
    once(&built, &what, |to| recipe.build(&source.join("u-boot.orig"), to))
}

fn rust() -> Result<()> {
    let root = text(&mut program("rustc", &["--print", "sysroot"]))?;
    let root = Path::new(root.trim());
    let targets = [TARGETS[0], TARGETS[1], big_endian::TARGET];
    let std = targets.map(|target| (target, root.join("lib/rustlib").join(target).join("lib")));
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

fn packages(wanted: &[(&'static str, &str)]) -> Result<()> {
    let missing = missing_packages(wanted)?;
    if missing.is_empty() {
        println!("setup: packages: all {} are there", wanted.len());
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

fn missing_packages(wanted: &[(&'static str, &str)]) -> Result<Vec<&'static str>> {
    let format = "--showformat=${db:Status-Status} ${Package}\n";
    let mut query = program("dpkg-query", &["--show", format]);
    let known = text(query.args(wanted.iter().map(|(name, _)| name)))
        .context("setup knows Debian, and here is no dpkg-query")?;
    let installed = |name: &str| known.lines().any(|line| line == format!("installed {name}"));
    Ok(wanted.iter().map(|(name, _)| *name).filter(|name| !installed(name)).collect())
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
fn once(to: &Path, what: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if to.is_dir() {
        println!("setup: {what}: in {}", to.display());
        return Ok(());
    }
    println!("setup: {what}: making {}", to.display());
    let start = Instant::now();
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    if part.exists() {
        fs::remove_dir_all(&part)?;
    }
    fs::create_dir_all(&part)?;
    fill(&part).with_context(|| format!("cannot make {}", to.display()))?;
    fs::rename(&part, to)?;
    println!("setup: {what}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
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

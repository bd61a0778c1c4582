//! What goes into a slot: Debian's kernel, an initramfs, busybox, twinslot and a stand-in for the
//! board's application, as one ext4 file system. Board/common has its scripts; releases that
//! fail in every way a release can are made here, too. Never mounts anything.

pub(crate) mod artifact;
pub(crate) mod cache;
pub(crate) mod contents;
pub(crate) mod ext4;
pub(crate) mod initramfs;
pub(crate) mod modules;
pub(crate) mod server;
pub(crate) mod sources;

use crate::board::Board;
use crate::image::guid::Guid;
use anyhow::{Context, Result, bail};
use cache::Item;
use contents::Contents;
use ext4::FileSystem;
use sha2::{Digest, Sha256};
use sources::Sources;
use std::fs;
use std::path::{Path, PathBuf};

/// The scripts that all boards share.
const COMMON: &str = "board/common";
/// The public half of the key that the tests sign with.
pub(crate) const TEST_KEY: &str = "tests/data/artifacts/p256.pub";
/// How long a system may go without feeding the watchdog.
const WATCHDOG_SECONDS: u32 = 60;
/// How long all health checks of a trial may take.
const HEALTH_TIMEOUT_SECONDS: u32 = 30;

/// A release, good or bad.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// `release-1`: the artifact's name, too.
    pub(crate) release: String,
    pub(crate) health: Health,
    pub(crate) init: Init,
    pub(crate) kernel: KernelImage,
    pub(crate) root: Root,
    pub(crate) settle: Settle,
    pub(crate) updates: Updates,
    /// The public key that artifacts must be signed for.
    pub(crate) verify_key: PathBuf,
}

/// What the stand-in application says when it is asked how it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Passes,
    Fails,
    /// Never answers.
    Hangs,
}

/// The first process of the root file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Boots,
    /// Waits for the boot service, and takes no request to restart meanwhile.
    Waits,
    /// Says `TWINSLOT-INIT-HANGS`, then nothing; only a watchdog ends that.
    Hangs,
    /// The kernel panics.
    Exits,
}

/// The kernel as it lies in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KernelImage {
    Whole,
    /// Bytes in its middle are zero.
    Corrupt,
}

/// How the root file system is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    ReadOnly,
    /// Below an overlay that lives in memory.
    Overlay,
}

/// Who calls `twinslot settle`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    AtBoot,
    /// Nobody, so a trial stays one.
    ByHand,
}

/// Where a release gets its updates from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Updates {
    /// From whoever has its console.
    ByHand,
    /// Its daemon asks a server, and does what that says.
    Deployments,
    /// Its daemon looks at a channel file, and a person decides, with the example app.
    OnDemand,
}

impl Variant {
    /// A release that does what it should.
    pub(crate) fn good(release: &str) -> Self {
        Self {
            release: release.to_owned(),
            health: Health::Passes,
            init: Init::Boots,
            kernel: KernelImage::Whole,
            root: Root::ReadOnly,
            settle: Settle::AtBoot,
            updates: Updates::ByHand,
            verify_key: TEST_KEY.into(),
        }
    }
}

/// The root file system of a release; made once for the same contents.
pub(crate) fn build(board: &Board, variant: &Variant) -> Result<PathBuf> {
    let contents = contents(board, variant)?;
    kept(&variant.release, &contents)
}

/// What is on the recovery partition.
pub(crate) fn recovery(board: &Board) -> Result<PathBuf> {
    let sources = Sources::find()?;
    let names = names(board, "recovery")?;
    let mut initramfs = initramfs(&sources, board, &names)?;
    initramfs.copy("bin/twinslot", &sources.twinslot)?;
    initramfs.text("etc/recovery", "");
    let mut filled = Contents::new();
    filled.fill_in(&Path::new(COMMON).join("rootfs"), &names)?;
    for path in ["etc/fw_env.config", "etc/twinslot/twinslot.conf"] {
        let bytes = filled.file(path).with_context(|| format!("board/common has no {path}"))?;
        initramfs.text(path, bytes);
    }
    let mut contents = Contents::new();
    boot_files(&mut contents, &sources, board)?;
    checked(&mut contents, "boot/initrd", sources.gzipped(&initramfs::archive(&initramfs)?)?);
    kept("recovery", &contents)
}

fn kept(name: &str, contents: &Contents) -> Result<PathBuf> {
    let digest = contents.digest();
    let bytes = ext4::wanted_bytes(contents);
    let system = FileSystem { label: "", seed: &digest, bytes, journal: false };
    let item = Item { name, digest: &digest, extension: "ext4" };
    item.find_or_make(|to| system.make(contents, to))
}

/// Everything below `/` of a release.
fn contents(board: &Board, variant: &Variant) -> Result<Contents> {
    let sources = Sources::find()?;
    let names = names(board, &variant.release)?;
    let mut contents = Contents::new();
    for path in ["data", "dev", "media/root-ro", "media/tests", "proc", "root", "run", "sys", "tmp"]
    {
        contents.directory(path);
    }
    for (path, target) in [("var/lock", "/run/lock"), ("var/run", "/run"), ("var/tmp", "/tmp")] {
        contents.link(path, target);
    }
    programs(&mut contents, &sources)?;
    scripts(&mut contents, board, &names)?;
    contents.copy("etc/twinslot/artifact-verify-key.pem", &variant.verify_key)?;
    boot_files(&mut contents, &sources, board)?;
    let initramfs = initramfs::archive(&initramfs(&sources, board, &names)?)?;
    checked(&mut contents, "boot/initrd", sources.gzipped(&initramfs)?);
    server::add(&mut contents, variant.updates)?;
    spoil(&mut contents, variant)?;
    Ok(contents)
}

fn programs(contents: &mut Contents, sources: &Sources) -> Result<()> {
    contents.copy("bin/busybox", &sources.package("usr/bin/busybox"))?;
    // The shell knows busybox's other applets by itself.
    for path in ["bin/sh", "bin/cttyhack", "bin/umount", "sbin/init", "sbin/reboot"] {
        contents.link(path, "/bin/busybox");
    }
    contents.copy("usr/bin/twinslot", &sources.twinslot)?;
    for name in ["fw_printenv", "fw_setenv"] {
        contents.link(&format!("usr/lib/twinslot/bin/{name}"), "/usr/bin/twinslot");
    }
    // Debian's own tool, which must agree with ours.
    contents.copy("usr/bin/fw_printenv", &sources.package("usr/bin/fw_printenv"))?;
    contents.link("usr/bin/fw_setenv", "fw_printenv");
    let libraries = "usr/lib/aarch64-linux-gnu";
    for name in
        ["ld-linux-aarch64.so.1", "libc.so.6", "libubootenv.so.0", "libyaml-0.so.2", "libz.so.1"]
    {
        let path = format!("{libraries}/{name}");
        contents.copy(&path, &sources.package(&path))?;
    }
    contents.link("lib/ld-linux-aarch64.so.1", &format!("/{libraries}/ld-linux-aarch64.so.1"));
    Ok(())
}

fn boot_files(contents: &mut Contents, sources: &Sources, board: &Board) -> Result<()> {
    checked(contents, "boot/Image.gz", sources.kernel()?);
    if let Some(path) = &board.kernel.device_tree {
        let file = sources.device_tree(path)?;
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        let named = |name: &String| bytes.windows(name.len()).any(|part| part == name.as_bytes());
        if !board.compatible.iter().any(named) {
            bail!("{} is of no {}", file.display(), board.compatible.join(" or "));
        }
        checked(contents, &format!("boot/{path}"), bytes);
    }
    Ok(())
}

/// What all boards share, and a board's own in its place.
fn scripts(contents: &mut Contents, board: &Board, names: &[(&str, String)]) -> Result<()> {
    contents.fill_in(&Path::new(COMMON).join("rootfs"), names)?;
    let own = Path::new("board").join(&board.name).join("rootfs");
    if own.is_dir() {
        contents.fill_in(&own, names)?;
    }
    Ok(())
}

/// A file for U-Boot, and beside it its SHA-256 in 32 bytes, as the boot logic looks for it.
fn checked(contents: &mut Contents, path: &str, bytes: Vec<u8>) {
    contents.text(&format!("{path}.sha256"), Sha256::digest(&bytes).to_vec());
    contents.text(path, bytes);
}

fn initramfs(sources: &Sources, board: &Board, names: &[(&str, String)]) -> Result<Contents> {
    let mut contents = Contents::new();
    for path in ["dev", "media", "new", "proc", "run", "sys"] {
        contents.directory(path);
    }
    contents.copy("bin/busybox", &sources.package("usr/bin/busybox"))?;
    for name in ["sh", "cttyhack", "setsid", "switch_root"] {
        contents.link(&format!("bin/{name}"), "/bin/busybox");
    }
    contents.fill_in(&Path::new(COMMON).join("initramfs"), names)?;
    let mut shared = Contents::new();
    shared.fill_in(&Path::new(COMMON).join("rootfs"), names)?;
    let finder = "usr/lib/twinslot/emmc.sh";
    contents.text(finder, shared.file(finder).with_context(|| finder.to_owned())?);
    let wanted = board.kernel.modules.iter().map(String::as_str);
    // crc32c is what ext4's checksums ask for by name.
    let wanted: Vec<&str> = wanted.chain(["crc32c_generic?", "ext4", "overlay"]).collect();
    initramfs::add_modules(&mut contents, &modules::load(&sources.modules()?, &wanted)?)?;
    Ok(contents)
}

/// What `@NAME@` stands for in board/common.
fn names(board: &Board, release: &str) -> Result<Vec<(&'static str, String)>> {
    let guid = |name| board.partition(name).map(|part| part_guid(board, &part.name).to_string());
    let number = |name| board.partition(name).map(|part| part.number.to_string());
    let [first, second] = board.environment.starts;
    Ok(vec![
        ("BOARD", board.name.clone()),
        ("CONTROLLER", board.emmc.controller.clone()),
        ("DEVICE_TYPE", board.device_type.clone()),
        ("ENV_BYTES", format!("{:#x}", board.environment.bytes)),
        ("ENV_FIRST", format!("{first:#x}")),
        ("ENV_SECOND", format!("{second:#x}")),
        ("HEALTH_TIMEOUT", HEALTH_TIMEOUT_SECONDS.to_string()),
        ("NUMBER_A", number("slot-a")?),
        ("NUMBER_B", number("slot-b")?),
        ("RELEASE", release.to_owned()),
        ("SLOT_A", guid("slot-a")?),
        ("SLOT_B", guid("slot-b")?),
        ("WATCHDOG", WATCHDOG_SECONDS.to_string()),
    ])
}

/// The PARTUUID of a partition.
pub(crate) fn part_guid(board: &Board, partition: &str) -> Guid {
    Guid::derived(&["partition", &board.name, partition])
}

/// Makes of a good release the bad one that is wanted.
fn spoil(contents: &mut Contents, variant: &Variant) -> Result<()> {
    let answer = "srv/stand-in/cgi-bin/health";
    let head = "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n";
    match variant.health {
        Health::Passes => {}
        Health::Fails => {
            contents.program(answer, format!("{head}echo 'ledger is of format 1, wanted 2'\n"));
        }
        Health::Hangs => contents.program(answer, format!("{head}sleep 86400\n")),
    }
    match variant.init {
        Init::Boots => {}
        Init::Waits => {
            let inittab = contents.file("etc/inittab").context("no inittab")?;
            let inittab = String::from_utf8(inittab.to_owned())?.replace("::once:", "::sysinit:");
            contents.text("etc/inittab", inittab);
        }
        Init::Hangs => {
            let script = "#!/bin/sh\necho TWINSLOT-INIT-HANGS\nwhile :; do sleep 3600; done\n";
            contents.program("sbin/init", script);
        }
        Init::Exits => contents.program("sbin/init", "#!/bin/sh\nexit 1\n"),
    }
    if variant.kernel == KernelImage::Corrupt {
        let kernel = contents.file("boot/Image.gz").context("no kernel")?;
        let mut kernel = kernel.to_owned();
        let middle = kernel.len() / 2;
        kernel[middle..middle + 64].fill(0);
        contents.text("boot/Image.gz", kernel);
    }
    if variant.root == Root::Overlay {
        contents.text("etc/twinslot/overlay", "");
    }
    if variant.settle == Settle::ByHand {
        contents.text("etc/twinslot/settle-by-hand", "");
    }
    Ok(())
}

//! What the board needs for this scenario alone: modules, `dmsetup`, and the scripts of
//! xtask/log-writes. Brought in one archive, and in no release.

use super::super::bench::Bench;
use super::super::medium::Medium;
use super::wreck::Disk;
use crate::rootfs::contents::Contents;
use crate::rootfs::sources::Sources;
use crate::rootfs::{initramfs, modules};
use anyhow::Result;
use std::fs;
use std::path::Path;

const SCRIPTS: &str = "xtask/log-writes";
const MODULES: [&str; 3] = ["loop", "dm-mod", "dm-log-writes"];
const LIBRARIES: [&str; 6] = [
    "libcap.so.2",
    "libdevmapper.so.1.02.1",
    "libm.so.6",
    "libpcre2-8.so.0",
    "libselinux.so.1",
    "libudev.so.1",
];
/// Places behind all partitions, beside those of releases: the archive's, and the log's.
const ARCHIVE: u64 = 10;
pub(super) const LOG: u64 = 11;

/// Unpacks it on the board, in /tmp/tools.
pub(super) fn bring(bench: &mut Bench<'_>, disk: &Disk) -> Result<()> {
    let sources = Sources::find()?;
    let mut tools = Contents::new();
    initramfs::add_modules(&mut tools, &modules::load(&sources.modules()?, &MODULES)?)?;
    tools.copy("dmsetup", &sources.package("usr/sbin/dmsetup"))?;
    for name in LIBRARIES {
        let from = sources.package(&format!("usr/lib/aarch64-linux-gnu/{name}"));
        tools.copy(&format!("lib/{name}"), &from)?;
    }
    let medium = bench.medium()?;
    tools.fill_in(Path::new(SCRIPTS), &names(bench, disk, Medium::stored(LOG)))?;
    let archive = bench.lab.directory.join("log-writes.cpio");
    fs::write(&archive, initramfs::archive(&tools)?)?;
    let (start_mib, bytes) = medium.store(ARCHIVE, &archive)?;
    fs::remove_file(archive)?;
    let read = format!("dd if=/dev/emmc bs=1M skip={start_mib} 2>/dev/null | head -c {bytes}");
    bench.ok(&format!("mkdir /tmp/tools && (cd /tmp/tools && {read} | cpio -id)")).map(drop)
}

/// What `@NAME@` stands for in the scripts.
fn names(bench: &Bench<'_>, disk: &Disk, log_start: u64) -> Vec<(&'static str, String)> {
    let environment = &bench.lab.board.environment;
    let [a, b] = &disk.slots;
    vec![
        ("COPY_0", format!("{:#x}", disk.copies[0].start)),
        ("COPY_1", format!("{:#x}", disk.copies[1].start)),
        ("DISK_BYTES", disk.bytes.to_string()),
        ("ENV_BYTES", format!("{:#x}", environment.bytes)),
        ("ENV_FIRST", format!("{:#x}", environment.starts[0])),
        ("ENV_SECOND", format!("{:#x}", environment.starts[1])),
        ("LOG_START", log_start.to_string()),
        ("NUMBER_A", a.number.to_string()),
        ("NUMBER_B", b.number.to_string()),
        ("SLOT_BYTES", a.place.len().to_string()),
        ("START_A", a.place.start.to_string()),
        ("START_B", b.place.start.to_string()),
    ]
}

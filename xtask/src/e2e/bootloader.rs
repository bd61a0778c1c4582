//! What U-Boot starts when what it should start is not there.

use super::bench::{Bench, must_say};
use super::lab::FACTORY;
use super::medium::{variable, writes};
use anyhow::{Result, ensure};

/// What the initramfs of the recovery partition says.
const RECOVERY: &str = "TWINSLOT-RECOVERY";

/// A settled slot does not load: the other one is started, named and kept, in one write.
pub(super) fn fallback(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    let before = bench.copies()?;
    bench.medium()?.spoil("slot-a")?;
    bench.boot()?.must_be("b", FACTORY)?;
    must_say(&bench.ok("cat /proc/cmdline")?, "twinslot.boot=fallback")?;
    bench.status(&[("booted", "b"), ("next", "b"), ("state", "settled")])?;
    let after = bench.copies()?;
    let count = writes(&before, &after)?;
    ensure!(count == 1, "falling back wrote the environment {count} times");
    bench.reboot()?.must_be("b", FACTORY)?;
    must_say(&bench.ok("cat /proc/cmdline")?, "twinslot.boot=settled")?;
    ensure!(after == bench.copies()?, "the next boot wrote to the environment");
    Ok(())
}

/// A trial does not load, the limit is not set, and the old slot is there.
pub(super) fn unlimited(bench: &mut Bench<'_>) -> Result<()> {
    bench.boot()?.must_be("a", FACTORY)?;
    bench.ok(
        "twinslot env set mender_boot_part=3 mender_boot_part_hex=3 upgrade_available=1 bootlimit=",
    )?;
    bench.reboot()?.must_be("a", FACTORY)?;
    must_say(&bench.ok("cat /proc/cmdline")?, "twinslot.boot=rollback")
}

/// Neither slot loads: recovery is started, and nothing is written.
pub(super) fn recovery(bench: &mut Bench<'_>) -> Result<()> {
    let before = bench.copies()?;
    bench.medium()?.spoil("slot-a")?;
    bench.start()?;
    let running = bench.running()?;
    running.expect("twinslot: loading slot recovery, recovery")?;
    running.expect(RECOVERY)?;
    bench.cut()?;
    ensure!(before == bench.copies()?, "starting recovery wrote to the environment");
    Ok(())
}

/// Both environment copies and slot a are lost: slot b, and an environment that says so.
pub(super) fn lost(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    let medium = bench.medium()?;
    medium.spoil_copy(0)?;
    medium.spoil_copy(1)?;
    medium.spoil("slot-a")?;
    bench.boot()?.must_be("b", FACTORY)?;
    bench.status(&[("booted", "b"), ("next", "b"), ("state", "settled")])?;
    let canary = variable(&bench.copies()?, "mender_saveenv_canary")?;
    ensure!(canary.as_deref() == Some("1"), "the canary is {canary:?}");
    Ok(())
}

/// The serial wraps from 255 to 0: U-Boot counts a trial, and reads what it wrote.
pub(super) fn serial_wraps(bench: &mut Bench<'_>) -> Result<()> {
    bench.start()?;
    let board = bench.running()?;
    board.stop_in_uboot()?;
    for save in 1..=256 {
        board.uboot(&format!("setenv e2e_save {save}"))?;
        must_say(&board.uboot("saveenv")?, "OK")?;
    }
    bench.cut()?;
    let saved = variable(&bench.copies()?, "e2e_save")?;
    ensure!(saved.as_deref() == Some("256"), "the newest save is {saved:?}");
    bench.boot()?.must_be("a", FACTORY)
}

/// The watchdog runs before the kernel does: one that hangs early comes back. Its two minutes are
/// made two seconds.
pub(super) fn watchdog(bench: &mut Bench<'_>) -> Result<()> {
    bench.start()?;
    let board = bench.running()?;
    board.stop_in_uboot()?;
    board.uboot("run board_prepare")?;
    board.uboot("setexpr.l first *0x4010020010; setexpr second ${first} + 4")?;
    board.uboot("setexpr reload ${first} + c")?;
    let unlock = "mw.w ${reload} 80; mw.w ${reload} 86";
    for write in ["mw.l ${first} 400", "mw.l ${second} 400", "mw.w ${reload} 100"] {
        board.uboot(&format!("{unlock}; {write}"))?;
    }
    bench.ready()?.must_be("a", FACTORY)
}

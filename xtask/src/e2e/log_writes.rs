//! The kernel's own account of what we write: the same binary on a disk below dm-log-writes, and
//! the log replayed here, write by write. Whatever of it is on the medium starts a whole system.

mod log;
mod tools;
mod wreck;

use super::bench::Bench;
use super::lab::{FACTORY, Release};
use super::medium::Medium;
use anyhow::Result;
use log::Log;
use tools::LOG;
use wreck::{Disk, Wrecks};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let slots = [bench.lab.factory_root()?, bench.lab.root(Release::Good)?];
    let wrecks = Wrecks::new(Disk::of(&bench.lab.board)?, &bench.copies()?, &slots)?;
    // The disk is a file in memory.
    bench.set_memory_mib(512);
    bench.boot()?.must_be("a", FACTORY)?;
    tools::bring(bench, &wrecks.disk)?;
    bench.ok("/tmp/tools/stack")?;
    let read = bench.store(Release::Good)?;
    let [a, b] =
        wrecks.disk.slots.each_ref().map(|slot| format!("/tmp/tools/within {}", slot.number));
    let install = format!("{read} | {a} install --progress none -");
    for (command, mark) in [
        (&install, "armed"),
        (&format!("{a} rollback"), "disarmed"),
        (&install, "armed"),
        // As U-Boot does before it starts a trial.
        (&format!("{b} env set bootcount=1"), "armed"),
        (&format!("{b} commit"), "committed"),
    ] {
        bench.ok(command)?;
        bench.ok(&format!("/tmp/tools/dm message disk 0 mark {mark}"))?;
    }
    bench.ok("/tmp/tools/unstack")?;
    bench.power_off()?;
    let medium = bench.medium()?;
    let entries = Log::at(medium.file(), Medium::stored(LOG)).entries()?;
    println!("e2e: log-writes: {}", wrecks.judge(&entries)?);
    Ok(())
}

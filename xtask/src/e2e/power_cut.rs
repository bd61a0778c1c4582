//! The power fails at seeded moments: the board then runs the old release or the new one, whole
//! and settled, and the next update goes as if nothing had been.

use super::bench::{Bench, Ready};
use super::data_partition;
use super::lab::{FACTORY, Release};
use anyhow::{Context, Result, bail, ensure};
use std::thread;
use std::time::Duration;

/// Moments in each of the two scenarios.
const CUTS: u32 = 10;

/// While an artifact is written, read back and armed.
pub(super) fn installing(bench: &mut Bench<'_>) -> Result<()> {
    let mut dice = Dice::of(bench.lab.seed);
    bench.fill_slot_b()?;
    let mut up = bench.boot()?;
    up.must_be("a", FACTORY)?;
    let owned = data_partition::owned(bench)?;
    for cut in 1..=CUTS {
        let release = other(&up.release);
        let read = bench.store(release)?;
        let phase = dice.one(["header", "write", "read-back", "arm"]);
        let wait = Duration::from_millis(u64::try_from(dice.below(1500))?);
        bench.begin(&format!("{read} | twinslot install --progress json -"))?;
        bench.running()?.expect(&format!("\"phase\":\"{phase}\""))?;
        thread::sleep(wait);
        let moment = format!("cut {cut} of {CUTS}: {} {wait:?} into {phase}", release.name());
        up = after(bench, &up, release).with_context(|| moment.clone())?;
        ensure!(data_partition::owned(bench)? == owned, "{moment}: the owner's files changed");
    }
    converge(bench, &up)
}

/// Between the reboot into a trial and its end.
pub(super) fn trying(bench: &mut Bench<'_>) -> Result<()> {
    let mut dice = Dice::of(bench.lab.seed ^ 0x5151);
    bench.fill_slot_b()?;
    let mut up = bench.boot()?;
    up.must_be("a", FACTORY)?;
    let owned = data_partition::owned(bench)?;
    for cut in 1..=CUTS {
        let release = other(&up.release);
        bench.install(release)?;
        let (begin, most_ms) = dice.one(MOMENTS);
        let wait = Duration::from_millis(u64::try_from(dice.below(most_ms))?);
        bench.running()?.send("reboot")?;
        bench.running()?.expect(begin)?;
        thread::sleep(wait);
        let moment = format!("cut {cut} of {CUTS}: {} {wait:?} behind {begin:?}", release.name());
        up = after(bench, &up, release).with_context(|| moment.clone())?;
        ensure!(data_partition::owned(bench)? == owned, "{moment}: the owner's files changed");
    }
    converge(bench, &up)
}

/// What a board says on its way through a trial, and for how long that may be looked at, in ms:
/// U-Boot counting and loading, the kernel, the boot service and `settle`.
const MOMENTS: [(&str, usize); 4] = [
    ("U-Boot 20", 1500),
    ("twinslot: loading slot", 3000),
    ("Booting Linux", 6000),
    ("Run /init as init process", 5000),
];

/// Cuts the power and looks at what comes up.
fn after(bench: &mut Bench<'_>, old: &Ready, new: Release) -> Result<Ready> {
    bench.cut()?;
    let up = bench.boot()?;
    ensure!(
        up.release == old.release || up.release == new.name(),
        "{} is up, neither {} nor {}",
        up.release,
        old.release,
        new.name()
    );
    ensure!((up.slot == old.slot) == (up.release == old.release), "{up:?} behind {old:?}");
    bench.status(&[
        ("booted", &up.slot),
        ("next", &up.slot),
        ("state", "settled"),
        ("artifact_name", &up.release),
    ])?;
    Ok(up)
}

/// An update that nothing interrupts.
fn converge(bench: &mut Bench<'_>, up: &Ready) -> Result<()> {
    let release = other(&up.release);
    bench.install(release)?;
    let slot = match up.slot.as_str() {
        "a" => "b",
        "b" => "a",
        slot => bail!("no slot is called {slot}"),
    };
    bench.reboot()?.must_be(slot, release.name())?;
    bench.status(&[("booted", slot), ("state", "settled")])?;
    bench.ok("twinslot env check").map(drop)
}

/// One that does not run.
fn other(release: &str) -> Release {
    if release == Release::Good.name() { Release::Next } else { Release::Good }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// One of them.
    pub(super) fn one<T: Copy, const N: usize>(&mut self, all: [T; N]) -> T {
        all[self.below(N)]
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(mixed % end).unwrap_or_default()
    }
}

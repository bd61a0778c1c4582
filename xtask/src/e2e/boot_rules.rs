//! Whether the model of U-Boot that starts the wrecks of tests/powercut.rs decides as U-Boot does:
//! both are given the same two copies of the environment, stale, torn and damaged ones among them.

#[expect(unreachable_pub, reason = "it is a module of tests/sim")]
#[path = "../../../tests/sim/uboot/rules.rs"]
mod rules;

use super::bench::Bench;
use super::medium::Copies;
use super::power_cut::Dice;
use anyhow::{Context, Result, ensure};
use rules::Loaded;
use std::collections::BTreeSet;

const ENVIRONMENTS: u32 = 40;
/// What U-Boot says before it reads a slot; by then it has saved what it counts.
const LOADING: &str = "twinslot: loading slot ";
const SECTOR_BYTES: usize = 512;
/// Beside those on both sides of the wrap.
const FLAGS: [u8; 6] = [0, 1, 127, 128, 254, 255];
/// What the model knows of.
const NAMES: [&str; 5] =
    ["mender_boot_part", "mender_boot_part_hex", "upgrade_available", "bootcount", "bootlimit"];

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    let deck = Deck::of(bench)?;
    let mut dice = Dice::of(bench.lab.seed ^ 0xb007);
    let mut seen = BTreeSet::new();
    for number in 1..=ENVIRONMENTS {
        let copies = deck.draw(&mut dice);
        let expected = Expected::of(&copies, deck.parts)?;
        held(bench, &copies, &expected)
            .with_context(|| format!("environment {number} of {ENVIRONMENTS}"))?;
        seen.insert(expected.says);
    }
    let all = ["a, rollback", "a, settled", "a, trial", "b, rollback", "b, settled", "b, trial"];
    ensure!(seen.iter().eq(all.iter()), "not all that may happen has: {seen:?}");
    Ok(())
}

/// The copy that counts.
fn load([first, second]: &Copies) -> Option<Loaded> {
    rules::load([first, second])
}

/// What environments are drawn from.
struct Deck {
    factory: Loaded,
    /// The numbers of the slots' partitions.
    parts: [u32; 2],
    copy_bytes: usize,
}

impl Deck {
    fn of(bench: &Bench<'_>) -> Result<Self> {
        let board = &bench.lab.board;
        let copies = bench.copies()?;
        Ok(Self {
            factory: load(&copies).context("the factory's environment is lost")?,
            parts: [board.partition("slot-a")?.number, board.partition("slot-b")?.number],
            copy_bytes: copies[0].len(),
        })
    }

    /// Two copies, no more than one of them damaged.
    fn draw(&self, dice: &mut Dice) -> Copies {
        let flags = dice.one(FLAGS);
        let flags = [flags, dice.one([flags.wrapping_add(1), flags.wrapping_sub(1), 0, flags])];
        let mut copies = flags.map(|flags| self.copy(dice, flags));
        damage(dice, &mut copies);
        copies
    }

    /// The factory's variables, but for those that decide.
    fn copy(&self, dice: &mut Dice, flags: u8) -> Vec<u8> {
        let mut loaded = self.factory.clone();
        let part = dice.one(self.parts);
        loaded.set("mender_boot_part", part);
        loaded.set("mender_boot_part_hex", part);
        loaded.set("upgrade_available", dice.below(2));
        loaded.set("bootcount", dice.below(3));
        loaded.set("bootlimit", dice.below(3));
        rules::export(&loaded.vars, flags, self.copy_bytes)
    }
}

/// Half of the time nothing; else a flipped bit, or a write that was cut off.
fn damage(dice: &mut Dice, copies: &mut Copies) {
    let [first, second] = copies;
    let (to, from) = if dice.below(2) == 0 { (first, second) } else { (second, first) };
    match dice.below(4) {
        0 => to[dice.below(100)] ^= 1,
        1 => {
            let end = SECTOR_BYTES * (1 + dice.below(7));
            to[..end].copy_from_slice(&from[..end]);
        }
        _ => {}
    }
}

/// What the model says of two copies.
struct Expected {
    says: String,
    /// What it saves to each.
    saves: [Option<Loaded>; 2],
}

impl Expected {
    fn of(copies: &Copies, parts: [u32; 2]) -> Result<Self> {
        let mut loaded = load(copies).context("both copies are lost")?;
        let tried = loaded.tries();
        let mut saves = [None, None];
        loaded.count_boot(parts, |loaded| saves[loaded.copy] = Some(loaded.clone()));
        let slot = if loaded.part() == Some(parts[0]) { "a" } else { "b" };
        let reason = match (tried, loaded.tries()) {
            (true, true) => "trial",
            (true, false) => "rollback",
            (false, _) => "settled",
        };
        Ok(Self { says: format!("{slot}, {reason}"), saves })
    }
}

/// Starts the board with these copies and compares what it does.
fn held(bench: &mut Bench<'_>, copies: &Copies, expected: &Expected) -> Result<()> {
    bench.medium()?.put_copies(copies)?;
    bench.start()?;
    let running = bench.running()?;
    running.expect(LOADING)?;
    let says = running.expect("\n")?;
    bench.cut()?;
    ensure!(says.trim() == expected.says, "U-Boot says {says:?}, the model {:?}", expected.says);
    let found = bench.copies()?;
    for ((put, found), save) in copies.iter().zip(&found).zip(&expected.saves) {
        match save {
            None => ensure!(put == found, "U-Boot wrote to a copy, and the model did not"),
            Some(save) => same(found, save)?,
        }
    }
    Ok(())
}

/// A copy holds what the model saved.
fn same(copy: &[u8], save: &Loaded) -> Result<()> {
    let found = rules::load([copy, copy]).context("U-Boot did not save what the model did")?;
    ensure!(found.flags == save.flags, "flags {}, the model's {}", found.flags, save.flags);
    for name in NAMES {
        let [found, wanted] = [&found, save].map(|loaded| loaded.vars.get(name));
        ensure!(found == wanted, "U-Boot saved {name}={found:?}, the model {wanted:?}");
    }
    Ok(())
}

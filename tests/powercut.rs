//! Power may fail at any moment, and again while recovering: the board starts the old system or
//! the new one, whole. The core that ships runs on a simulated board; a model of U-Boot boots what
//! every power cut leaves of it.
//!
//! `TWINSLOT_WRECKS` asks for as many wrecks in all, `TWINSLOT_SEED` for other ones.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim;

use sim::campaign::{Campaign, Effort};
use sim::judge::{Judge, Wish};
use sim::scene::{Plan, Scene, Spare};
use sim::tape::Deed;
use twinslot::memory::{BLOCK_BYTES, HEAD_BYTES};
use twinslot::slot::Slot;
use twinslot::stream::block::Unchanged;
use uboot_env::Which;

const SEED: u64 = 20_261_124;
/// How many tests share the number of wrecks that is asked for.
const SCENARIOS: u64 = 7;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Cuts the power everywhere, until there were as many wrecks as are asked for.
#[track_caller]
fn survive(name: &str, plan: Plan, (lives, wish): (&[&[Deed]], Wish)) {
    let seed = number("TWINSLOT_SEED").unwrap_or(SEED);
    let wanted = number("TWINSLOT_WRECKS").map_or(1, |all| all.div_ceil(SCENARIOS));
    let scene = Scene::new(plan);
    let effort = Effort { drawn: 3, second: 12, every: 16 };
    println!("{name}: seed {seed}");
    let mut campaign = Campaign::new(&scene, effort, seed);
    while campaign.tally().wrecks() < wanted {
        campaign.run(lives, wish);
    }
    println!("{name}: {}", campaign.tally());
}

#[test]
fn an_update_survives_power_cuts_from_its_first_step_to_its_commit() {
    let plan = Plan::default();
    let lives: [&[Deed]; 2] = [&[Deed::Install], &[Deed::Commit]];
    survive("install, commit", plan, (&lives, Wish::Update));
}

#[test]
fn a_trial_that_is_rolled_back_survives_power_cuts() {
    let plan = Plan {
        payload_bytes: 200_000,
        booted: Slot::B,
        flags: 254,
        copy: Which::Second,
        bootlimit: 2,
        ..Plan::default()
    };
    let lives: [&[Deed]; 3] = [&[Deed::Install], &[Deed::Rollback], &[]];
    survive("install, roll back", plan, (&lives, Wish::Refuse));
}

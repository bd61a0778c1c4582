//! Power may fail at any moment, and again while recovering: the board starts the old system or
//! the new one, whole. The core that ships runs on a simulated board, and a model of U-Boot boots
//! whatever a power cut leaves of it.
//!
//! `TWINSLOT_WRECKS` asks for so many wrecks in all, `TWINSLOT_SEED` for others; what was found
//! is printed (`-- --nocapture`).

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim;

use sim::artifact::{Artifact, DEVICE_TYPE, Signer256};
use sim::campaign::{Campaign, Effort, Second};
use sim::judge::{Judge, Wish};
use sim::loss::{self, Loss};
use sim::power::Power;
use sim::random::Random;
use sim::scene::{Plan, Scene, Spare};
use sim::shell::{Job, Shell};
use sim::store::{Place, Store};
use sim::tape::{Deed, Op};
use sim::uboot;
use twinslot::memory::{BLOCK_BYTES, HEAD_BYTES};
use twinslot::slot::Slot;
use twinslot::stream::block::Unchanged;
use uboot_env::Which;

const SEED: u64 = 20_261_124;
/// How many tests share the wrecks that are asked for.
const SCENARIOS: u64 = 9;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Cuts the power everywhere; where many wrecks are asked for, cuts every recovery everywhere as
/// well, and then draws until there were as many.
fn survive(name: &str, plan: Plan, (lives, wish): (&[&[Deed]], Wish)) {
    let seed = number("TWINSLOT_SEED").unwrap_or(SEED);
    let wanted = number("TWINSLOT_WRECKS").map(|all| all.div_ceil(SCENARIOS));
    let scene = Scene::new(plan);
    let drawn = Second::Drawn(32);
    let second = if wanted.is_some() { Second::Each } else { drawn };
    let mut campaign = Campaign::new(&scene, Effort { drawn: 8, second, every: 32 }, seed);
    println!("{name}: seed {seed}");
    campaign.run(lives, wish);
    campaign.look(drawn);
    while campaign.tally().wrecks() < wanted.unwrap_or_default() {
        campaign.run(lives, wish);
    }
    println!("{name}: {}", campaign.tally());
}

#[test]
fn an_update_survives_power_cuts_from_its_first_step_to_its_commit() {
    let lives: [&[Deed]; 2] = [&[Deed::Install], &[Deed::Commit]];
    survive("install, commit", Plan::default(), (&lives, Wish::Update));
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

#[test]
fn an_update_that_is_given_up_before_its_boot_survives_power_cuts() {
    let plan = Plan {
        payload_bytes: BLOCK_BYTES + 1,
        flags: 255,
        spare: Spare::Bad,
        bootlimit: 3,
        ..Plan::default()
    };
    let lives: [&[Deed]; 2] = [&[Deed::Install, Deed::Disarm], &[]];
    survive("install, disarm", plan, (&lives, Wish::Refuse));
}

#[test]
fn a_trial_that_nobody_commits_survives_power_cuts_on_its_way_back() {
    let plan = Plan {
        payload_bytes: 2 * BLOCK_BYTES,
        booted: Slot::B,
        unchanged: Unchanged::Rewrite,
        block_bytes: 4096,
        ..Plan::default()
    };
    let lives: [&[Deed]; 3] = [&[Deed::Install], &[], &[]];
    survive("install, fall back", plan, (&lives, Wish::Update));
}

#[test]
fn a_repaired_environment_survives_power_cuts() {
    let plan = Plan { payload_bytes: 100_001, flags: 0, spare: Spare::Bad, ..Plan::default() };
    let lives: [&[Deed]; 2] = [&[Deed::Repair, Deed::Install], &[Deed::Repair, Deed::Commit]];
    survive("repair, install, commit", plan, (&lives, Wish::Update));
}

#[test]
fn an_update_after_one_that_fell_back_survives_power_cuts() {
    let plan = Plan { payload_bytes: 150_000, flags: 250, ..Plan::default() };
    let lives: [&[Deed]; 5] = [&[Deed::Install], &[], &[], &[Deed::Install], &[Deed::Commit]];
    survive("install, fall back, install, commit", plan, (&lives, Wish::Update));
}

#[test]
fn an_update_of_whole_blocks_survives_power_cuts() {
    let plan = Plan {
        payload_bytes: BLOCK_BYTES,
        flags: 253,
        copy: Which::Second,
        unchanged: Unchanged::Rewrite,
        ..Plan::default()
    };
    let lives: [&[Deed]; 2] = [&[Deed::Install], &[Deed::Commit]];
    survive("install one block, commit", plan, (&lives, Wish::Update));
}

#[test]
fn an_update_that_goes_on_where_it_was_stopped_survives_power_cuts() {
    let plan = Plan { step_bytes: 1, grain_bytes: 1000, ..Plan::default() };
    let lives: [&[Deed]; 2] = [&[Deed::Install], &[Deed::Commit]];
    survive("install by checkpoints, commit", plan, (&lives, Wish::Update));
}

#[test]
fn an_update_that_goes_on_inside_of_a_block_survives_power_cuts() {
    let plan = Plan {
        payload_bytes: BLOCK_BYTES + 300_000,
        booted: Slot::B,
        unchanged: Unchanged::Rewrite,
        block_bytes: 4096,
        step_bytes: 1,
        grain_bytes: 777,
        ..Plan::default()
    };
    let lives: [&[Deed]; 2] = [&[Deed::Install], &[Deed::Commit]];
    survive("install by checkpoints inside of blocks, commit", plan, (&lives, Wish::Refuse));
}

/// The board whose power failed right after the checkpoint with this number.
fn stopped(scene: &Scene, number: usize) -> sim::board::Board {
    let judge = Judge::new(scene);
    let power = Power::on(&scene.board);
    let booted = judge.boot(&power, &scene.board).unwrap();
    Shell { power: &power, booted, job: &judge.job }.run(Deed::Install).unwrap();
    let tape = power.tape();
    let is_keep = |(_, op): &(usize, &Op)| matches!(op, Op::Keep(_));
    let (at, _) = tape.iter().enumerate().filter(is_keep).nth(number).unwrap();
    let cuts = loss::cuts(&scene.board, &tape, scene.parts);
    let cut = cuts.iter().find(|cut| cut.at > at).unwrap();
    cut.wreck(Loss::All)
}

#[test]
fn what_a_stopped_update_left_in_the_slot_is_neither_fetched_nor_written_again() {
    let scene = Scene::new(Plan { step_bytes: 1, grain_bytes: 1000, ..Plan::default() });
    let judge = Judge::new(&scene);
    let board = stopped(&scene, 1);
    let power = Power::on(&board);
    let booted = judge.boot(&power, &board).unwrap();
    Shell { power: &power, booted, job: &judge.job }.run(Deed::Install).unwrap();
    let tape = power.tape();
    let begun = tape.iter().position(|op| op.to_string() == "forget b").unwrap();
    let armed = tape.iter().position(|op| op.to_string() == "remember b").unwrap();
    let steps: Vec<String> = tape[begun..=armed].iter().map(Op::to_string).collect();
    assert_eq!(steps, RESUMED);
    assert!(power.content(Place::Slot(scene.target())).same(&scene.installed));
    // The last whole thousand of what two blocks and the archive's header have, less the header
    // and the head.
    let at = (2 * BLOCK_BYTES + 512) / 1000 * 1000 - 512;
    assert_eq!(power.resumed_bytes(), u64::try_from(at - HEAD_BYTES).unwrap());
}

const RESUMED: &[&str] = &[
    "forget b",
    "zero slot b 0+131072",
    "flush slot b",
    // What is behind the head is digested from the medium, and compared with the checkpoint. Only
    // then is anything of the artifact passed over.
    "read slot b 131072+1048576",
    "read slot b 1179648+916480",
    "read slot b 2059264+37376",
    "read slot b 2096128+1024",
    // What is fetched is compared and put as ever, from the block of the device on that the
    // checkpoint is in; the first transfer is short, and was there already.
    "read slot b 2166784+512",
    "read slot b 2097152+4096",
    "write slot b 2097152+70144",
    "flush slot b",
    "keep checkpoint",
    "flush slot b",
    "read slot b 131072+1048576",
    "read slot b 1179648+987648",
    "write slot b 0+131072",
    "flush slot b",
    "read slot b 0+131072",
    "discard checkpoint",
    "remember b",
];

/// The board after `deeds`, and what runs on it once it has booted.
fn booted_after(judge: &Judge<'_>, deeds: &[Deed]) -> (sim::board::Board, Slot, Power) {
    let power = Power::on(&judge.scene.board);
    let booted = judge.boot(&power, &judge.scene.board).unwrap();
    for deed in deeds {
        Shell { power: &power, booted, job: &judge.job }.run(*deed).unwrap();
    }
    let board = loss::end(&judge.scene.board, &power.tape(), judge.scene.parts);
    let power = Power::on(&board);
    let booted = judge.boot(&power, &board).unwrap();
    (board, booted, power)
}

#[test]
fn the_steps_of_an_update_are_in_the_order_that_the_promise_rests_on() {
    let scene = Scene::new(Plan::default());
    let judge = Judge::new(&scene);
    let power = Power::on(&scene.board);
    let booted = judge.boot(&power, &scene.board).unwrap();
    Shell { power: &power, booted, job: &judge.job }.run(Deed::Install).unwrap();
    let steps: Vec<String> = power.tape().iter().map(Op::to_string).collect();
    assert_eq!(steps, INSTALL);
    assert!(power.content(Place::Slot(scene.target())).same(&scene.installed));
}

#[test]
fn the_bytes_behind_a_payload_of_any_length_stay() {
    for (payload_bytes, block_bytes) in
        [(5000, 512), (5000, 4096), (131_000, 4096), (131_073, 512), (BLOCK_BYTES - 1, 4096)]
    {
        let scene = Scene::new(Plan { payload_bytes, block_bytes, ..Plan::default() });
        let judge = Judge::new(&scene);
        let power = Power::on(&scene.board);
        let (booted, job) = (scene.home(), &judge.job);
        Shell { power: &power, booted, job }.run(Deed::Install).unwrap();
        assert!(power.content(Place::Slot(scene.target())).same(&scene.installed));
    }
}

const INSTALL: &[&str] = &[
    "begin Install",
    // What the environment says is on the medium for good before anything is built on it.
    "read env first 0+4096",
    "read env second 0+4096",
    "flush env first",
    "flush env second",
    "read env first 0+4096",
    "read env second 0+4096",
    // Again when the artifact is known to be one: it may have come slowly.
    "flush env first",
    "flush env second",
    "read env first 0+4096",
    "read env second 0+4096",
    "record started",
    "forget b",
    // From here the slot cannot be started.
    "zero slot b 0+131072",
    "flush slot b",
    // The payload behind the head; the second transfer is what the slot holds already. The others
    // differ in their first 4 KiB, and the rest of what they replace is not read.
    "read slot b 131072+4096",
    "write slot b 131072+917504",
    "read slot b 1048576+4096",
    "read slot b 1052672+1044480",
    "read slot b 2166784+512",
    "read slot b 2097152+4096",
    "write slot b 2097152+70144",
    "flush slot b",
    // It is read back before the head makes it a system.
    "read slot b 131072+1048576",
    "read slot b 1179648+987648",
    "write slot b 0+131072",
    "flush slot b",
    "read slot b 0+131072",
    "remember b",
    // Only now is the boot loader told.
    "flush env first",
    "flush env second",
    "read env first 0+4096",
    "read env second 0+4096",
    "record armed",
    "write env second 0+4096",
    "flush env second",
    "read env first 0+4096",
    "read env second 0+4096",
    "said Install",
];

#[test]
fn the_steps_of_a_commit_are_in_order() {
    let scene = Scene::new(Plan::default());
    let judge = Judge::new(&scene);
    let (_, booted, power) = booted_after(&judge, &[Deed::Install]);
    Shell { power: &power, booted, job: &judge.job }.run(Deed::Commit).unwrap();
    let steps: Vec<String> = power.tape().iter().map(Op::to_string).collect();
    assert_eq!(steps, COMMIT);
}

const COMMIT: &[&str] = &[
    // U-Boot counts the boot.
    "write env first 0+4096",
    "flush env first",
    "begin Commit",
    "read env first 0+4096",
    "read env second 0+4096",
    "flush env first",
    "flush env second",
    "read env first 0+4096",
    "read env second 0+4096",
    // Again under the lock that is kept until the end.
    "flush env first",
    "flush env second",
    "read env first 0+4096",
    "read env second 0+4096",
    "write env second 0+4096",
    "flush env second",
    "read env first 0+4096",
    "read env second 0+4096",
    "record committed",
    "said Commit",
];

/// The running system is the one that was committed, so to U-Boot it must be that before the
/// other slot, its way back, is destroyed.
#[test]
fn a_commit_that_was_killed_is_durable_before_the_next_update_writes_the_other_slot() {
    let scene = Scene::new(Plan::default());
    let judge = Judge::new(&scene);
    let (board, booted, power) = booted_after(&judge, &[Deed::Install]);
    Shell { power: &power, booted, job: &judge.job }.run(Deed::Commit).unwrap();
    let payload = Random::new(3).bytes(300_000);
    let mut third = scene.before(scene.home()).bytes();
    third[..payload.len()].copy_from_slice(&payload);
    let third = Store::new(&third);
    let artifact = Artifact::new(&payload, DEVICE_TYPE, Signer256::Owner).bytes();
    let job = Job { artifact: &artifact, ..scene.job() };
    let starts = |slot, content: &Store| {
        scene.starts(slot, content) || (slot == scene.home() && content.same(&third))
    };
    for kill in loss::cuts(&board, &power.tape(), scene.parts) {
        let killed = kill.killed(Loss::Nothing);
        let power = Power::on(&killed);
        // On trial still, it says so and does nothing.
        let _ = Shell { power: &power, booted, job: &job }.run(Deed::Install);
        for cut in loss::cuts(&killed, &power.tape(), scene.parts) {
            for loss in cut.losses(2, &mut Random::new(1)) {
                let wreck = Power::on(&cut.wreck(loss));
                let found = uboot::boot(&wreck, scene.parts, starts);
                assert!(found.is_ok(), "{found:?}: killed at {}, {loss:?} at {}", kill.at, cut.at);
                assert!(scene.starts(booted, &wreck.content(Place::Slot(booted))));
            }
        }
    }
}

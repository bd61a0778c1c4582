//! Good artifacts on boards whose environment cannot be trusted with the switch: refused in one
//! sentence before the first write, or at the last step, and never half armed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::kept;
use board::environment::{OFFSETS, config_text};
use board::failing_medium::FailingMedium;
use board::plan::{Layout, Plan};
use board::refuser::{refuse, refuse_early};
use board::slot::Slot;
use board::tools::{must, program, text};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::path::Path;
use tempfile::TempDir;

const ARTIFACT: &str = "v3.9-gzip-p256.mender";

fn board() -> Board {
    Board::new(Plan::default())
}

/// Refused with this text for fw_env.config.
#[track_caller]
fn refuse_with(board: &Board, text: &str, expected: (i32, &str)) -> String {
    let path = board.put("fw_env.config", text.as_bytes());
    let config = board.config_with("FwEnvConfig", path);
    refuse_early(board, &["--config", &config], expected)
}

#[test]
fn an_environment_that_is_not_there_is_named_and_not_made() {
    let board = board();
    let missing = Path::new("/dev/twinslot-no-such-disk");
    let text = config_text(missing, 0x8000);
    let message = refuse_with(&board, &text, (74, "environment-unreadable"));
    assert!(message.contains("twinslot-no-such-disk"), "{message}");
    assert!(!missing.exists(), "a regular file was made on /dev");
    let disk = board.environment.device().display().to_string();
    let text = format!("{disk} 0x40000000 0x8000\n{disk} 0x40008000 0x8000\n");
    let message = refuse_with(&board, &text, (64, "environment-configuration"));
    assert!(message.contains(&disk), "beyond the end: {message}");
}

#[test]
fn an_environment_without_a_configuration_is_refused() {
    let board = board();
    let config = board.config_with("FwEnvConfig", "/made/none.config");
    refuse_early(&board, &["--config", &config], (64, "environment-configuration"));
    for text in ["", "# nothing\n", "/dev/null\n", "one two three\n", "/dev/x 0x0 0x2\n"] {
        refuse_with(&board, text, (64, "environment-configuration"));
    }
}

#[test]
fn an_environment_whose_medium_fails_is_unreadable() {
    let directory = TempDir::new().unwrap();
    let image = directory.path().join("env.img");
    File::create(&image).unwrap().set_len(12 << 20).unwrap();
    let plan = Plan { layout: Layout::WholeLoops, ..Plan::default() };
    let board = Board::new(Plan { environment_image: Some(image.clone()), ..plan });
    let path = board.lend(&kept(ARTIFACT));
    // From now on the medium ends before both copies, and the caches forget them.
    OpenOptions::new().write(true).open(&image).unwrap().set_len(1 << 20).unwrap();
    must(&mut program("blockdev", &["--flushbufs", text(board.environment.device())]));
    let slots = [Slot::A, Slot::B].map(|slot| board.slot_bytes(slot));
    let outcome = board.twinslot(&["install", "--progress", "json", &path]);
    outcome.expect(74);
    assert_eq!(outcome.error_code(), "environment-unreadable", "{outcome}");
    let after = [Slot::A, Slot::B].map(|slot| board.slot_bytes(slot));
    assert!(after == slots, "a slot was written");
}

#[test]
fn an_environment_that_cannot_be_written_is_never_half_armed() {
    // Copy 1 alone is whole, so copy 0 is the one to write: and just that one fails.
    let hole = usize::try_from(OFFSETS[0]).unwrap();
    let medium = FailingMedium::new(&vec![0; 12 << 20], hole, 0x8000);
    let plan = Plan { layout: Layout::WholeLoops, one_copy: Some(1), ..Plan::default() };
    let board = Board::new(Plan { environment_image: Some(medium.image.clone()), ..plan });
    let outcome = refuse(&board, &[], "the environment cannot be written");
    outcome.expect(74);
    assert_eq!(outcome.error_code(), "environment-io", "{outcome}");
}

#[test]
fn two_bad_copies_are_both_named_and_no_default_is_invented() {
    let board = board();
    for copy in [0, 1] {
        board.environment.damage(copy, 100, b"\xFF\x00\xFF");
    }
    let message = refuse_early(&board, &[], (74, "environment-bad")).to_lowercase();
    assert!(message.contains("first") && message.contains("second"), "names both: {message}");
}

#[test]
fn one_bad_copy_is_no_obstacle() {
    for copy in [0, 1] {
        let board = board();
        board.environment.damage(copy, 100, b"\xFF\x00\xFF");
        let path = board.lend(&kept(ARTIFACT));
        board.twinslot(&["install", &path]).expect(0);
        board.assert_armed(Slot::B);
    }
}

#[test]
fn an_environment_that_names_another_slot_than_runs_is_a_disagreement() {
    let board = board();
    for part in ["3", "7"] {
        board.environment.set(&[("mender_boot_part", part), ("mender_boot_part_hex", part)]);
        let message = refuse_early(&board, &[], (74, "environment-disagrees"));
        assert!(part == "3" || message.contains(part), "{message}");
    }
}

#[test]
fn a_boot_loader_that_never_saved_its_canary_is_not_trusted() {
    let mut plan = Plan::default();
    plan.variables.remove("mender_saveenv_canary");
    refuse_early(&Board::new(plan), &[], (74, "environment-canary"));
}

#[test]
fn a_boot_loader_without_a_canary_is_taken_at_its_word() {
    let mut plan = Plan::default();
    plan.variables.retain(|name, _| !name.contains("canary"));
    let board = Board::new(plan);
    let path = board.lend(&kept(ARTIFACT));
    board.twinslot(&["install", &path]).expect(0);
    board.assert_armed(Slot::B);
}

#[test]
fn an_environment_that_another_tool_holds_for_long_is_locked() {
    for name in ["run/fw_printenv.lock", "run/lock/fw_printenv.lock"] {
        let board = board();
        let file = File::create(board.root().join(name)).unwrap();
        let held = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
        refuse_early(&board, &[], (74, "environment-locked"));
        drop(held);
        let path = board.lend(&kept(ARTIFACT));
        board.twinslot(&["install", &path]).expect(0);
    }
}

#[test]
fn an_environment_that_lacks_a_variable_or_has_no_number_there_is_incomplete() {
    for value in ["", "two", "-2", "2 3"] {
        let board = board();
        board.environment.set(&[("mender_boot_part", value)]);
        let message = refuse_early(&board, &[], (74, "environment-incomplete"));
        assert!(message.contains("mender_boot_part"), "{message}");
    }
}

#[test]
fn an_environment_without_room_for_the_switch_is_full_and_stays_as_it_is() {
    let mut plan = Plan::default();
    let own: usize = plan.variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let four = "mender_boot_part=2 mender_boot_part_hex=2 upgrade_available=0 bootcount=0 ".len();
    let filler = 0x8000 - 5 - own - four - "filler= ".len() - 1;
    plan.variables.insert("filler".to_owned(), "x".repeat(filler));
    let board = Board::new(plan);
    // Arming sets it again, for which there are now too few bytes.
    board.environment.set(&[("bootcount", ""), ("x", "y")]);
    let outcome = refuse(&board, &[], "full");
    outcome.expect(74);
    assert_eq!(outcome.error_code(), "environment-full", "{outcome}");
}

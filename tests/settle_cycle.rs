//! What follows an installation: the trial, and how it is kept or given up.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::kept;
use board::plan::{Plan, Userland};
use board::slot::Slot;
use serde_json::Value;

/// A board with release-2 armed in slot b.
fn armed() -> Board {
    let board = Board::new(Plan::default());
    let path = board.lend(&kept("v3.9-gzip-p256.mender"));
    board.twinslot(&["install", &path]).expect(0);
    board
}

/// The same, booted into release-2.
fn on_trial() -> Board {
    let mut board = armed();
    assert_eq!(board.reboot(), Slot::B);
    assert_eq!(board.environment.get("bootcount"), "1");
    board
}

#[track_caller]
fn status(board: &Board) -> Value {
    board.twinslot(&["status", "--json"]).expect(0).json()
}

#[test]
fn status_tells_settled_armed_and_trial_apart() {
    let fresh = status(&Board::new(Plan::default()));
    assert_eq!(
        [&fresh["booted"], &fresh["next"], &fresh["state"], &fresh["artifact_name"]],
        ["a", "a", "settled", "release-1"]
    );
    assert_eq!(fresh["device_type"], "rockpro64");
    assert_eq!(fresh["last"]["outcome"], "none");
    assert_eq!(fresh["emmc"], Value::Null);
    let armed = status(&armed());
    assert_eq!([&armed["booted"], &armed["next"], &armed["state"]], ["a", "b", "armed"]);
    let trial = status(&on_trial());
    assert_eq!([&trial["booted"], &trial["next"], &trial["state"]], ["b", "b", "trial"]);
}

#[test]
fn status_tells_slots_environment_copies_and_keys() {
    let board = Board::new(Plan::default());
    let status = status(&board);
    for (slot, name) in [(Slot::A, "a"), (Slot::B, "b")] {
        let place = board.place(slot);
        assert_eq!(status["slots"][name]["device"], place.device.to_str().unwrap());
        assert_eq!(status["slots"][name]["bytes"], place.bytes);
    }
    assert_eq!(status["slots"]["a"]["artifact_name"], "release-1");
    assert_eq!(status["slots"]["b"]["artifact_name"], Value::Null);
    let environment = &status["environment"];
    assert_eq!(environment["copies"].as_array().unwrap().len(), 2);
    assert_eq!(environment["copies"][0]["valid"], true);
    assert_eq!([&environment["bootcount"], &environment["bootlimit"]], [0, 1]);
    let key = &status["trust"]["keys"][0];
    assert_eq!(key["id"].as_str().unwrap(), key_id(), "SHA-256 of the DER public key");
    assert_eq!(key["origin"], "config");
    assert_eq!(status["trust"]["custom_images"], false);
}

fn key_id() -> String {
    let pem = kept("p256.pub");
    let pem = pem.to_str().unwrap();
    let der =
        board::forge::pipe(&["openssl", "pkey", "-pubin", "-in", pem, "-outform", "DER"], b"");
    board::forge::digest(&der)
}

#[test]
fn a_commit_keeps_the_trial() {
    let mut board = on_trial();
    board.twinslot(&["commit"]).expect(0);
    board.assert_settled(Slot::B);
    assert_eq!(board.twinslot(&["show-artifact"]).expect(0).stdout, "release-2\n");
    let status = status(&board);
    assert_eq!([&status["booted"], &status["next"], &status["state"]], ["b", "b", "settled"]);
    assert_eq!(
        [&status["last"]["outcome"], &status["last"]["artifact_name"]],
        ["committed", "release-2"]
    );
    assert_eq!(board.reboot(), Slot::B);
    board.twinslot(&["commit"]).expect(2);
}

#[test]
fn provides_are_shown_as_mender_shows_them() {
    let ours = on_trial();
    ours.twinslot(&["commit"]).expect(0);
    let mut theirs = Board::new(Plan { userland: Userland::Debian, ..Plan::default() });
    let path = theirs.lend(&kept("v3.9-gzip-p256.mender"));
    theirs.mender(&["install", &path]).expect(0);
    theirs.reboot();
    theirs.mender(&["commit"]).expect(0);
    let [ours, theirs] = [
        ours.twinslot(&["show-provides"]).expect(0).stdout.clone(),
        theirs.mender(&["show-provides"]).expect(0).stdout.clone(),
    ];
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&ours), sorted(&theirs));
}

#[test]
fn the_name_of_a_fresh_slot_is_that_of_its_artifact_info() {
    let board = Board::new(Plan::default());
    assert_eq!(board.twinslot(&["show-artifact"]).expect(0).stdout, "release-1\n");
}

#[test]
fn a_rollback_gives_up_the_trial() {
    let mut board = on_trial();
    board.twinslot(&["rollback"]).expect(0);
    board.assert_settled(Slot::A);
    assert_eq!(board.reboot(), Slot::A);
    let status = status(&board);
    assert_eq!([&status["booted"], &status["state"]], ["a", "settled"]);
    assert_eq!(status["artifact_name"], "release-1");
    assert_eq!(
        [&status["last"]["outcome"], &status["last"]["artifact_name"]],
        ["rolled-back", "release-2"]
    );
    let why = board.twinslot(&["why"]).expect(0).stdout.clone();
    assert!(why.contains("release-2"), "{why}");
}

#[test]
fn a_rollback_before_the_reboot_disarms() {
    let mut board = armed();
    board.twinslot(&["rollback"]).expect(0);
    board.assert_settled(Slot::A);
    assert_eq!(board.reboot(), Slot::A);
    assert_eq!(status(&board)["state"], "settled");
    let path = board.lend(&kept("v3.9-none-p256.mender"));
    board.twinslot(&["install", &path]).expect(0);
    board.assert_armed(Slot::B);
}

#[test]
fn a_commit_before_the_reboot_is_refused_and_changes_nothing() {
    let board = armed();
    let before = board.snapshot();
    let refused = board.twinslot(&["--progress", "json", "commit"]);
    assert_eq!((refused.code, &refused.error_code()[..]), (5, "not-on-trial"), "{refused}");
    board.assert_untouched(&before, "commit while armed");
    board.assert_armed(Slot::B);
    assert_eq!(board.twinslot(&["show-artifact"]).expect(0).stdout, "release-1\n");
}

#[test]
fn with_nothing_in_progress_commit_and_rollback_say_so() {
    let board = Board::new(Plan::default());
    let before = board.snapshot();
    for verb in ["commit", "rollback"] {
        let refused = board.twinslot(&["--progress", "json", verb]);
        assert_eq!((refused.code, &refused.error_code()[..]), (2, "nothing-in-progress"));
        board.assert_untouched(&before, verb);
    }
}

#[test]
fn a_fall_back_by_the_boot_loader_is_told_with_its_reason() {
    let mut board = on_trial();
    assert_eq!(board.reboot(), Slot::A, "the second boot of a trial goes back");
    board.assert_settled(Slot::A);
    let outcome = board.twinslot(&["why", "--last"]);
    let why = outcome.expect(0).stdout.to_lowercase();
    assert!(why.contains("release-2") && why.contains("boot"), "{outcome}");
    let status = status(&board);
    assert_eq!(status["last"]["outcome"], "rolled-back", "{status}");
    assert!(status["last"]["reason"].is_string(), "{status}");
    board.twinslot(&["commit"]).expect(2);
    let path = board.lend(&kept("v3.9-none-p256.mender"));
    board.twinslot(&["install", &path]).expect(0);
}

#[test]
fn a_refused_artifact_is_in_the_journal_with_its_reason() {
    let board = Board::new(Plan::default());
    let path = board.lend(&kept("v3.9-gzip-unsigned.mender"));
    board.twinslot(&["install", &path]).expect(77);
    let why = board.twinslot(&["why", "--last"]).expect(0).stdout.to_lowercase();
    assert!(why.contains("sign"), "{why}");
    assert_eq!(status(&board)["last"]["outcome"], "failed");
}

#[test]
fn the_journal_outlives_committed_and_given_up_systems() {
    let mut board = on_trial();
    board.twinslot(&["commit"]).expect(0);
    let path = board.lend(&kept("v3.9-none-p256.mender"));
    board.twinslot(&["install", &path]).expect(0);
    assert_eq!([board.reboot(), board.reboot()], [Slot::A, Slot::B]);
    let why = board.twinslot(&["why"]).expect(0).stdout.to_lowercase();
    assert!(why.contains("commit") && why.contains("boot"), "{why}");
    assert_eq!(board.twinslot(&["show-artifact"]).expect(0).stdout, "release-2\n");
}

#[test]
fn a_whole_life_of_updates_alternates_slots() {
    let mut board = Board::new(Plan::default());
    let path = board.lend(&kept("v4.4-zstd_best-p256.mender"));
    for slot in [Slot::B, Slot::A, Slot::B, Slot::A] {
        board.twinslot(&["install", &path]).expect(0);
        assert_eq!(board.reboot(), slot);
        board.twinslot(&["commit"]).expect(0);
        board.assert_settled(slot);
    }
}

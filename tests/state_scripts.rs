//! State scripts of the artifact and of the running system: in which order they run, and what
//! follows when one fails. The artifacts are mender-artifact's.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::{self, kept};
use board::daemon::Daemon;
use board::forge::Forge;
use board::programs::{board, data, program, text, why};
use board::slot::Slot;
use serde_json::json;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

/// Every moment at which an artifact's script may run.
const MOMENTS: [&str; 13] = [
    "ArtifactInstall_Enter",
    "ArtifactInstall_Leave",
    "ArtifactInstall_Error",
    "ArtifactReboot_Enter",
    "ArtifactReboot_Leave",
    "ArtifactReboot_Error",
    "ArtifactCommit_Enter",
    "ArtifactCommit_Leave",
    "ArtifactCommit_Error",
    "ArtifactRollback_Enter",
    "ArtifactRollback_Leave",
    "ArtifactFailure_Enter",
    "ArtifactFailure_Leave",
];

const REBOOTS: [&str; 2] = ["ArtifactRollbackReboot_Enter", "ArtifactRollbackReboot_Leave"];

/// An artifact with a script at every moment; those of `bodies` do something. Its path on the
/// board.
fn artifact(board: &Board, bodies: &[(&str, &str)]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut arguments = vec!["-n".to_owned(), "release-2".to_owned()];
    for moment in MOMENTS.iter().chain(&REBOOTS) {
        let body = bodies.iter().find(|(name, _)| name == moment).map_or("", |(_, body)| body);
        let path = directory.path().join(format!("{moment}_00"));
        fs::write(&path, text(moment, body)).unwrap();
        arguments.extend(["-s".to_owned(), path.to_str().unwrap().to_owned()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let made = directory.path().join("scripts.mender");
    artifacts::write(&made, &kept("rootfs.ext4"), &arguments);
    board.lend(&made)
}

/// What ran since the last time, in order, and what is to.
#[track_caller]
fn assert_told(board: &Board, expected: &[&str]) {
    let path = data(board, "told");
    let told = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

#[track_caller]
fn assert_no_scripts(board: &Board) {
    for slot in ["a", "b"] {
        assert!(!data(board, &format!("twinslot/scripts-{slot}")).exists(), "slot {slot}");
    }
}

/// A board on trial of an artifact with these scripts.
fn on_trial(bodies: &[(&str, &str)]) -> Board {
    let mut board = board(json!({}));
    let path = artifact(&board, bodies);
    board.twinslot(&["install", &path]).expect(0);
    assert_eq!(board.reboot(), Slot::B);
    fs::remove_file(data(&board, "told")).unwrap();
    board
}

const INSTALLED: [&str; 4] =
    ["Download_Enter", "Download_Leave", "ArtifactInstall_Enter", "ArtifactInstall_Leave"];

const INSTALL_FAILED: [&str; 5] = [
    "ArtifactInstall_Error",
    "ArtifactRollback_Enter",
    "ArtifactRollback_Leave",
    "ArtifactFailure_Enter",
    "ArtifactFailure_Leave",
];

#[test]
fn an_update_that_is_kept_runs_its_scripts_in_menders_order() {
    let mut board = board(json!({}));
    let path = artifact(&board, &[("ArtifactInstall_Enter", "echo stopping the application")]);
    board.twinslot(&["install", &path]).expect(0);
    assert_told(&board, &INSTALLED);
    let why = why(&board);
    assert!(why.contains("state script ArtifactInstall_Enter_00 passed"), "{why}");
    assert!(why.contains("stopping the application"), "{why}");
    let place = fs::metadata(data(&board, "twinslot/scripts-b")).unwrap();
    assert_eq!(place.permissions().mode() & 0o777, 0o700);
    assert_eq!(board.reboot(), Slot::B);
    board.twinslot(&["settle"]).expect(0);
    board.assert_settled(Slot::B);
    assert_told(&board, &["ArtifactReboot_Leave", "ArtifactCommit_Enter", "ArtifactCommit_Leave"]);
    assert_no_scripts(&board);
    board.twinslot(&["settle"]).expect(0);
    assert_told(&board, &[]);
    assert_eq!(board.twinslot(&["show-artifact"]).expect(0).stdout, "release-2\n");
}

#[test]
fn a_commit_by_hand_runs_the_scripts_too() {
    let board = on_trial(&[("ArtifactCommit_Leave", "exit 1")]);
    board.twinslot(&["commit"]).expect(0);
    board.assert_settled(Slot::B);
    assert_told(&board, &["ArtifactReboot_Leave", "ArtifactCommit_Enter", "ArtifactCommit_Leave"]);
    assert_no_scripts(&board);
    assert!(why(&board).contains("ArtifactCommit_Leave_00 failed"));
}

#[test]
fn a_script_that_refuses_the_download_is_asked_before_a_byte_is_read() {
    let board = board(json!({}));
    program(&board, "scripts/Download_Enter_00", "echo not now; exit 1");
    let before = board.snapshot();
    // Nothing is read: there is nothing there.
    let refused = board.run_fed(&["twinslot", "install", "-", "--json"], Vec::new());
    assert_eq!(refused.expect(1).json()["error"]["code"], "state-script-failed", "{refused}");
    board.assert_untouched(&before, "a download refused");
    assert_told(&board, &["Download_Enter", "Download_Error"]);
}

#[test]
fn a_download_that_fails_is_told_to_the_running_system_and_runs_nothing_of_the_artifact() {
    let board = board(json!({}));
    let path = artifact(&board, &[]);
    let whole = fs::read(board.made("scripts.mender")).unwrap();
    // Cut in the payload: the header was whole.
    board.put("scripts.mender", &whole[..whole.len() - 4096]);
    board.twinslot(&["install", &path]).expect(65);
    assert_told(&board, &["Download_Enter", "Download_Error"]);
    board.twinslot(&["settle"]).expect(0);
    assert_told(&board, &[]);
    assert_no_scripts(&board);
}

#[test]
fn a_failure_before_arming_arms_nothing() {
    let board = board(json!({}));
    let path = artifact(&board, &[("ArtifactInstall_Enter", "echo busy; exit 7")]);
    let before = board.snapshot();
    let refused = board.twinslot(&["install", &path, "--json"]);
    let error = &refused.expect(1).json()["error"];
    assert_eq!(error["code"], "state-script-failed", "{refused}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("ArtifactInstall_Enter_00 failed: exit code 7: busy"), "{message}");
    board.assert_untouched(&before, "ArtifactInstall_Enter");
    assert_told(&board, &[&INSTALLED[..3], &INSTALL_FAILED].concat());
    assert_no_scripts(&board);
    let last = board.twinslot(&["why", "--last"]).expect(0).stdout.clone();
    assert!(last.contains("failed release-2") && last.contains("busy"), "{last}");
}

#[test]
fn a_failure_after_arming_disarms() {
    let board = board(json!({}));
    let path = artifact(&board, &[("ArtifactInstall_Leave", "exit 1")]);
    board.twinslot(&["install", &path]).expect(1);
    board.assert_settled(Slot::A);
    assert_told(&board, &[&INSTALLED[..], &INSTALL_FAILED].concat());
    assert_no_scripts(&board);
    let last = board.twinslot(&["why", "--last"]).expect(0).stdout.clone();
    assert!(last.contains("rolled-back release-2: state script"), "{last}");
}

#[test]
fn a_script_may_ask_for_time_but_not_for_ever() {
    let board = board(json!({}));
    let twice = "test $(grep -c Install_Enter /data/told) -gt 1 || exit 21";
    let path = artifact(&board, &[("ArtifactInstall_Enter", twice)]);
    board.twinslot(&["install", &path]).expect(0);
    let again = [&INSTALLED[..3], &INSTALLED[2..]].concat();
    assert_told(&board, &again);
    board.twinslot(&["rollback"]).expect(0);
    let path = artifact(&board, &[("ArtifactInstall_Enter", "exit 21")]);
    board.twinslot(&["install", &path]).expect(1);
    board.assert_settled(Slot::A);
    assert!(why(&board).contains("asked to be retried for more than 3 seconds"));
}

#[test]
fn a_script_that_hangs_is_ended_and_has_failed() {
    let board = board(json!({}));
    let path = artifact(&board, &[("ArtifactInstall_Enter", "sleep 1000 & sleep 1000")]);
    board.twinslot(&["install", &path]).expect(1);
    board.assert_settled(Slot::A);
    let why = why(&board);
    assert!(why.contains("ArtifactInstall_Enter_00 timed out"), "{why}");
    assert!(why.contains("did not end within 3 seconds"), "{why}");
}

#[test]
fn an_armed_slot_that_is_rolled_back_runs_its_scripts_at_once() {
    let board = board(json!({}));
    let path = artifact(&board, &[]);
    board.twinslot(&["install", &path]).expect(0);
    assert_told(&board, &INSTALLED);
    board.twinslot(&["rollback"]).expect(0);
    board.assert_settled(Slot::A);
    assert_told(&board, &INSTALL_FAILED[1..]);
    assert_no_scripts(&board);
}

#[test]
fn scripts_of_the_reboot_run_before_a_reboot_that_is_ours() {
    let mut board = board(json!({}));
    let path = artifact(&board, &[]);
    Daemon::start_alone(&board, &["twinslot", "install", "--reboot", &path]).ended();
    board.assert_armed(Slot::B);
    assert_told(&board, &[&INSTALLED[..], &["ArtifactReboot_Enter"]].concat());
    assert_eq!(board.reboot(), Slot::B);
    Daemon::start_alone(&board, &["twinslot", "rollback", "--reboot"]).ended();
    board.assert_settled(Slot::A);
    let back = ["ArtifactRollback_Enter", "ArtifactRollback_Leave", "ArtifactRollbackReboot_Enter"];
    assert_told(&board, &back);
}

#[test]
fn a_script_can_keep_the_board_from_its_reboot() {
    let board = board(json!({}));
    let path = artifact(&board, &[("ArtifactReboot_Enter", "echo still busy; exit 1")]);
    Daemon::start_alone(&board, &["twinslot", "install", "--reboot", &path]).ended();
    board.assert_settled(Slot::A);
    let objected = ["ArtifactReboot_Enter", "ArtifactReboot_Error"];
    assert_told(&board, &[&INSTALLED[..], &objected, &INSTALL_FAILED[1..]].concat());
    assert_no_scripts(&board);
    assert!(why(&board).contains("still busy"));
}

/// What the old system runs when the new one has run `ArtifactRollback`.
const GIVEN_UP: [&str; 3] =
    ["ArtifactRollbackReboot_Leave", "ArtifactFailure_Enter", "ArtifactFailure_Leave"];

#[test]
fn a_script_can_keep_a_system_from_being_committed() {
    for (moment, ran) in [
        ("ArtifactReboot_Leave", &["ArtifactReboot_Leave", "ArtifactReboot_Error"][..]),
        (
            "ArtifactCommit_Enter",
            &["ArtifactReboot_Leave", "ArtifactCommit_Enter", "ArtifactCommit_Error"],
        ),
    ] {
        for verb in ["settle", "commit"] {
            let mut board = on_trial(&[(moment, "echo the ledger is old; exit 1")]);
            // An own reboot would be one of this machine.
            let arguments: &[&str] =
                if verb == "settle" { &["settle", "--reboot-exit-code"] } else { &["commit"] };
            board.twinslot(arguments).expect(if verb == "settle" { 4 } else { 1 });
            board.assert_settled(Slot::A);
            let back = [ran, &["ArtifactRollback_Enter", "ArtifactRollback_Leave"]].concat();
            assert_told(&board, &back);
            assert_eq!(board.reboot(), Slot::A);
            let last = board.twinslot(&["why", "--last"]).expect(0).stdout.clone();
            assert!(last.contains("rolled-back release-2: state script"), "{last}");
            assert!(last.contains("the ledger is old"), "{last}");
            board.twinslot(&["settle"]).expect(0);
            assert_told(&board, &GIVEN_UP);
            assert_no_scripts(&board);
            board.twinslot(&["settle"]).expect(0);
            assert_told(&board, &[]);
        }
    }
}

#[test]
fn a_board_whose_boot_loader_went_back_runs_what_the_new_system_could_not() {
    let mut board = on_trial(&[]);
    assert_eq!(board.reboot(), Slot::A);
    let back = ["ArtifactReboot_Error", "ArtifactRollback_Enter", "ArtifactRollback_Leave"];
    board.twinslot(&["settle"]).expect(0);
    assert_told(&board, &[back, GIVEN_UP].concat());
    assert_no_scripts(&board);
}

#[test]
fn the_next_update_has_the_scripts_of_the_one_before_finish_first() {
    let mut board = on_trial(&[]);
    board.twinslot(&["rollback"]).expect(0);
    assert_told(&board, &["ArtifactRollback_Enter", "ArtifactRollback_Leave"]);
    assert_eq!(board.reboot(), Slot::A);
    let path = board.lend(&kept("v3.9-gzip-p256.mender"));
    board.twinslot(&["install", &path]).expect(0);
    assert_told(&board, &[&GIVEN_UP[..], &INSTALLED[..2]].concat());
    assert_no_scripts(&board);
}

#[test]
fn scripts_never_run_for_another_artifact_in_their_slot() {
    let mut board = board(json!({}));
    let path = artifact(&board, &[]);
    board.twinslot(&["install", &path]).expect(0);
    assert_told(&board, &INSTALLED);
    // The other client takes the slot over: its artifact has no scripts.
    let part = board.place(Slot::A).number;
    board.environment.set(&[
        ("mender_boot_part", &format!("{part}")),
        ("mender_boot_part_hex", &format!("{part:x}")),
        ("upgrade_available", "0"),
    ]);
    let other = board.lend(&kept("v3.9-none-p256.mender"));
    board.mender(&["install", &other]).expect(0);
    let path = data(&board, "told");
    if path.exists() {
        fs::remove_file(path).unwrap();
    }
    // And what we know of the slot is of another name.
    let provides = data(&board, "twinslot/slot-b.provides");
    fs::write(provides, "artifact_name=release-9\n").unwrap();
    assert_eq!(board.reboot(), Slot::B);
    board.twinslot(&["settle"]).expect(0);
    assert_told(&board, &[]);
    assert_no_scripts(&board);
}

#[test]
fn no_script_of_an_artifact_runs_that_is_not_signed_for() {
    let scripts =
        |name: &str| board::tar::member(&format!("scripts/{name}"), text("x", "").as_bytes());
    let forge = || {
        let mut forge = Forge::default();
        let mut members = forge.header_members();
        members.insert(1, scripts("ArtifactInstall_Enter_00"));
        forge.header = Some(board::tar::archive(&members));
        forge
    };
    let good = forge();
    let stranger = Forge { key: "other.key", ..forge() };
    let other_header = Forge {
        manifest: |text| {
            let line = |line: &str| match line.split_once("  ") {
                Some((_, "header.tar")) => format!("{}  header.tar\n", "0".repeat(64)),
                _ => format!("{line}\n"),
            };
            text.lines().map(line).collect()
        },
        ..forge()
    };
    for (forge, code, ran) in [
        (stranger, 77, &["Download_Enter", "Download_Error"][..]),
        (other_header, 65, &["Download_Enter", "Download_Error"]),
        (good, 0, &["Download_Enter", "Download_Leave", "x"]),
    ] {
        let board = board(json!({}));
        let path = board.put("forged.mender", &forge.build());
        board.twinslot(&["install", &path]).expect(code);
        assert_told(&board, ran);
        assert_eq!(data(&board, "twinslot/scripts-b").exists(), code == 0);
    }
}

#[test]
fn scripts_that_somebody_else_could_have_put_there_are_not_run() {
    let mode = |path: PathBuf, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    type Sabotage<'s> = &'s dyn Fn(&Board);
    let sabotages: [Sabotage<'_>; 4] = [
        &|board| mode(data(board, "scripts"), 0o777),
        &|board| mode(data(board, "scripts/Download_Enter_00"), 0o757),
        &|board| chown(data(board, "scripts/Download_Enter_00"), Some(1234), None).unwrap(),
        &|board| fs::write(data(board, "scripts/version"), "1\n").unwrap(),
    ];
    for sabotage in sabotages {
        let board = board(json!({}));
        sabotage(&board);
        let before = board.snapshot();
        let path = board.lend(&kept("v3.9-gzip-p256.mender"));
        let refused = board.twinslot(&["install", &path, "--json"]);
        assert_eq!(refused.expect(1).json()["error"]["code"], "state-script-failed", "{refused}");
        board.assert_untouched(&before, "scripts of somebody else");
        let told = fs::read_to_string(data(&board, "told")).unwrap_or_default();
        assert!(!told.contains("Download_Enter"), "{told}");
    }
}

#[test]
fn an_artifacts_script_that_was_changed_since_is_not_run_and_nothing_is_committed() {
    let board = on_trial(&[]);
    let path = data(&board, "twinslot/scripts-b/ArtifactCommit_Enter_00");
    fs::write(path, text("evil", "")).unwrap();
    board.twinslot(&["settle", "--reboot-exit-code"]).expect(4);
    board.assert_settled(Slot::A);
    let told = fs::read_to_string(data(&board, "told")).unwrap();
    assert!(!told.contains("evil"), "{told}");
}

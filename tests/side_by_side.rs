//! Debian's client and twinslot on the same devices: either may take over from the other.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::{self, kept};
use board::environment::TOOLS;
use board::outcome::Outcome;
use board::plan::{Plan, Userland};
use board::slot::Slot;

const ARTIFACT: &str = "v3.9-gzip-p256.mender";

fn board() -> Board {
    Board::new(Plan { userland: Userland::Debian, ..Plan::default() })
}

/// One of the two, on a board of its own.
#[derive(Debug, Clone, Copy)]
enum Client {
    Mender,
    Twinslot,
}

impl Client {
    fn run(self, board: &Board, arguments: &[&str]) -> Outcome {
        match self {
            Self::Mender => board.mender(arguments),
            Self::Twinslot => board.twinslot(arguments),
        }
    }
}

/// The four variables after each step of a life that ends in `verb`.
fn life(client: Client, verb: &str) -> Vec<[String; 4]> {
    let mut board = board();
    let path = board.lend(&kept(ARTIFACT));
    let mut seen = vec![board.environment.four()];
    client.run(&board, &["install", "--reboot-exit-code", &path]).expect(4);
    seen.push(board.environment.four());
    board.reboot();
    seen.push(board.environment.four());
    client.run(&board, &[verb]).expect(0);
    seen.push(board.environment.four());
    board.reboot();
    seen.push(board.environment.four());
    seen
}

#[test]
fn both_leave_the_same_four_variables_at_every_step() {
    for verb in ["commit", "rollback"] {
        assert_eq!(life(Client::Twinslot, verb), life(Client::Mender, verb), "{verb}");
    }
}

#[test]
fn both_write_the_same_slot() {
    let slots = [Client::Mender, Client::Twinslot].map(|client| {
        let board = board();
        let path = board.lend(&kept(ARTIFACT));
        client.run(&board, &["install", &path]).expect(0);
        board.slot_bytes(Slot::B)
    });
    assert!(slots[0] == slots[1]);
}

#[test]
fn a_trial_armed_by_mender_is_committed_by_twinslot() {
    for tool in TOOLS {
        let mut board = board();
        board.use_tool(tool);
        let path = board.lend(&kept(ARTIFACT));
        board.mender(&["install", &path]).expect(0);
        let armed = board.twinslot(&["status", "--json"]).expect(0).json();
        assert_eq!([&armed["state"], &armed["next"]], ["armed", "b"]);
        board.reboot();
        let trial = board.twinslot(&["status", "--json"]).expect(0).json();
        assert_eq!([&trial["state"], &trial["booted"]], ["trial", "b"]);
        board.twinslot(&["commit"]).expect(0);
        board.assert_settled(Slot::B);
        assert_eq!(board.reboot(), Slot::B);
    }
}

#[test]
fn a_trial_armed_by_mender_is_given_up_by_twinslot() {
    let mut board = board();
    let path = board.lend(&kept(ARTIFACT));
    board.mender(&["install", &path]).expect(0);
    board.reboot();
    board.twinslot(&["rollback"]).expect(0);
    board.assert_settled(Slot::A);
    assert_eq!(board.reboot(), Slot::A);
}

#[test]
fn after_twinslot_s_commit_mender_installs_the_next_artifact() {
    for tool in TOOLS {
        // The client knows the system it did not install itself by this file only.
        let artifact_names = [Some("release-1"), Some("release-2")];
        let plan = Plan { userland: Userland::Debian, artifact_names, ..Plan::default() };
        let mut board = Board::new(plan);
        board.use_tool(tool);
        let path = board.lend(&kept(ARTIFACT));
        board.twinslot(&["install", &path]).expect(0);
        board.reboot();
        board.twinslot(&["commit"]).expect(0);
        let next = board.made("next.mender");
        artifacts::write(&next, &kept("rootfs.ext4"), &["-n", "release-3"]);
        board.mender(&["install", "--reboot-exit-code", "/made/next.mender"]).expect(4);
        board.assert_armed(Slot::A);
        assert_eq!(board.reboot(), Slot::A);
        board.mender(&["commit"]).expect(0);
        board.assert_settled(Slot::A);
        let status = board.twinslot(&["status", "--json"]).expect(0).json();
        assert_eq!([&status["state"], &status["booted"]], ["settled", "a"]);
        assert_ne!(status["artifact_name"], "release-2", "the name belongs to the other slot");
    }
}

#[test]
fn either_takes_turns_with_the_other_and_no_variable_is_lost() {
    let mut board = board();
    let before = board.environment.read(TOOLS[0]);
    let path = board.lend(&kept(ARTIFACT));
    for client in [Client::Mender, Client::Twinslot, Client::Mender, Client::Twinslot] {
        client.run(&board, &["install", &path]).expect(0);
        board.reboot();
        client.run(&board, &["commit"]).expect(0);
    }
    assert_eq!(board.booted(), Slot::A);
    let mut after = board.environment.read(TOOLS[1]);
    // The Go client's probe for the syntax of fw_setenv; and a trial's count, which stays.
    after.remove("mender_uboot_separator");
    after.insert("bootcount".to_owned(), "0".to_owned());
    assert_eq!(after, before);
}

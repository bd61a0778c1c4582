//! The board's own binary, under qemu-user, does what the one for the build machine does.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::{image, kept};
use board::outcome::Outcome;
use board::plan::{Layout, Plan};
use board::slot::Slot;
use board::tools::{qemu_aarch64, twinslot_aarch64};
use std::fs;

/// Its processor is emulated, its kernel is the machine's.
fn board() -> Board {
    let mut board = Board::new(Plan { layout: Layout::WholeLoops, ..Plan::default() });
    lend_programs(&mut board);
    board
}

fn lend_programs(board: &mut Board) {
    board.lend_program(&qemu_aarch64(), "qemu-aarch64");
    board.lend_program(&twinslot_aarch64(), "twinslot-aarch64");
}

fn emulated(board: &Board, arguments: &[&str]) -> Outcome {
    let head = ["qemu-aarch64", "/opt/bin/twinslot-aarch64"];
    board.run(&[&head[..], arguments].concat())
}

#[test]
fn both_binaries_describe_every_artifact_alike() {
    let board = board();
    let directory = kept("README.md").parent().unwrap().to_owned();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // Nine gibibytes take an emulated processor too long.
        let name = path.to_string_lossy().into_owned();
        if !name.ends_with(".mender") || name.contains("9GiB") {
            continue;
        }
        let path = board.lend(&path);
        let ours = board.twinslot(&["inspect", "--json", &path]);
        let theirs = emulated(&board, &["inspect", "--json", &path]);
        assert_eq!((theirs.code, &theirs.stdout), (ours.code, &ours.stdout), "{name}: {theirs}");
    }
}

#[test]
fn an_update_runs_from_install_to_commit() {
    let mut board = board();
    let path = board.lend(&kept("v4.4-lzma-p256.mender"));
    emulated(&board, &["install", "--reboot-exit-code", &path]).expect(4);
    assert!(board.slot_bytes(Slot::B)[..image().len()] == image());
    board.assert_armed(Slot::B);
    assert_eq!(board.reboot(), Slot::B);
    lend_programs(&mut board);
    emulated(&board, &["commit"]).expect(0);
    board.assert_settled(Slot::B);
}

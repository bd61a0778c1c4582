//! Good artifacts on slots that cannot take them: each is refused in one sentence, and the board
//! boots what it booted.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::{image, kept};
use board::failing_medium::FailingMedium;
use board::plan::{Layout, Plan, Root};
use board::refuser::{refuse, refuse_early};
use board::slot::{Slot, pattern};
use board::tools::{must, program, text};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ARTIFACT: &str = "v3.9-gzip-p256.mender";

fn board() -> Board {
    Board::new(Plan::default())
}

/// A board whose slot b has this file as its medium.
fn board_on(image: PathBuf) -> Board {
    let plan = Plan { layout: Layout::WholeLoops, ..Plan::default() };
    Board::new(Plan { slot_b_image: Some(image), ..plan })
}

#[test]
fn a_slot_that_is_not_there_is_named_and_not_made() {
    let board = board();
    let missing = "/dev/twinslot-no-such-slot3";
    let nobody = "PARTUUID=00000000-0000-0000-0000-000000000000";
    for name in [missing, "PARTLABEL=nobody", nobody] {
        let config = board.config_with("RootfsPartB", name);
        let message = refuse_early(&board, &["--config", &config], (74, "slot-missing"));
        assert!(message.contains(name), "{message}");
    }
    assert!(!Path::new(missing).exists(), "a regular file was made on /dev");
}

#[test]
fn a_slot_that_is_no_block_device_is_refused() {
    let board = board();
    let file = board.put("b3", &[0; 4096]);
    let config = board.config_with("RootfsPartB", &file[..]);
    refuse_early(&board, &["--config", &config], (64, "configuration"));
    assert_eq!(fs::read(board.made("b3")).unwrap(), [0; 4096]);
}

#[test]
fn one_device_for_both_slots_is_no_configuration() {
    let board = board();
    let a = board.place(Slot::A).device.to_str().unwrap();
    let config = board.config_with("RootfsPartB", a);
    refuse_early(&board, &["--config", &config], (64, "configuration"));
}

#[test]
fn a_slot_on_another_disk_than_the_booted_one_is_refused() {
    let [board, other] = [board(), board()];
    let before = other.slot_bytes(Slot::B);
    let elsewhere = other.place(Slot::B).device.to_str().unwrap();
    let config = board.config_with("RootfsPartB", elsewhere);
    let message = refuse_early(&board, &["--config", &config], (64, "slots-on-different-disks"));
    assert!(message.contains(elsewhere), "{message}");
    assert!(other.slot_bytes(Slot::B) == before, "the other board's slot was written");
}

#[test]
fn a_mounted_slot_is_busy_and_the_mount_point_is_named() {
    let mut board = board();
    let device = board.place(Slot::B).device.clone();
    must(&mut program("mkfs.ext4", &["-q", "-F", text(&device)]));
    board.mount(&["-t", "ext4"], &device, "/mnt");
    let outcome = refuse(&board, &[], "mounted");
    assert_eq!((outcome.code, &outcome.error_code()[..]), (74, "slot-busy"), "{outcome}");
    assert!(outcome.message().contains("/mnt"), "names the mount point: {outcome}");
    assert!(board.root().join("mnt/lost+found").is_dir(), "the mounted file system is whole");
}

#[test]
fn a_slot_held_by_a_process_is_busy_and_the_process_is_named() {
    let board = board();
    let mut options = OpenOptions::new();
    let options = options.read(true).custom_flags(nix::libc::O_EXCL);
    let held = options.open(&board.place(Slot::B).device).unwrap();
    let message = refuse_early(&board, &[], (74, "slot-busy"));
    assert!(message.contains(&std::process::id().to_string()), "names the process: {message}");
    drop(held);
}

#[test]
fn a_read_only_slot_is_refused() {
    let board = board();
    let device = &board.place(Slot::B).device;
    must(&mut program("blockdev", &["--setro", text(device)]));
    let message = refuse_early(&board, &[], (74, "slot-read-only"));
    assert!(message.contains(text(device)), "{message}");
}

#[test]
fn a_slot_smaller_than_the_payload_is_refused() {
    let directory = TempDir::new().unwrap();
    let medium = directory.path().join("b.img");
    for short in [512, 4096, 1 << 20] {
        let bytes = pattern((2 << 20) - short);
        fs::write(&medium, &bytes).unwrap();
        let board = board_on(medium.clone());
        let path = board.lend(&kept(ARTIFACT));
        let before = board.snapshot();
        let outcome = board.twinslot(&["install", "--progress", "json", &path]);
        outcome.expect(65);
        assert_eq!(outcome.error_code(), "payload-too-large", "{outcome}");
        for figure in [2 << 20, (2 << 20) - short] {
            assert!(outcome.message().contains(&figure.to_string()), "{outcome}");
        }
        board.assert_untouched(&before, "slot too small");
        assert!(fs::read(&medium).unwrap() == bytes, "short by {short}: the slot was written");
    }
}

#[test]
fn a_slot_exactly_as_large_as_the_payload_takes_it() {
    let directory = TempDir::new().unwrap();
    let medium = directory.path().join("b.img");
    fs::write(&medium, pattern(2 << 20)).unwrap();
    let board = board_on(medium.clone());
    let path = board.lend(&kept(ARTIFACT));
    board.twinslot(&["install", &path]).expect(0);
    assert!(fs::read(&medium).unwrap() == image());
    board.assert_armed(Slot::B);
}

#[test]
fn a_slot_that_fails_at_a_block_is_never_armed() {
    let payload = image();
    let used = |block: &usize| payload[*block..*block + 4096].iter().any(|byte| *byte != 0);
    let all = (0..payload.len()).step_by(4096).filter(used).collect::<Vec<_>>();
    // The first, where the head is written last, the second, one amid, and the last.
    for block in [all[0], all[1], all[all.len() / 2], all[all.len() - 1]] {
        let code = fail_at(block, 4096);
        // The loop driver calls a short write a success: then reading back is what tells.
        let told = ["slot-io", "read-back-mismatch"].contains(&&code[..]);
        assert!(told, "fails at {block}: {code}");
    }
}

#[test]
fn a_slot_that_fails_at_every_block_says_so_when_written() {
    assert_eq!(fail_at(0, 2 << 20), "slot-io");
}

/// The error code on a slot that fails there.
fn fail_at(block: usize, length: usize) -> String {
    let medium = FailingMedium::new(&pattern(16 << 20), block, length);
    let board = board_on(medium.image.clone());
    let outcome = refuse(&board, &[], &format!("fails at {block}"));
    outcome.expect(74);
    let magic = board.slot_bytes(Slot::B)[0x438..0x43A].to_vec();
    assert_ne!(magic, [0x53, 0xEF], "fails at {block}: the slot can be started");
    outcome.error_code()
}

#[test]
fn a_root_that_is_no_slot_is_refused() {
    let board = Board::new(Plan { root: Root::Memory, ..Plan::default() });
    refuse_early(&board, &[], (1, "booted-slot-unknown"));
}

//! Every kept artifact does what its README says, on slots of loop devices, in a chroot whose `/`
//! is slot a.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::{self, image, kept};
use board::environment::TOOLS;
use board::forge::{Compression, Forge};
use board::outcome::Outcome;
use board::plan::{Layout, Naming, Plan, Root, Userland};
use board::slot::{Slot, pattern};
use board::tar;
use serde_json::{Value, json};
use std::fs::{self, OpenOptions};
use std::process::Stdio;

const PLAIN: [&str; 11] = [
    "v3.9-none-p256.mender",
    "v3.9-gzip-p256.mender",
    "v3.9-lzma-p256.mender",
    "v4.0-zstd_fastest-p256.mender",
    "v4.0-zstd_fast-p256.mender",
    "v4.0-zstd_better-p256.mender",
    "v4.0-zstd_best-p256.mender",
    "v4.4-gzip-p256.mender",
    "v4.4-lzma-p256.mender",
    "v4.4-zstd_best-p256.mender",
    "v3.9-gzip-pax-uid.mender",
];

/// Each has a test of its own below.
const SPECIAL: [&str; 5] = [
    "v3.9-gzip-rsa3072.mender",
    "v3.9-gzip-unsigned.mender",
    "v3.9-gzip-scripts-depends.mender",
    "v4.4-zstd-pax-size-9GiB.mender",
    "v3.9-bootstrap.mender",
];

fn board() -> Board {
    Board::new(Plan::default())
}

/// The slot holds the image, is as it was behind it, and will be tried at the next boot.
#[track_caller]
fn assert_installed(board: &Board, what: &str) {
    let (slot, image) = (board.slot_bytes(Slot::B), image());
    let before = pattern(board.place(Slot::B).bytes);
    assert!(slot[..image.len()] == image, "{what}: the slot holds the image byte for byte");
    assert!(slot[image.len()..] == before[image.len()..], "{what}: behind it nothing changed");
    board.assert_armed(Slot::B);
}

#[track_caller]
fn install(board: &Board, name: &str) -> Outcome {
    let path = board.lend(&kept(name));
    board.twinslot(&["install", "--progress", "json", &path])
}

#[test]
fn no_kept_artifact_is_left_out_here() {
    let directory = kept("README.md").parent().unwrap().to_owned();
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".mender"));
    names.sort();
    let mut known = [&PLAIN[..], &SPECIAL[..]].concat();
    known.sort_unstable();
    assert_eq!(names, known);
}

#[test]
fn every_plain_artifact_lands_in_the_other_slot_byte_for_byte() {
    for name in PLAIN {
        let board = board();
        let booted = board.slot_bytes(Slot::A);
        install(&board, name).expect(0);
        assert_installed(&board, name);
        assert!(board.slot_bytes(Slot::A) == booted, "{name}: the booted slot is as it was");
    }
}

#[test]
fn all_other_variables_survive_the_arming() {
    let board = board();
    let before = board.environment.read(TOOLS[0]);
    install(&board, PLAIN[0]).expect(0);
    for tool in TOOLS {
        let mut after = board.environment.read(tool);
        let four = [("mender_boot_part", "2"), ("mender_boot_part_hex", "2")];
        after.extend(four.map(|(name, value)| (name.to_owned(), value.to_owned())));
        after.insert("upgrade_available".to_owned(), "0".to_owned());
        assert_eq!(after, before, "as {tool:?} reads it");
    }
}

#[test]
fn an_artifact_is_installed_from_stdin() {
    for name in ["v3.9-gzip-p256.mender", "v3.9-none-p256.mender"] {
        let board = board();
        let bytes = fs::read(kept(name)).unwrap();
        board.run_fed(&["twinslot", "install", "-"], bytes).expect(0);
        assert_installed(&board, name);
    }
}

#[test]
fn archives_padded_as_gnu_tar_pads_them_are_installed() {
    let padded = |mut archive: Vec<u8>| {
        archive.resize(archive.len().next_multiple_of(10_240), 0);
        archive
    };
    for data_compression in [Compression::None, Compression::Gzip] {
        let board = board();
        let mut forge = Forge { data_compression, ..Forge::default() };
        forge.header = Some(padded(tar::archive(&forge.header_members())));
        forge.data = Some(padded(tar::archive(&[tar::member("rootfs.ext4", &image())])));
        let path = board.put("padded.mender", &padded(forge.build()));
        board.twinslot(&["install", &path]).expect(0);
        assert_installed(&board, "padded to 10 KiB");
    }
}

#[test]
fn whole_loop_devices_are_slots_too() {
    let board = Board::new(Plan { layout: Layout::WholeLoops, ..Plan::default() });
    install(&board, PLAIN[1]).expect(0);
    assert_installed(&board, "whole loop devices");
}

#[test]
fn slots_are_found_by_label_and_by_uuid_on_the_booted_disk() {
    for naming in [Naming::PartLabel, Naming::PartUuid] {
        let board = Board::new(Plan { naming, ..Plan::default() });
        install(&board, PLAIN[1]).expect(0);
        assert_installed(&board, &format!("{naming:?}"));
    }
}

#[test]
fn the_booted_slot_is_found_below_an_overlay() {
    let board = Board::new(Plan { root: Root::Overlay, ..Plan::default() });
    let status = board.twinslot(&["status", "--json"]).expect(0).json();
    assert_eq!(status["booted"], "a");
    install(&board, PLAIN[1]).expect(0);
    assert_installed(&board, "overlay");
}

#[test]
fn the_kernel_command_line_tells_the_booted_slot_where_the_root_cannot() {
    for by_name in ["root=", "twinslot.slot="] {
        let mut board = Board::new(Plan { root: Root::Memory, ..Plan::default() });
        let word = match by_name {
            "root=" => format!("root={}", board.place(Slot::A).device.display()),
            _ => "twinslot.slot=a".to_owned(),
        };
        board.say_cmdline(&format!("console=ttyS2 {word} rootwait quiet"));
        let status = board.twinslot(&["status", "--json"]).expect(0).json();
        assert_eq!(status["booted"], "a", "{word}");
        install(&board, PLAIN[1]).expect(0);
        assert_installed(&board, &word);
    }
}

#[test]
fn a_larger_environment_is_armed_too() {
    let board = Board::new(Plan { environment_bytes: 0x20000, ..Plan::default() });
    install(&board, PLAIN[1]).expect(0);
    assert_installed(&board, "128 KiB");
}

#[test]
fn success_that_wants_a_reboot_is_exit_code_4_when_asked() {
    let board = board();
    let path = board.lend(&kept(PLAIN[1]));
    board.twinslot(&["install", "--reboot-exit-code", &path]).expect(4);
    assert_installed(&board, "--reboot-exit-code");
}

#[test]
fn a_second_install_waits_until_the_first_is_settled() {
    let mut board = board();
    install(&board, PLAIN[1]).expect(0);
    for state in ["armed", "trial"] {
        let before = (board.snapshot(), board.slot_bytes(board.booted().other()));
        let refused = install(&board, PLAIN[0]);
        assert_eq!((refused.code, &refused.error_code()[..]), (5, "update-in-progress"));
        board.assert_untouched(&before.0, state);
        assert!(board.slot_bytes(board.booted().other()) == before.1, "{state}: no slot written");
        board.reboot();
    }
}

#[test]
fn an_unsigned_artifact_and_another_key_are_refused_before_any_write() {
    let board = board();
    let before = board.snapshot();
    let other = board.lend(&kept("other.pub"));
    let config = board.config_with("ArtifactVerifyKey", other);
    let path = board.lend(&kept(PLAIN[1]));
    let unsigned = install(&board, "v3.9-gzip-unsigned.mender");
    let stranger = board.twinslot(&["--config", &config, "install", "--progress", "json", &path]);
    let rsa = install(&board, "v3.9-gzip-rsa3072.mender");
    for (refused, code) in [
        (unsigned, "signature-missing"),
        (stranger, "signature-invalid"),
        (rsa, "signature-invalid"),
    ] {
        refused.expect(77);
        assert_eq!(refused.error_code(), code);
        board.assert_untouched(&before, code);
        assert!(board.slot_bytes(Slot::B) == pattern(board.place(Slot::B).bytes), "{code}");
    }
}

#[test]
fn any_of_several_keys_may_have_signed() {
    for name in ["v3.9-gzip-rsa3072.mender", "v3.9-gzip-p256.mender"] {
        let board = board();
        let keys = ["other.pub", "rsa3072.pub", "p256.pub"].map(|key| board.lend(&kept(key)));
        let mut config = board.config();
        config.remove("ArtifactVerifyKey");
        config.insert("ArtifactVerifyKeys".to_owned(), json!(keys));
        let config = board.put("keys.conf", Value::Object(config).to_string().as_bytes());
        let path = board.lend(&kept(name));
        board.twinslot(&["--config", &config, "install", &path]).expect(0);
        assert_installed(&board, name);
    }
}

#[test]
fn nine_gibibytes_do_not_fit_and_nothing_is_written() {
    let board = board();
    let before = board.snapshot();
    let refused = install(&board, "v4.4-zstd-pax-size-9GiB.mender");
    refused.expect(65);
    assert_eq!(refused.error_code(), "payload-too-large");
    assert!(refused.message().contains("9663676416"), "{refused}");
    board.assert_untouched(&before, "9 GiB");
    assert!(board.slot_bytes(Slot::B) == pattern(board.place(Slot::B).bytes));
}

#[test]
fn a_bootstrap_artifact_changes_names_and_nothing_else() {
    let board = board();
    let before = board.snapshot();
    // The kept one is unsigned, as the tool writes it: by hand it is refused like any other.
    install(&board, SPECIAL[4]).expect(77);
    let signed = board.made("signed.mender");
    artifacts::sign(&signed, &kept(SPECIAL[4]));
    board.twinslot(&["install", "--reboot-exit-code", "/made/signed.mender"]).expect(0);
    board.assert_untouched(&before, "bootstrap");
    assert!(board.slot_bytes(Slot::B) == pattern(board.place(Slot::B).bytes));
    let status = board.twinslot(&["status", "--json"]).expect(0).json();
    assert_eq!([&status["artifact_name"], &status["state"]], ["boot-1", "settled"], "{status}");
    assert_eq!(status["provides"], json!({ "artifact_name": "boot-1" }), "{status}");
    assert_eq!(board.twinslot(&["show-artifact"]).expect(0).stdout, "boot-1\n");
}

#[test]
fn what_an_artifact_depends_on_must_be_there() {
    // Its scripts want a shell.
    let mut board = Board::new(Plan { userland: Userland::Debian, ..Plan::default() });
    let before = board.snapshot();
    let refused = install(&board, "v3.9-gzip-scripts-depends.mender");
    refused.expect(65);
    assert_eq!(refused.error_code(), "depends-unmet");
    assert!(refused.message().contains("artifact_group"), "{refused}");
    board.assert_untouched(&before, "no group");

    let grouped = board.made("grouped.mender");
    artifacts::write(&grouped, &kept("rootfs.ext4"), &["-n", "release-1", "-g", "grp0"]);
    board.twinslot(&["install", "/made/grouped.mender"]).expect(0);
    assert_eq!(board.reboot(), Slot::B);
    board.twinslot(&["commit"]).expect(0);
    let status = board.twinslot(&["status", "--json"]).expect(0).json();
    assert_eq!(status["provides"]["artifact_group"], "grp0", "{status}");
    install(&board, "v3.9-gzip-scripts-depends.mender").expect(0);
    assert!(board.slot_bytes(Slot::A)[..image().len()] == image());
    board.assert_armed(Slot::A);
}

#[test]
fn progress_lines_tell_the_phases_in_order_and_end_in_the_result() {
    let board = board();
    let outcome = install(&board, PLAIN[1]);
    let mut phases = Vec::new();
    let mut bytes = 0;
    for event in outcome.expect(0).events() {
        match event["event"].as_str().unwrap() {
            "phase" => phases.push(event["phase"].as_str().unwrap().to_owned()),
            "progress" if event["phase"] == "write" => {
                assert!(event["bytes"].as_u64().unwrap() >= bytes, "{outcome}");
                bytes = event["bytes"].as_u64().unwrap();
                assert_eq!(event["total"], u64::try_from(image().len()).unwrap());
            }
            "progress" | "result" => {}
            other => panic!("event {other} is not in the contract: {outcome}"),
        }
    }
    assert_eq!(phases, ["header", "write", "read-back", "arm"]);
    assert_eq!(outcome.result()["exit"], 0);
}

#[test]
fn where_nobody_can_be_told_an_update_goes_on_and_ends_with_its_exit_code() {
    let board = board();
    let path = board.lend(&kept(PLAIN[1]));
    // Something to be warned of.
    let config = board.config_with("RootfsPartC", "unheard of");
    let deaf = |arguments: &[&str]| {
        let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
        let head = ["twinslot", "--config", &config, "install"];
        let mut command = board.command(&[&head[..], arguments].concat());
        command.stdin(Stdio::null()).stdout(full()).stderr(full()).status().unwrap().code()
    };
    assert_eq!(deaf(&["--progress", "bar", &path]), Some(0));
    assert_installed(&board, "told nobody");
    assert_eq!(deaf(&[&path]), Some(5));
    board.twinslot(&["rollback"]).expect(0);
    assert_eq!(deaf(&["--progress", "json", &path]), Some(0));
    board.assert_armed(Slot::B);
}

#[test]
fn blocks_that_the_slot_holds_already_are_not_written_again() {
    let board = board();
    install(&board, PLAIN[1]).expect(0);
    board.twinslot(&["rollback"]).expect(0);
    let outcome = install(&board, PLAIN[1]);
    let events = outcome.expect(0).events();
    let skipped = events.iter().filter_map(|event| event["skipped"].as_u64()).max();
    assert!(skipped.is_some_and(|bytes| bytes >= 1 << 20), "{outcome}");
    assert_installed(&board, "again");
}

#[test]
fn read_back_and_skipping_can_be_turned_off() {
    for key in ["ReadBack", "SkipUnchanged"] {
        let board = board();
        let config = board.config_with(key, false);
        let path = board.lend(&kept(PLAIN[1]));
        board.twinslot(&["--config", &config, "install", &path]).expect(0);
        assert_installed(&board, key);
    }
}

#[test]
fn inspect_describes_every_artifact_and_writes_nothing() {
    let board = board();
    let before = (board.snapshot(), board.slot_bytes(Slot::B));
    let keys = ["p256.pub", "rsa3072.pub"].map(|key| board.lend(&kept(key)));
    let mut config = board.config();
    config.remove("ArtifactVerifyKey");
    config.insert("ArtifactVerifyKeys".to_owned(), json!(keys));
    let config = board.put("keys.conf", Value::Object(config).to_string().as_bytes());
    for name in [&PLAIN[..], &SPECIAL[..]].concat() {
        let path = board.lend(&kept(name));
        let outcome = board.twinslot(&["--config", &config, "inspect", "--json", &path]);
        let unsigned = name.contains("unsigned") || name.contains("bootstrap");
        outcome.expect(if unsigned { 77 } else { 0 });
        let wanted = ["release-2", "huge"];
        let names = |name: &str| outcome.stdout.contains(&format!("\"{name}\""));
        assert!(unsigned || wanted.into_iter().any(names), "{outcome}");
    }
    board.assert_untouched(&before.0, "inspect");
    assert!(board.slot_bytes(Slot::B) == before.1);
}

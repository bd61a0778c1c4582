//! Debian's client on the board of these tests, before twinslot is held against it.
//! What fails here is wrong with the board, not with twinslot.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::{image, kept};
use board::environment::{TOOLS, Tool};
use board::failing_medium::FailingMedium;
use board::forge::{Compression, Forge};
use board::loop_device::Loop;
use board::plan::{Layout, Plan, Root, Userland};
use board::slot::{Slot, pattern};
use board::tools::{mender_artifact, must, program, text};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

fn debian(layout: Layout) -> Plan {
    Plan { layout, userland: Userland::Debian, ..Plan::default() }
}

fn install_boot_and_commit(layout: Layout, tool: Tool) {
    let mut board = Board::new(debian(layout));
    board.use_tool(tool);
    let booted = board.slot_bytes(Slot::A);
    let artifact = board.lend(&kept("v3.9-gzip-p256.mender"));
    board.mender(&["install", "--reboot-exit-code", &artifact]).expect(4);
    board.assert_armed(Slot::B);
    let slot = board.slot_bytes(Slot::B);
    let image = image();
    assert!(slot[..image.len()] == image, "slot b holds the image");
    let rest = &pattern(u64::try_from(slot.len()).unwrap())[image.len()..];
    assert!(&slot[image.len()..] == rest, "slot b is as it was behind the image");
    assert!(board.slot_bytes(Slot::A) == booted, "the booted slot is as it was");

    assert_eq!(board.reboot(), Slot::B);
    assert_eq!(board.environment.get("bootcount"), "1");
    board.mender(&["commit"]).expect(0);
    board.assert_settled(Slot::B);
    assert_eq!(board.mender(&["show-artifact"]).expect(0).stdout.trim(), "release-2");
    board.mender(&["commit"]).expect(2);
}

#[test]
fn mender_installs_boots_and_commits_with_either_environment_tool() {
    for tool in TOOLS {
        install_boot_and_commit(Layout::Partitions, tool);
    }
}

#[test]
fn mender_installs_boots_and_commits_on_whole_loop_devices() {
    install_boot_and_commit(Layout::WholeLoops, Tool::UBoot);
}

#[test]
fn mender_rolls_back_a_trial() {
    let mut board = Board::new(debian(Layout::Partitions));
    let artifact = board.lend(&kept("v3.9-none-p256.mender"));
    board.mender(&["install", &artifact]).expect(0);
    board.reboot();
    board.mender(&["rollback"]).expect(0);
    assert_eq!(board.reboot(), Slot::A);
    board.assert_settled(Slot::A);
}

#[test]
fn a_trial_that_is_booted_twice_falls_back() {
    let mut board = Board::new(debian(Layout::Partitions));
    let artifact = board.lend(&kept("v3.9-lzma-p256.mender"));
    board.mender(&["install", &artifact]).expect(0);
    assert_eq!([board.reboot(), board.reboot()], [Slot::B, Slot::A]);
    board.assert_settled(Slot::A);
}

#[test]
fn mender_refuses_what_the_key_did_not_sign() {
    let board = Board::new(debian(Layout::Partitions));

    for name in ["v3.9-gzip-unsigned.mender", "v3.9-gzip-rsa3072.mender"] {
        let artifact = board.lend(&kept(name));
        board.mender(&["install", &artifact]).expect(1);
    }
    assert_eq!(board.environment.get("mender_boot_part"), "2");
    assert_eq!(board.environment.get("upgrade_available"), "0");
}

#[test]
fn mender_takes_what_the_forge_makes() {
    for compression in [Compression::None, Compression::Gzip, Compression::Xz] {
        let board = Board::new(debian(Layout::Partitions));
        let forge = Forge {
            header_compression: compression,
            data_compression: compression,
            ..Forge::default()
        };
        let path = board.put("forged.mender", &forge.build());
        let (key, made) = (kept("p256.pub"), board.made("forged.mender"));
        let arguments = ["validate", "-k", text(&key), text(&made)];
        must(&mut program(mender_artifact(), &arguments));
        board.mender(&["install", &path]).expect(0);
        assert!(board.slot_bytes(Slot::B)[..forge.payload.len()] == forge.payload);
    }
}

#[test]
fn a_failing_medium_fails_where_it_should_and_nowhere_else() {
    let medium = FailingMedium::new(&pattern(4 << 20), 1 << 20, 4096);
    let disk = Loop::attach(&medium.image);
    let device = OpenOptions::new().read(true).write(true).open(disk.path()).unwrap();
    for (at, fails) in [(0, false), ((1 << 20) - 4096, false), (1 << 20, true), (2 << 20, false)] {
        let written = device.write_all_at(&[7; 4096], at).and_then(|()| device.sync_all());
        assert_eq!(written.is_err(), fails, "at {at}: {written:?}");
    }
}

#[test]
fn a_root_on_an_overlay_or_in_memory_looks_like_one() {
    for (root, word) in [(Root::Overlay, "lowerdir=/mnt"), (Root::Memory, " / / rw")] {
        let plan = Plan { root, ..debian(Layout::Partitions) };
        let mut board = Board::new(plan);
        let mountinfo = board.run(&["cat", "/proc/self/mountinfo"]);
        assert!(mountinfo.expect(0).stdout.contains(word), "{mountinfo}");
        board.say_cmdline("root=/dev/x");
        assert_eq!(board.run(&["cat", "/proc/cmdline"]).stdout, "root=/dev/x\n");
    }
}

//! U-Boot's environment under three pairs of hands: U-Boot's own tools, libubootenv, and ours.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::environment::{TOOLS, Tool, Variables};
use board::plan::Plan;
use std::os::unix::fs::symlink;

fn board() -> Board {
    Board::new(Plan::default())
}

fn parsed(text: &str) -> Variables {
    let pair = |line: &str| line.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()));
    text.lines().filter_map(pair).collect()
}

#[track_caller]
fn ours(board: &Board) -> Variables {
    parsed(&board.twinslot(&["env", "print"]).expect(0).stdout)
}

#[test]
fn what_mkenvimage_made_is_printed_as_both_tools_print_it() {
    let board = board();
    for tool in TOOLS {
        assert_eq!(ours(&board), board.environment.read(tool), "{tool:?}");
    }
}

#[test]
fn three_writers_take_turns_past_the_wrap_of_the_serial() {
    let board = board();
    let mut expected = ours(&board);
    for turn in 0..520 {
        let (name, value) = (format!("turn{}", turn % 7), format!("value {turn}"));
        match turn % 3 {
            0 => {
                let word = format!("{name}={value}");
                board.twinslot(&["env", "set", &word]).expect(0);
            }
            1 => board.environment.set_by(Tool::UBoot, &[(&name, &value)]),
            _ => board.environment.set_by(Tool::LibUbootEnv, &[(&name, &value)]),
        }
        expected.insert(name, value);
        let reader = [Tool::UBoot, Tool::LibUbootEnv][turn % 2];
        assert_eq!(board.environment.read(reader), expected, "turn {turn}, read by {reader:?}");
        assert_eq!(ours(&board), expected, "turn {turn}");
    }
}

#[test]
fn many_variables_are_set_and_deleted_in_one_write() {
    let board = board();
    let before = board.environment.copies();
    board.twinslot(&["env", "set", "one=1", "two=a b = c", "bootdelay="]).expect(0);
    let after = board.environment.copies();
    let changed = [0, 1].map(|copy| before[copy] != after[copy]);
    assert_eq!(changed.iter().filter(|changed| **changed).count(), 1, "one write, one copy");
    for (name, value) in [("one", "1"), ("two", "a b = c"), ("bootdelay", "")] {
        assert_eq!(board.environment.get(name), value);
    }
}

#[test]
fn called_as_u_boots_tools_it_behaves_as_they_do() {
    let board = board();
    for name in ["fw_printenv", "fw_setenv"] {
        symlink("/opt/bin/twinslot", board.made(name)).unwrap();
    }
    let all = board.run(&["/made/fw_printenv"]);
    assert_eq!(parsed(&all.expect(0).stdout), board.environment.read(Tool::UBoot));
    let one = board.run(&["/made/fw_printenv", "bootlimit"]);
    assert_eq!(one.expect(0).stdout, "bootlimit=1\n");
    let value = board.run(&["/made/fw_printenv", "-n", "mender_boot_part"]);
    assert_eq!(value.expect(0).stdout, "2\n");
    board.run(&["/made/fw_printenv", "nobody"]).expect(1);
    board.run(&["/made/fw_setenv", "greeting", "hello", "world"]).expect(0);
    assert_eq!(board.environment.get("greeting"), "hello world");
    board.run(&["/made/fw_setenv", "greeting"]).expect(0);
    assert_eq!(board.environment.get("greeting"), "");
    let script = b"one=1\n# two\ntwo=2\n".to_vec();
    board.run_fed(&["/made/fw_setenv", "-s", "-"], script).expect(0);
    assert_eq!([board.environment.get("one"), board.environment.get("two")], ["1", "2"]);
}

#[test]
fn a_damaged_copy_is_explained_and_repaired_from_the_good_one() {
    for copy in [0, 1] {
        let board = board();
        let before = ours(&board);
        board.twinslot(&["env", "check"]).expect(0);
        board.environment.damage(copy, 64, b"\xFF\x00\xFF");
        let check = board.twinslot(&["env", "check"]);
        assert_ne!(check.code, 0, "a copy is bad: {check}");
        assert!(check.stdout.to_lowercase().contains("crc"), "{check}");
        board.twinslot(&["env", "repair"]).expect(0);
        board.twinslot(&["env", "check"]).expect(0);
        assert_eq!(ours(&board), before);
        let status = board.twinslot(&["status", "--json"]).expect(0).json();
        for copy in [0, 1] {
            assert_eq!(status["environment"]["copies"][copy]["valid"], true, "{status}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let board = board();
    let before = board.environment.copies();
    let word = format!("huge={}", "x".repeat(0x8000));
    let refused = board.twinslot(&["env", "set", &word]);
    assert!([1, 64, 74].contains(&refused.code), "{refused}");
    board.twinslot(&["env", "set", "=value"]).expect(64);
    assert!(board.environment.copies() == before);
}

//! An installation that does not come to its end: what waits meanwhile, and what is left.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::artifacts::{image, kept};
use board::outcome::Outcome;
use board::plan::Plan;
use board::slot::Slot;
use board::{Board, Snapshot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

const ARTIFACT: &str = "v3.9-none-p256.mender";

/// An installation that is writing the slot and waits for the second half of its artifact.
struct Waiting {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Waiting {
    fn start(board: &Board) -> Self {
        let bytes = fs::read(kept(ARTIFACT)).unwrap();
        let mut command = board.command(&["twinslot", "install", "--progress", "json", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdin.write_all(&bytes[..bytes.len() / 2]).unwrap();
        let mut line = String::new();
        while !line.contains("\"write\"") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it ended too soon");
        }
        Self { child, stdin, stdout }
    }

    fn signal(&self, signal: Signal) {
        // `timeout` hands it on to what it runs.
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// How it ends: its input breaks off if it did not end before.
    fn end(mut self, stdin_stays: Option<&mut Vec<ChildStdin>>) -> Outcome {
        match stdin_stays {
            Some(kept) => kept.push(self.stdin),
            None => drop(self.stdin),
        }
        let mut lines = Vec::new();
        self.stdout.read_to_end(&mut lines).unwrap();
        let mut output = self.child.wait_with_output().unwrap();
        output.stdout = lines;
        Outcome::new("install -".to_owned(), &output)
    }
}

/// Nothing is armed, the board runs what it ran, and the next installation succeeds.
#[track_caller]
fn assert_whole(board: &Board, before: &Snapshot) {
    board.assert_untouched(before, "interrupted");
    let magic = board.slot_bytes(Slot::B)[0x438..0x43A].to_vec();
    assert_ne!(magic, [0x53, 0xEF], "half a system can be started");
    let status = board.twinslot(&["status", "--json"]).expect(0).json();
    assert_eq!([&status["state"], &status["booted"]], ["settled", "a"], "{status}");
    let path = board.lend(&kept(ARTIFACT));
    board.twinslot(&["install", &path]).expect(0);
    assert!(board.slot_bytes(Slot::B)[..image().len()] == image());
    board.assert_armed(Slot::B);
}

#[test]
fn a_second_twinslot_finds_the_first_at_work() {
    let board = Board::new(Plan::default());
    let before = board.snapshot();
    let waiting = Waiting::start(&board);
    let path = board.lend(&kept(ARTIFACT));
    for arguments in [&["install", &path][..], &["rollback"], &["commit"]] {
        let refused = board.twinslot(&[&["--progress", "json"], arguments].concat());
        assert_eq!((refused.code, &refused.error_code()[..]), (5, "another-twinslot-runs"));
        board.assert_untouched(&before, "while another runs");
    }
    board.twinslot(&["status"]).expect(0);
    let outcome = waiting.end(None);
    assert_eq!((outcome.code, &outcome.error_code()[..]), (65, "artifact-truncated"));
    assert_whole(&board, &before);
}

#[test]
fn a_signal_stops_it_before_arming_and_it_says_so() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let board = Board::new(Plan::default());
        let before = board.snapshot();
        let waiting = Waiting::start(&board);
        waiting.signal(signal);
        // It must not need more input to notice.
        let mut open = Vec::new();
        let outcome = waiting.end(Some(&mut open));
        assert_eq!((outcome.code, &outcome.error_code()[..]), (1, "interrupted"), "{outcome}");
        assert!(outcome.message().contains("armed"), "says what is left: {outcome}");
        assert_whole(&board, &before);
    }
}

#[test]
fn an_installation_that_is_killed_leaves_the_board_as_it_was() {
    let board = Board::new(Plan::default());
    let before = board.snapshot();
    let mut waiting = Waiting::start(&board);
    // `timeout` cannot hand this one on: its child is meant.
    let id = waiting.child.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let child = children.trim().parse().unwrap();
    kill(Pid::from_raw(child), Signal::SIGKILL).unwrap();
    waiting.child.wait().unwrap();
    assert_whole(&board, &before);
    let why = board.twinslot(&["why"]).expect(0).stdout.clone();
    assert!(why.contains("release-2"), "{why}");
}

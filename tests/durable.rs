//! What the program asks of the kernel, in which order, on real devices: that the flushes of the
//! simulated board are the kernel's, and that records are on the medium when they are believed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::kept;
use board::plan::Plan;
use board::slot::Slot;
use board::tools::{must, program, text};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

const ARTIFACT: &str = "v3.9-gzip-p256.mender";
const CALLS: &str = "trace=write,pwrite64,fsync,fdatasync,rename,unlink,mkdir";

/// Runs twinslot on the board; what it wrote and flushed, in order; each run of writes once.
fn steps(board: &Board, arguments: &[&str]) -> Vec<String> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let command = board.command(&[&["twinslot"], arguments].concat());
    let head = ["-f", "-y", "-qq", "-e", CALLS, "-e", "signal=none", "-o", text(trace.path())];
    let head = head.into_iter().map(OsStr::new).chain([command.get_program()]);
    let all: Vec<_> = head.chain(command.get_args()).collect();
    let mut traced = program("strace", &all);
    let own = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
    must(traced.env_clear().envs(own));
    let lines = fs::read_to_string(trace.path()).unwrap();
    let mut steps: Vec<String> = lines.lines().filter_map(|line| step(board, line)).collect();
    steps.dedup_by(|next, last| next == last && next.starts_with("write"));
    steps
}

/// `1234 fdatasync(5</dev/loop0p3>) = 0` as `flush slot`; none for what is no file of the board,
/// and what did nothing.
fn step(board: &Board, line: &str) -> Option<String> {
    if line.contains(" = -1 E") {
        return None;
    }
    let (call, rest) = line.split_once(' ')?.1.trim_start().split_once('(')?;
    let verb = match call {
        "write" | "pwrite64" => "write",
        "fsync" | "fdatasync" => "flush",
        other => other,
    };
    let path = match call {
        "rename" => rest.split('"').nth(3)?,
        "unlink" | "mkdir" => rest.split('"').nth(1)?,
        _ => rest.split_once('<')?.1.split_once('>')?.0,
    };
    let is = |device: &Path| Path::new(path).file_name() == device.file_name();
    let name = match path.rsplit_once("/data/twinslot") {
        Some((_, "")) => "state",
        Some((_, "/twinslot.lock")) => return None,
        Some((_, name)) => name.trim_start_matches('/'),
        None if path.ends_with("/data") => "data",
        None if is(&board.place(Slot::B).device) => "slot",
        None if is(board.environment.device()) => "environment",
        None => return None,
    };
    Some(format!("{verb} {name}"))
}

#[test]
fn each_step_of_an_update_is_flushed_before_the_next_begins() {
    let mut board = Board::new(Plan::default());
    let path = board.lend(&kept(ARTIFACT));
    let installed = steps(&board, &["install", &path]);
    assert_eq!(installed, INSTALL, "{installed:#?}");
    let disarmed = steps(&board, &["rollback"]);
    assert_eq!(disarmed, ROLLBACK, "{disarmed:#?}");
    // What was in the slot is forgotten for good before the slot is written.
    let again = steps(&board, &["install", &path]);
    let forgotten = ["unlink slot-b.provides", "flush state", "write slot", "flush slot"];
    assert!(again.windows(forgotten.len()).any(|part| part == forgotten), "{again:#?}");
    board.reboot();
    let committed = steps(&board, &["commit"]);
    assert_eq!(committed, COMMIT, "{committed:#?}");
}

const INSTALL: &[&str] = &[
    "mkdir state",
    "flush data",
    // Both copies, before anything is built on them.
    "flush environment",
    "flush environment",
    // Whether the records will find room.
    "write .room.new",
    "flush .room.new",
    "unlink .room.new",
    "flush state",
    "flush environment",
    "flush environment",
    // It is new: its name is made durable, too.
    "write journal",
    "flush journal",
    "flush state",
    // The head is zeroed; the body; the head.
    "write slot",
    "flush slot",
    "write slot",
    "flush slot",
    "write slot",
    "flush slot",
    "write .slot-b.provides.new",
    "flush .slot-b.provides.new",
    "rename slot-b.provides",
    "flush state",
    "flush environment",
    "flush environment",
    "write journal",
    "flush journal",
    // One copy: by who writes it, and by who asks for it.
    "write environment",
    "flush environment",
    "flush environment",
];

/// The way back is on record before it is taken: a boot loader that goes back leaves none.
const ROLLBACK: &[&str] = &[
    "flush environment",
    "flush environment",
    "flush environment",
    "flush environment",
    "write journal",
    "flush journal",
    "write environment",
    "flush environment",
    "flush environment",
    "write journal",
    "flush journal",
];

const COMMIT: &[&str] = &[
    "flush environment",
    "flush environment",
    "flush environment",
    "flush environment",
    "write environment",
    "flush environment",
    "flush environment",
    "write journal",
    "flush journal",
];

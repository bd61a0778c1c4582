//! An installation that was stopped half-way goes on where it was: what the slot holds is neither
//! fetched nor written again. The binary that ships, real artifacts, and what the kernel counted.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts;
use board::plan::Plan;
use board::random::Random;
use board::slot::Slot;
use board::tools::program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};

const MIB: u64 = 1 << 20;
const PAYLOAD_BYTES: u64 = 24 * MIB;
const SLOT_BYTES: u64 = 40 * MIB;

/// Noise and text, so that no block is like another and all are compressed.
fn payload() -> Vec<u8> {
    let (mut random, seed) = Random::seeded();
    println!("TWINSLOT_SEED={seed}");
    let mut payload = Vec::new();
    while u64::try_from(payload.len()).unwrap() < PAYLOAD_BYTES {
        let noise = random.bytes(300_000);
        payload.extend(&noise);
        let lines = (0..20_000).map(|number| format!("{number} {}\n", noise[number] % 4));
        payload.extend(lines.collect::<String>().bytes());
    }
    payload.truncate(usize::try_from(PAYLOAD_BYTES).unwrap() - 1234);
    payload
}

/// A board with room, an image, and mender-artifact's artifact of it.
struct Case {
    board: Board,
    image: Vec<u8>,
    artifact: Vec<u8>,
    config: String,
}

impl Case {
    fn new(compression: &str) -> Self {
        let board = Board::new(Plan { slot_bytes: SLOT_BYTES, ..Plan::default() });
        let image = payload();
        let (from, to) = (board.made("image"), board.made("made.mender"));
        fs::write(&from, &image).unwrap();
        artifacts::write(&to, &from, &["-n", "release-2", "--compression", compression]);
        fs::remove_file(from).unwrap();
        let config = board.config_with("ReadBack", true);
        Self { board, image, artifact: fs::read(to).unwrap(), config }
    }

    fn words<'w>(&'w self, path: &'w str) -> [&'w str; 7] {
        ["twinslot", "--config", &self.config, "--progress", "json", "install", path]
    }

    /// Stops an installation, without a chance to say or do anything, when so many bytes of
    /// the artifact came and nothing more did.
    fn stop_after(&self, bytes: usize) {
        let mut feed = Feed::start(self);
        feed.give(&self.artifact[..bytes]);
        feed.wait_until(|held| held.is_some());
        feed.settle();
        feed.kill();
    }

    fn checkpoint(&self) -> Option<String> {
        fs::read_to_string(self.state("checkpoint")).ok()
    }

    fn state(&self, name: &str) -> PathBuf {
        self.board.root().join("data/twinslot").join(name)
    }

    /// Installs from a file; returns the result and how many bytes of the file were read.
    fn install(&self) -> (Value, u64) {
        let path = self.board.put("whole.mender", &self.artifact);
        let (traces, root) = (tempfile::tempdir().unwrap(), self.board.root());
        // A file a thread: no line comes apart.
        let mut command = program("strace", &["-ff", "-e", "trace=open,openat,read", "-o"]);
        command.arg(traces.path().join("trace")).arg("chroot").arg(root).args(self.words(&path));
        let output = command.env("PATH", "/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin").output();
        let outcome = board::outcome::Outcome::new("install".to_owned(), &output.unwrap());
        let traces = fs::read_dir(traces.path()).unwrap();
        let traces = traces.map(|trace| fs::read_to_string(trace.unwrap().path()).unwrap());
        let read = traces.filter_map(|trace| read_of(&trace, "whole.mender")).sum();
        (outcome.expect(0).result(), read)
    }

    #[track_caller]
    fn assert_installed(&self) {
        assert!(self.board.slot_bytes(Slot::B)[..self.image.len()] == self.image);
        self.board.assert_armed(Slot::B);
        assert_eq!(self.checkpoint(), None);
    }
}

/// What was read of a file, by the trace of the thread that opened it, in bytes.
fn read_of(trace: &str, name: &str) -> Option<u64> {
    let is_opened = |line: &&str| line.starts_with("open") && line.contains(name);
    let mut lines = trace.lines();
    // Its number stood for other files before.
    let opened = lines.by_ref().find(is_opened)?;
    let read = format!("read({},", opened.rsplit(' ').next()?);
    let lines = lines.filter(|line| line.starts_with(&read));
    Some(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

/// An installation from a pipe with a name, which takes for a file whatever comes.
struct Feed<'c> {
    case: &'c Case,
    child: Child,
    pipe: File,
}

impl<'c> Feed<'c> {
    fn start(case: &'c Case) -> Self {
        let path = case.board.made("pipe");
        let name = CString::new(path.to_str().unwrap()).unwrap();
        nix::unistd::mkfifo(name.as_c_str(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut command = case.board.command(&case.words("/made/pipe"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let pipe = OpenOptions::new().write(true).open(path).unwrap();
        Self { case, child, pipe }
    }

    fn give(&mut self, bytes: &[u8]) {
        self.pipe.write_all(bytes).unwrap();
    }

    /// Waits until the checkpoint is as wanted.
    fn wait_until(&self, wanted: impl Fn(Option<String>) -> bool) {
        for _ in 0..600 {
            if wanted(self.case.checkpoint()) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("no checkpoint came");
    }

    /// Waits until no further checkpoint comes.
    fn settle(&self) {
        let mut last = None;
        loop {
            let now = self.case.checkpoint();
            if now == last {
                return;
            }
            last = now;
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }

    fn kill(mut self) {
        // `timeout` cannot hand this one on: its child is meant.
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let child = children.trim().parse().unwrap();
        kill(Pid::from_raw(child), Signal::SIGKILL).unwrap();
        self.child.wait().unwrap();
        let mut said = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_to_string(&mut said).unwrap();
        assert!(said.as_bytes().lines().any(|line| line.unwrap().contains("\"write\"")));
        fs::remove_file(self.case.board.made("pipe")).unwrap();
    }
}

/// Stopped at three quarters, it fetches a third at most.
fn goes_on(compression: &str) {
    let case = Case::new(compression);
    let whole = case.artifact.len();
    let before = case.board.snapshot();
    case.stop_after(whole / 4 * 3);
    case.board.assert_untouched(&before, "stopped");
    let reads = case.board.slot_bytes(Slot::B);
    assert!(reads[..128 << 10].iter().all(|byte| *byte == 0), "half a system can be started");
    let (result, read) = case.install();
    let resumed = result["resumed_bytes"].as_u64().unwrap();
    println!("{compression}: {resumed} of {PAYLOAD_BYTES} bytes resumed, {read} of {whole} read");
    assert!(resumed > PAYLOAD_BYTES / 2, "{result}");
    assert!(read < u64::try_from(whole / 2).unwrap(), "{read} of {whole} bytes were read");
    assert_eq!(result["heap"]["allocations_while_writing"], json!(0), "{result}");
    case.assert_installed();
}

#[test]
fn an_uncompressed_payload_goes_on_where_it_was_stopped() {
    goes_on("none");
}

#[test]
fn a_gzip_payload_as_mender_artifact_writes_it_goes_on_where_it_was_stopped() {
    goes_on("gzip");
}

#[test]
fn an_xz_payload_begins_anew_and_writes_nothing_twice() {
    let case = Case::new("lzma");
    let whole = case.artifact.len();
    let mut feed = Feed::start(&case);
    feed.give(&case.artifact[..whole / 4 * 3]);
    std::thread::sleep(std::time::Duration::from_secs(5));
    feed.kill();
    assert_eq!(case.checkpoint(), None);
    let (result, read) = case.install();
    assert_eq!(result["resumed_bytes"], json!(0));
    assert_eq!(read, u64::try_from(whole).unwrap());
    case.assert_installed();
}

#[test]
fn another_artifact_forgets_how_far_the_first_one_got() {
    let case = Case::new("gzip");
    case.stop_after(case.artifact.len() / 4 * 3);
    let path = case.board.lend(&artifacts::kept("v3.9-gzip-p256.mender"));
    case.board.twinslot(&["install", &path]).expect(0);
    assert_eq!(case.checkpoint(), None);
    case.board.twinslot(&["rollback"]).expect(0);
    let (result, _) = case.install();
    assert_eq!(result["resumed_bytes"], json!(0));
    case.assert_installed();
}

#[test]
fn a_slot_that_was_written_to_meanwhile_is_written_anew() {
    let case = Case::new("gzip");
    case.stop_after(case.artifact.len() / 4 * 3);
    assert!(case.checkpoint().is_some());
    let path = &case.board.place(Slot::B).device;
    let device = OpenOptions::new().write(true).open(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&device, b"fsck was here", 3 * MIB).unwrap();
    device.sync_all().unwrap();
    let (result, _) = case.install();
    assert_eq!(result["resumed_bytes"], json!(0));
    case.assert_installed();
}

#[test]
fn a_checkpoint_that_is_garbled_is_as_good_as_none() {
    let case = Case::new("none");
    case.stop_after(case.artifact.len() / 4 * 3);
    fs::write(case.state("checkpoint"), vec![b'x'; 5000]).unwrap();
    let (result, _) = case.install();
    assert_eq!(result["resumed_bytes"], json!(0));
    case.assert_installed();
}

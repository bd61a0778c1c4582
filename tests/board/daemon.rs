//! A program that goes on beside the test, until it is dropped.

use super::Board;
use super::tools::{program, text};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

pub struct Daemon(Child);

impl Daemon {
    /// What it says is in the board's file `log`.
    pub fn start(board: &Board, mut command: Command) -> Self {
        let log = File::options().append(true).create(true).open(board.made("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    /// As the first process of a namespace of its own, which is all that its reboot ends.
    pub fn start_alone(board: &Board, arguments: &[&str]) -> Self {
        let root = board.root();
        let namespace = ["--pid", "--fork", "--kill-child", "chroot", text(&root)];
        let mut command = program("unshare", &[&namespace, arguments].concat());
        command.env_clear().env("PATH", "/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        Self::start(board, command)
    }

    /// Of the first process of the namespace, below the program that made it.
    fn pid(&self) -> Pid {
        let pid = self.0.id();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            let children = fs::read_to_string(&path).unwrap();
            if let Some(child) = children.split_whitespace().next() {
                return Pid::from_raw(child.parse().unwrap());
            }
            sleep(Duration::from_millis(20));
        }
        panic!("no daemon");
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// A power cut, as far as a process knows one.
    pub fn cut(self) {
        self.signal(Signal::SIGKILL);
        self.ended();
    }

    /// Waits until it has gone down, with its namespace if it has one.
    pub fn ended(mut self) {
        self.0.wait().unwrap();
    }

    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Of all its threads: each is a wakeup.
    pub fn switches(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let count = |path: PathBuf| {
            let status = fs::read_to_string(path.join("status")).unwrap();
            let lines = status.lines().filter(|line| line.contains("_ctxt_switches"));
            let number = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<u64>();
            lines.map(|line| number(line).unwrap()).sum::<u64>()
        };
        tasks.map(|task| count(task.unwrap().path())).sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

//! Runs a program on a board and asks the kernel how much memory it took at most: in the moment
//! before it is gone, when nothing can be added any more. Never looks at its children.

#![allow(dead_code, unreachable_pub, clippy::missing_panics_doc)]

use crate::board::Board;
use crate::board::outcome::Outcome;
use crate::board::tools::program;
use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A run that ended.
pub struct Watched {
    pub outcome: Outcome,
    /// The most memory that was resident at a time, code and all: the kernel's VmHWM, in bytes.
    pub peak_bytes: u64,
    pub wall: Duration,
}

/// How often the kernel is asked whether the program has ended.
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a program in the chroot of a board, itself and nothing around it.
pub fn watch(board: &Board, arguments: &[&str]) -> Watched {
    let mut command = bare(&board.command(arguments));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let peak_bytes = peak(&mut child, start + PATIENCE);
    let wall = start.elapsed();
    let output = child.wait_with_output().unwrap();
    Watched { outcome: Outcome::new(arguments.join(" "), &output), peak_bytes, wall }
}

/// Without the `timeout` around it: that would be the process that is watched.
pub fn bare(command: &Command) -> Command {
    let mut words = command.get_args().skip_while(|word| *word != "chroot");
    let name = words.next().unwrap();
    let mut bare = program(name, &words.collect::<Vec<_>>());
    bare.env_clear();
    bare.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bare
}

/// Follows the program to its end and stops it there.
fn peak(child: &mut Child, until: Instant) -> u64 {
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    ptrace::seize(pid, Options::PTRACE_O_TRACEEXIT).unwrap();
    loop {
        match waitpid(pid, Some(WaitPidFlag::WNOHANG)).unwrap() {
            WaitStatus::StillAlive if Instant::now() > until => child.kill().unwrap(),
            WaitStatus::StillAlive => thread::sleep(PAUSE),
            WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal).unwrap(),
            WaitStatus::PtraceEvent(..) => break,
            ended => panic!("{ended:?} without the stop before it"),
        }
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    ptrace::detach(pid, None).unwrap();
    high_water(&status) << 10
}

/// In KiB.
fn high_water(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

//! Runs a program on a board and watches how much memory it takes at most. Never in its way: it
//! looks from outside, at what the kernel says of the process.

#![allow(dead_code, unreachable_pub, clippy::missing_panics_doc)]

use crate::board::Board;
use crate::board::outcome::Outcome;
use crate::board::tools::program;
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

/// How often the kernel is asked. The peak only grows, so the last answer is the one that counts,
/// and what is missed is what the last moment added to it.
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a program in the chroot of a board, itself and nothing around it.
pub fn watch(board: &Board, arguments: &[&str]) -> Watched {
    let mut command = bare(&board.command(arguments));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let peak_bytes = peak(&mut child, start);
    let wall = start.elapsed();
    let output = child.wait_with_output().unwrap();
    Watched { outcome: Outcome::new(arguments.join(" "), &output), peak_bytes, wall }
}

/// Without the `timeout` around it: that would be the process that is watched.
fn bare(command: &Command) -> Command {
    let mut words = command.get_args().skip_while(|word| *word != "chroot");
    let name = words.next().unwrap();
    let mut bare = program(name, &words.collect::<Vec<_>>());
    bare.env_clear();
    bare.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bare
}

fn peak(child: &mut Child, start: Instant) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        peak_kib = high_water(&text).unwrap_or(peak_kib).max(peak_kib);
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
        thread::sleep(PAUSE);
    }
    assert!(peak_kib > 0, "the program was gone before it could be looked at");
    peak_kib << 10
}

/// In KiB. A process that has ended and was not waited for has none.
fn high_water(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

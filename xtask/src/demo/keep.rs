//! The demo's board kept on, for a person at its console. Line by line: the terminal edits, the
//! board runs.

use crate::e2e::bench::Bench;
use anyhow::Result;
use std::io::{BufRead, stdin};
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;
use std::time::Duration;

/// What a kernel says last.
const OFF: &str = "reboot: Power down";
/// How often the terminal is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Boots the board once more, with its console here, until it is switched off or the input ends.
pub(super) fn console(bench: &mut Bench<'_>) -> Result<()> {
    println!("\n== The board's console; `poweroff` there, or Ctrl-D or Ctrl-C here, ends it\n");
    bench.power_off()?;
    bench.show_console();
    bench.boot()?;
    let (sender, lines) = channel();
    thread::spawn(move || {
        let lines = stdin().lock().lines();
        lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    loop {
        match lines.try_recv() {
            Ok(line) => bench.running()?.send(&line)?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => break,
        }
        if bench.running()?.console.expect(&[OFF], LOOK).is_ok() {
            break;
        }
    }
    println!();
    Ok(())
}

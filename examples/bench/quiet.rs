//! Waits until nobody else works on this machine. Never longer than a moment: figures of a busy
//! machine are told to be that.

use std::fs;
use std::thread;
use std::time::Duration;

/// One look, and how many of them at most.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: u32 = 25;

/// How busy all processors together may be during a look, in ticks of 10 ms.
const TICKS: u64 = 4;

/// Whether the machine became quiet.
pub(crate) fn wait() -> bool {
    (0..LOOKS).any(|_| {
        let before = busy_ticks();
        thread::sleep(LOOK);
        busy_ticks() - before <= TICKS
    })
}

/// Time not idle since the machine started: proc_stat(5), all but the fields idle and iowait.
fn busy_ticks() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let fields = text.lines().next().unwrap().split_whitespace().skip(1).take(8).enumerate();
    let busy = fields.filter(|(index, _)| ![3, 4].contains(index));
    busy.map(|(_, ticks)| ticks.parse::<u64>().unwrap()).sum()
}

//! What a server costs: an installation over HTTPS against the same from a file, and a daemon that
//! has nothing to do. The server is on this machine, and its work slows the installation down.

use crate::figures::{Limit, Series};
use crate::peak::Watched;
use crate::quiet;
use crate::rounds::{Bench, Keys, mib};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

const ROUNDS: usize = 5;
const ARTIFACT: &str = "gzip.mender";

/// How much longer it may take than from a file, and how much more memory it may have, in MiB.
const TIMES: f64 = 1.15;
const MORE_MIB: f64 = 4.0;

/// What an idle daemon may have, in MiB.
const IDLE_MIB: f64 = 4.0;
/// Until a daemon has asked all that it asks at its start, and for how long it is looked at then.
const START: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(10);

/// A server, as `cargo xtask bench` tells it.
pub(crate) struct Served {
    /// Without a path.
    pub(crate) url: String,
    /// PEM.
    pub(crate) root: PathBuf,
}

/// Measures, tells the figures, and returns what must hold.
pub(crate) fn run(bench: &Bench, served: &Served) -> Vec<Limit> {
    let root = bench.board.lend(&served.root);
    let (file, url) = (format!("/mnt/{ARTIFACT}"), format!("{}/{ARTIFACT}", served.url));
    let mut figures = [const { (Series::new(), Series::new()) }; 2];
    let mut noisy = 0;
    for _ in 0..ROUNDS {
        for ((walls, peaks), source) in figures.iter_mut().zip([&file, &url]) {
            noisy += usize::from(!quiet::wait());
            let Watched { wall, peak_bytes, .. } = bench.install(source, keys(&root));
            walls.add(wall.as_secs_f64());
            peaks.add(mib(peak_bytes));
        }
    }
    println!("{:<40}    least   median     most", "gzip from a server");
    for ((walls, peaks), says) in figures.iter().zip(["from a file", "over HTTPS"]) {
        println!("  {says:<36} s {walls}");
        println!("  {:<34} MiB {peaks}", "peak");
    }
    if noisy > 0 {
        println!("  others worked here in {noisy} installations: times say little");
    }
    let [(file_walls, file_peaks), (walls, peaks)] = &figures;
    let mut limits = vec![
        limit(
            "gzip over HTTPS, of the time from a file",
            walls.least() / file_walls.least(),
            TIMES,
        ),
        limit("its peak over that from a file, MiB", peaks.most() - file_peaks.least(), MORE_MIB),
    ];
    limits.extend(idle(bench, &served.url, &root));
    limits
}

fn limit(what: &str, found: f64, at_most: f64) -> Limit {
    Limit { what: what.to_owned(), found, at_most }
}

/// All is written, and nothing is read from the slot.
fn keys(root: &str) -> Keys {
    object(json!({ "ReadBack": false, "SkipUnchanged": false, "ServerCertificate": root }))
}

/// A daemon that has asked whether an update waits, and will ask again in half an hour.
fn idle(bench: &Bench, url: &str, root: &str) -> [Limit; 2] {
    let config = bench.configuration(object(json!({
        "ServerURL": url,
        "ServerCertificate": root,
        "ControlSocket": "/made/twinslot.sock",
    })));
    let daemon = Daemon::start(bench, &config);
    sleep(START);
    let before = daemon.wakeups();
    sleep(LOOK);
    let wakeups = daemon.wakeups() - before;
    let resident = mib(field(&daemon.status(), "VmRSS:") << 10);
    println!("an idle daemon: {resident:.2} MiB, {wakeups} wakeups in {} s", LOOK.as_secs());
    [
        limit("idle daemon, MiB", resident, IDLE_MIB),
        limit("its wakeups between two polls", f64::from(u32::try_from(wakeups).unwrap()), 0.0),
    ]
}

/// Ended with this.
struct Daemon(Child);

impl Daemon {
    fn start(bench: &Bench, config: &str) -> Self {
        let words = ["twinslot", "--config", config, "daemon"];
        let mut command = crate::peak::bare(&bench.board.command(&words));
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn status(&self) -> String {
        fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap()
    }

    /// How often any of its threads gave its processor up or lost it, so far.
    fn wakeups(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        tasks.map(|task| switches(&task.unwrap().path())).sum()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn switches(task: &Path) -> u64 {
    let status = fs::read_to_string(task.join("status")).unwrap();
    field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:")
}

/// A number of a status file: proc_pid_status(5).
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

fn object(value: Value) -> Keys {
    match value {
        Value::Object(keys) => keys,
        other => panic!("{other} is no object"),
    }
}

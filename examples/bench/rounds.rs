//! The rounds of a bench: what is measured, in which order, and what must come out.

use crate::artifacts::{PACKED, Packed};
use crate::board::Board;
use crate::board::plan::{Layout, Plan, Userland};
use crate::board::slot::Slot;
use crate::board::tools::{must, program, text};
use crate::figures::{Limit, Series};
use crate::peak::{Watched, watch};
use crate::served::{self, Served};
use crate::{quiet, stage};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use twinslot::stream::decode::Coding;

const MIB: u64 = 1 << 20;

/// A way to configure the installation.
struct Way {
    says: &'static str,
    read_back: bool,
    skip_unchanged: bool,
}

/// Keys of a configuration.
pub(crate) type Keys = Map<String, Value>;

impl Way {
    fn keys(&self) -> Keys {
        let keys = [("ReadBack", self.read_back), ("SkipUnchanged", self.skip_unchanged)];
        keys.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
    }
}

/// In this order: the slot holds noise at first, and the image from then on.
const WAYS: [Way; 4] = [
    Way { says: "install, compare, no read-back", read_back: false, skip_unchanged: true },
    Way { says: "install again, all unchanged", read_back: false, skip_unchanged: true },
    Way { says: "install, no compare, no read-back", read_back: false, skip_unchanged: false },
    Way { says: "install, no compare, read-back", read_back: true, skip_unchanged: false },
];

/// Which of them the limits on time are about: nothing is read from the slot but by choice.
const LIMITED: [usize; 2] = [0, 2];

const STAGES: [&str; 3] = ["decode alone", "digest alone", "write alone"];

/// The board of a bench, and where its artifacts lie.
pub(crate) struct Bench {
    shelf: PathBuf,
    pub(crate) board: Board,
    image_bytes: u64,
}

/// What was measured of one artifact. Times are in seconds, memory is in MiB.
#[derive(Default)]
struct Measured {
    stages: [Series; STAGES.len()],
    ways: [Series; WAYS.len()],
    /// Of all ways.
    peak: Series,
    mender: Series,
    mender_peak: Series,
    /// Rounds that others worked in.
    noisy: usize,
}

impl Bench {
    /// A board with slots that the image fits, its loop devices past the page cache.
    pub(crate) fn new(shelf: PathBuf) -> Self {
        let image_bytes = fs::metadata(shelf.join("image.ext4")).unwrap().len();
        let plan = Plan {
            layout: Layout::WholeLoops,
            userland: Userland::Debian,
            slot_bytes: image_bytes + 4 * MIB,
            ..Plan::default()
        };
        let mut board = Board::new(plan);
        let slot = &board.place(Slot::B).device;
        must(&mut program("losetup", &["--direct-io=on", text(slot)]));
        board.mount(&["--bind"], &shelf, "/mnt");
        Self { shelf, board, image_bytes }
    }

    /// Runs all rounds, tells the figures, and returns what must hold.
    pub(crate) fn run(&self, served: &Served) -> Vec<Limit> {
        // The first write to a file takes its room on the disk, which none after it has to.
        stage::write(self.slot(), self.image_bytes);
        let mut limits = Vec::new();
        for packed in &PACKED {
            let mut measured = Measured::default();
            for _ in 0..packed.rounds {
                self.round(packed, &mut measured);
            }
            measured.tell(packed.name);
            measured.limit(packed, &mut limits);
        }
        limits.extend(served::run(self, served));
        limits
    }

    /// The board's configuration with these keys; where the board sees it.
    pub(crate) fn configuration(&self, keys: Keys) -> String {
        let mut config = self.board.config();
        config.extend(keys);
        self.board.put("bench.conf", Value::Object(config).to_string().as_bytes())
    }

    fn slot(&self) -> &Path {
        &self.board.place(Slot::B).device
    }

    fn round(&self, packed: &Packed, measured: &mut Measured) {
        let artifact = self.shelf.join(packed.file());
        measured.noisy += usize::from(!quiet::wait());
        let stages = [
            stage::decode(&artifact, packed.coding),
            stage::digest(self.image_bytes),
            stage::write(self.slot(), self.image_bytes),
        ];
        let series = measured.stages.iter_mut();
        series.zip(stages).for_each(|(series, time)| series.add(time.as_secs_f64()));
        for (way, series) in WAYS.iter().zip(&mut measured.ways) {
            let source = format!("/mnt/{}", packed.file());
            let watched = self.install(&source, way.keys());
            let result = watched.outcome.result();
            assert_eq!(result["heap"]["allocations_while_writing"], 0, "{}", watched.outcome);
            series.add(watched.wall.as_secs_f64());
            measured.peak.add(mib(watched.peak_bytes));
        }
        if packed.mender {
            let watched = self.mender(packed);
            measured.mender.add(watched.wall.as_secs_f64());
            measured.mender_peak.add(mib(watched.peak_bytes));
        }
    }

    /// Installs from a file or a URL, with these keys in the configuration, and rolls back.
    pub(crate) fn install(&self, source: &str, keys: Keys) -> Watched {
        let config = self.configuration(keys);
        let words = ["twinslot", "--config", &config, "--progress", "json", "install", source];
        let watched = watch(&self.board, &words);
        watched.outcome.expect(0);
        self.board.twinslot(&["--config", &config, "rollback"]).expect(0);
        watched
    }

    fn mender(&self, packed: &Packed) -> Watched {
        let source = format!("/mnt/{}", packed.file());
        let watched = watch(&self.board, &["mender", "--no-syslog", "install", &source]);
        watched.outcome.expect(0);
        self.forget_mender();
        watched
    }

    /// Debian's client gives an armed update up after a reboot only.
    fn forget_mender(&self) {
        let number = self.board.place(Slot::A).number;
        let (decimal, hex) = (number.to_string(), format!("{number:x}"));
        self.board.environment.set(&[
            ("mender_boot_part", &decimal),
            ("mender_boot_part_hex", &hex),
            ("upgrade_available", "0"),
        ]);
        fs::remove_file(self.board.root().join("data/mender/mender-store")).unwrap();
    }
}

impl Measured {
    fn slowest_stage(&self) -> f64 {
        self.stages.iter().map(Series::least).fold(0.0, f64::max)
    }

    fn tell(&self, name: &str) {
        println!("{name:<40}    least   median     most   of the slowest stage");
        for (says, series) in STAGES.iter().zip(&self.stages) {
            println!("  {says:<36} s {series}");
        }
        for (way, series) in WAYS.iter().zip(&self.ways) {
            println!("  {:<36} s {series} {:8.2}", way.says, series.least() / self.slowest_stage());
        }
        println!("  {:<34} MiB {}", "peak of them all", self.peak);
        if !self.mender.is_empty() {
            println!("  {:<36} s {}", "mender install", self.mender);
            println!("  {:<34} MiB {}", "peak", self.mender_peak);
        }
        if self.noisy > 0 {
            println!("  others worked here in {} rounds: times say little", self.noisy);
        }
        println!();
    }

    fn limit(&self, packed: &Packed, limits: &mut Vec<Limit>) {
        let name = packed.name;
        let mut limit = |what: &str, found, at_most| {
            limits.push(Limit { what: format!("{name}: {what}"), found, at_most });
        };
        limit("peak, MiB", self.peak.most(), mib(packed.peak_bytes));
        if packed.coding == Coding::Gzip {
            for way in LIMITED {
                let what = format!("{}, of the slowest stage", WAYS[way].says);
                limit(&what, self.ways[way].least() / self.slowest_stage(), 1.25);
                let what = format!("{}, of mender's time", WAYS[way].says);
                limit(&what, self.ways[way].least() / self.mender.least(), 0.5);
            }
            limit("peak, of mender's", self.peak.most() / self.mender_peak.least(), 0.2);
        }
    }
}

pub(crate) fn mib(bytes: u64) -> f64 {
    // Exact: the kernel counts whole pages, and nothing here is larger than 4 TiB.
    f64::from(u32::try_from(bytes >> 10).unwrap()) / 1024.0
}

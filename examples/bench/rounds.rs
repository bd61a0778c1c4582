//! The rounds of a bench: what is measured, in which order, and what must come out.

use crate::artifacts::{PACKED, Packed};
use crate::board::Board;
use crate::board::plan::{Layout, Plan, Userland};
use crate::board::slot::Slot;
use crate::board::tools::{must, program, text};
use crate::figures::{Limit, Series};
use crate::peak::{Watched, watch};
use crate::stage;
use serde_json::Value;
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

/// In this order: the slot holds noise at first, and the image from then on.
const WAYS: [Way; 4] = [
    Way { says: "install, compare, no read-back", read_back: false, skip_unchanged: true },
    Way { says: "install again, all unchanged", read_back: false, skip_unchanged: true },
    Way { says: "install, no compare, no read-back", read_back: false, skip_unchanged: false },
    Way { says: "install, no compare, read-back", read_back: true, skip_unchanged: false },
];

/// The board of a bench, and where its artifacts lie.
pub(crate) struct Bench {
    shelf: PathBuf,
    board: Board,
    image_bytes: u64,
}

/// What was measured of one artifact.
#[derive(Default)]
struct Measured {
    /// Decode, digest, write, each alone.
    stages: [Series; 3],
    ways: [Series; WAYS.len()],
    /// Each way's time in parts of the slowest stage's in the same round.
    ratios: [Series; WAYS.len()],
    peak_mib: Series,
    mender: Series,
    mender_peak_mib: Series,
    /// The plain installation's time and memory in parts of mender's in the same round.
    beside_mender: [Series; 2],
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
    pub(crate) fn run(&self) -> Vec<Limit> {
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
        limits
    }

    fn slot(&self) -> &Path {
        &self.board.place(Slot::B).device
    }

    fn round(&self, packed: &Packed, measured: &mut Measured) {
        let artifact = self.shelf.join(packed.file());
        let stages = [
            stage::decode(&artifact, packed.coding),
            stage::digest(self.image_bytes),
            stage::write(self.slot(), self.image_bytes),
        ];
        let slowest = stages.iter().max().unwrap().as_secs_f64();
        measured.stages.iter_mut().zip(stages).for_each(|(series, time)| series.add_time(time));
        let mut plain = (0.0, 0.0);
        for (index, way) in WAYS.iter().enumerate() {
            let watched = self.install(packed, way);
            let seconds = watched.wall.as_secs_f64();
            measured.ways[index].add(seconds);
            measured.ratios[index].add(seconds / slowest);
            measured.peak_mib.add(mib(watched.peak_bytes));
            if !way.read_back && !way.skip_unchanged {
                plain = (seconds, mib(watched.peak_bytes));
            }
        }
        if packed.mender {
            let watched = self.mender(packed);
            let (seconds, peak_mib) = (watched.wall.as_secs_f64(), mib(watched.peak_bytes));
            measured.mender.add(seconds);
            measured.mender_peak_mib.add(peak_mib);
            measured.beside_mender[0].add(plain.0 / seconds);
            measured.beside_mender[1].add(plain.1 / peak_mib);
        }
    }

    fn install(&self, packed: &Packed, way: &Way) -> Watched {
        let mut config = self.board.config();
        config.insert("ReadBack".to_owned(), way.read_back.into());
        config.insert("SkipUnchanged".to_owned(), way.skip_unchanged.into());
        let config = self.board.put("way.conf", Value::Object(config).to_string().as_bytes());
        let source = format!("/mnt/{}", packed.file());
        let words = ["twinslot", "--config", &config, "--progress", "json", "install", &source];
        let watched = watch(&self.board, &words);
        let result = watched.outcome.expect(0).result();
        assert_eq!(result["heap"]["allocations_while_writing"], 0, "{}", watched.outcome);
        self.board.twinslot(&["--config", &config, "rollback"]).expect(0);
        watched
    }

    fn mender(&self, packed: &Packed) -> Watched {
        let source = format!("/mnt/{}", packed.file());
        let watched = watch(&self.board, &["mender", "--no-syslog", "install", &source]);
        watched.outcome.expect(0);
        self.board.mender(&["rollback"]).expect(0);
        watched
    }
}

impl Measured {
    fn tell(&self, name: &str) {
        println!("{name:<42}      min   median      max   of the slowest stage");
        let stages = ["decode alone", "digest alone", "write alone"];
        for (says, series) in stages.iter().zip(&self.stages) {
            println!("  {says:<36} s {series}");
        }
        for (way, (series, ratio)) in WAYS.iter().zip(self.ways.iter().zip(&self.ratios)) {
            println!("  {:<36} s {series} {:8.2}", way.says, ratio.median());
        }
        println!("  {:<34} MiB {}", "install, peak", self.peak_mib);
        if !self.mender.is_empty() {
            println!("  {:<36} s {}", "mender install", self.mender);
            println!("  {:<34} MiB {}", "mender install, peak", self.mender_peak_mib);
        }
        println!();
    }

    fn limit(&self, packed: &Packed, limits: &mut Vec<Limit>) {
        let name = packed.name;
        let mut limit = |what: &str, found, at_most| {
            limits.push(Limit { what: format!("{name}: {what}"), found, at_most });
        };
        limit("peak, MiB", self.peak_mib.max(), mib(packed.peak_bytes));
        if packed.coding == Coding::Gzip {
            for index in [0, 2] {
                let what = format!("{}, of the slowest stage", WAYS[index].says);
                limit(&what, self.ratios[index].median(), 1.25);
            }
            limit("time, of mender's", self.beside_mender[0].median(), 0.5);
            limit("peak, of mender's", self.beside_mender[1].median(), 0.2);
        }
    }
}

fn mib(bytes: u64) -> f64 {
    // Exact: the kernel counts whole pages, and nothing here is larger than 4 TiB.
    f64::from(u32::try_from(bytes >> 10).unwrap()) / 1024.0
}

//! Memory depends on the decoder that an artifact chooses, never on the size of the artifact or
//! of the disk: the binary that ships, watched from outside while it installs.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;
#[path = "fixed_memory/peak.rs"]
mod peak;

use board::Board;
use board::forge::{Compression, Forge, pipe};
use board::plan::Plan;
use board::random::Random;
use board::refuser::Refuser;
use board::slot::Slot;
use board::tools::{must, program, text, twinslot, twinslot_aarch64};
use peak::{Watched, watch};
use serde_json::{Value, json};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// What the forge's zstd asks for, and what `xz` below does.
const ZSTD_WINDOW: u64 = 2 * MIB;
const XZ_DICTIONARY: u64 = 4 * MIB;

/// One larger than every window and dictionary here, and one six times that.
const PAYLOADS: [u64; 2] = [8 * MIB, 48 * MIB];

/// Of the whole process, its code and the pool included.
const PEAK: u64 = 6 * MIB;
const PEAK_BESIDE_WINDOW: u64 = 8 * MIB;

/// By how much two peaks may differ that are the same: older kernels count in batches.
const SAME: u64 = 256 * KIB;

/// Of the heap: configuration, journal and environment, whatever the artifact is.
const OWN: u64 = 64 * KIB;

/// Noise and repetition, so that every window and table of a decoder is put to use.
fn payload(bytes: u64) -> Vec<u8> {
    let (mut random, seed) = Random::seeded();
    println!("TWINSLOT_SEED={seed}");
    let mut payload = Vec::new();
    for _ in 0..bytes / MIB {
        let noise = random.bytes(128 << 10);
        let line = |number: usize| format!("line {number} of {}\n", noise[number]);
        let lines: String = (0..1024).map(line).collect();
        payload.extend(&noise);
        payload.extend(lines.bytes().cycle().take(768 << 10));
        payload.extend(&noise);
    }
    payload
}

fn artifact(compression: Compression, payload_bytes: u64) -> Vec<u8> {
    let squeeze = match compression {
        Compression::Xz => |bytes: Vec<u8>| {
            let plain = pipe(&["xz", "-dc"], &bytes);
            pipe(&["xz", "--lzma2=preset=0,dict=4MiB", "-c"], &plain)
        },
        _ => |bytes| bytes,
    };
    let forge = Forge {
        payload: payload(payload_bytes),
        header_compression: compression,
        data_compression: compression,
        squeeze,
        ..Forge::default()
    };
    forge.build()
}

/// Installs, checks what every installation must keep to, and makes the board as before.
#[track_caller]
fn install(board: &Board, config: &str, artifact: &[u8]) -> (Watched, u64) {
    let path = board.put("large.mender", artifact);
    let words = ["twinslot", "--config", config, "--progress", "json", "install", &path];
    let watched = watch(board, &words);
    let result = watched.outcome.expect(0).result();
    let heap = &result["heap"];
    assert_eq!(heap["allocations_while_writing"], json!(0), "{}", watched.outcome);
    let heap_bytes = heap["peak_bytes"].as_u64().unwrap();
    board.twinslot(&["rollback"]).expect(0);
    (watched, heap_bytes)
}

#[track_caller]
fn assert_fixed(compression: Compression, peak_max: u64, heap_max: u64) {
    let plan = Plan { slot_bytes: PAYLOADS[1] + MIB, ..Plan::default() };
    let board = Board::new(plan);
    let config = board.config_with("ReadBack", true);
    let seen = PAYLOADS.map(|bytes| {
        let (watched, heap_bytes) = install(&board, &config, &artifact(compression, bytes));
        let peak = watched.peak_bytes;
        println!("{compression:?}, {bytes} bytes: peak {peak}, heap {heap_bytes}");
        assert!(peak <= peak_max, "{peak} of {peak_max} bytes for {bytes} bytes");
        assert!(heap_bytes <= heap_max, "{heap_bytes} of {heap_max} bytes of heap");
        (peak, heap_bytes)
    });
    let [small, large] = seen;
    assert!(large.0.abs_diff(small.0) <= SAME, "{small:?} {large:?}");
    assert!(large.1.abs_diff(small.1) <= KIB, "{small:?} {large:?}");
}

#[test]
fn uncompressed_payload_of_any_size_takes_the_same_memory() {
    assert_fixed(Compression::None, PEAK, OWN);
}

#[test]
fn gzip_payload_of_any_size_takes_the_same_memory() {
    assert_fixed(Compression::Gzip, PEAK, OWN + 80 * KIB);
}

#[test]
fn zstd_payload_of_any_size_takes_its_window_and_the_same_memory() {
    let heap_max = OWN + ZSTD_WINDOW + 1536 * KIB;
    assert_fixed(Compression::Zstd, PEAK_BESIDE_WINDOW + ZSTD_WINDOW, heap_max);
}

#[test]
fn xz_payload_of_any_size_takes_its_dictionary_and_the_same_memory() {
    let heap_max = OWN + XZ_DICTIONARY + 64 * KIB;
    assert_fixed(Compression::Xz, PEAK_BESIDE_WINDOW + XZ_DICTIONARY, heap_max);
}

#[test]
fn a_disk_of_any_size_takes_the_same_memory() {
    let artifact = artifact(Compression::Gzip, MIB);
    let peaks = [8 * MIB, 96 * MIB].map(|slot_bytes| {
        let board = Board::new(Plan { slot_bytes, ..Plan::default() });
        let config = board.config_with("ReadBack", true);
        install(&board, &config, &artifact).0.peak_bytes
    });
    assert!(peaks[0].abs_diff(peaks[1]) <= SAME, "{peaks:?}");
}

#[test]
fn memory_max_itself_is_allowed_and_a_dictionary_above_it_is_refused_before_it_is_taken() {
    let refuser = Refuser::new();
    let board = &refuser.board;
    let (artifact, below) = (artifact(Compression::Xz, 8 * MIB), XZ_DICTIONARY - 1);
    let path = board.put("large.mender", &artifact);
    let config = board.config_with("MemoryMax", below);
    let words = ["twinslot", "--config", &config, "--progress", "json", "install", &path];
    let watched = watch(board, &words);
    refuser.assert_refused("a dictionary above MemoryMax", &watched.outcome);
    refuser.assert_slot_untouched("a dictionary above MemoryMax");
    assert_eq!(watched.outcome.expect(65).error_code(), "window-too-large");
    let message = watched.outcome.message();
    assert!(message.contains(&XZ_DICTIONARY.to_string()), "{message}");
    assert!(message.contains(&below.to_string()), "{message}");
    assert!(watched.peak_bytes <= XZ_DICTIONARY, "{} bytes", watched.peak_bytes);

    let config = board.config_with("MemoryMax", Value::from(XZ_DICTIONARY));
    install(board, &config, &artifact);
    assert_eq!(board.slot_bytes(Slot::B).len(), 16 << 20);
}

/// The budget of linker/budget.ld, in bytes.
fn budget() -> u64 {
    let script = include_str!("../linker/budget.ld");
    let line = script.lines().find_map(|line| line.strip_prefix("pool_max = "));
    let mib = line.unwrap().strip_suffix("M;").unwrap();
    mib.parse::<u64>().unwrap() * MIB
}

#[test]
fn the_pool_of_the_binaries_is_the_buffers_and_nothing_else_and_within_the_budget() {
    let buffers = u64::try_from(size_of::<twinslot::memory::Buffers>()).unwrap();
    assert!(buffers <= budget());
    for binary in [twinslot(), twinslot_aarch64()] {
        let sections = must(&mut program("readelf", &["-SW", text(&binary)]));
        let line = sections.lines().find_map(|line| line.split_once(" .bss.pool ")).unwrap().1;
        let fields: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(fields[0], "NOBITS", "{line}");
        assert_eq!(u64::from_str_radix(fields[3], 16), Ok(buffers), "{line}");
    }
}

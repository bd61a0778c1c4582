//! Bad payloads, and good artifacts that a cable or a disk has damaged. Some of these are seen
//! only when the slot is being written: then it cannot be started, and nothing is armed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::artifacts::{image, kept};
use board::forge::{Compression, Forge, pipe};
use board::outcome::Outcome;
use board::random::Random;
use board::refuser::Refuser;
use board::slot::Slot;
use board::tar;
use std::collections::BTreeSet;
use std::fs;

/// Refuses the forge with this code, whether or not writing has begun.
#[track_caller]
fn refuse(refuser: &Refuser, what: &str, code: &str, forge: &Forge) -> Outcome {
    let outcome = refuser.refuse(what, &forge.build());
    outcome.expect(65);
    assert_eq!(outcome.error_code(), code, "{what}: {outcome}");
    outcome
}

#[test]
fn a_payload_that_is_not_what_the_manifest_says() {
    let refuser = Refuser::new();
    let payload = image();
    let data = |name: &str, bytes: &[u8]| Some(tar::archive(&[tar::member(name, bytes)]));
    let mut flipped = payload.clone();
    flipped[1_234_567] ^= 0x10;
    let more = [&payload[..], &[0; 512]].concat();
    for (what, bytes) in [
        ("a flipped bit", &flipped[..]),
        ("a block less", &payload[..payload.len() - 512]),
        ("a block more", &more),
        ("one byte", b"x"),
    ] {
        let forge = Forge { data: data("rootfs.ext4", bytes), ..Forge::default() };
        refuse(&refuser, what, "digest-mismatch", &forge);
    }
    let refuser = Refuser::new();
    let empty = Forge { data: data("rootfs.ext4", b""), ..Forge::default() };
    refuse(&refuser, "no bytes", "artifact-malformed", &empty);
    refuser.assert_slot_untouched("no bytes");
}

#[test]
fn a_data_archive_that_holds_something_else() {
    let refuser = Refuser::new();
    let payload = || tar::member("rootfs.ext4", &image());
    let other = tar::member("other.ext4", &image());
    let twice = [payload(), payload()];
    let mut hidden = tar::archive(&[payload()]);
    hidden.extend([1; 512]);
    let huge = tar::framed(tar::header("rootfs.ext4", (1 << 33) - 1, b'0'), b"short");
    let negative = {
        let mut header = tar::header("rootfs.ext4", 0, b'0');
        header[124..136].fill(0xFF);
        tar::seal(&mut header);
        tar::framed(header, &image())
    };
    for (what, code, data) in [
        ("another name", "artifact-malformed", tar::archive(std::slice::from_ref(&other))),
        ("no member", "artifact-malformed", tar::archive(&[])),
        ("two members", "artifact-malformed", tar::archive(&twice)),
        ("one more member", "artifact-malformed", tar::archive(&[payload(), other])),
        ("bytes behind the end", "artifact-trailing-data", hidden),
        ("a size of 8 GiB", "payload-too-large", tar::archive(&[huge])),
        ("a negative size", "artifact-malformed", tar::archive(&[negative])),
        ("no end", "artifact-truncated", payload()),
        ("half a header", "artifact-truncated", payload()[..256].to_vec()),
    ] {
        let forge = Forge { data: Some(data), ..Forge::default() };
        refuse(&refuser, what, code, &forge);
    }
}

#[test]
fn pax_records_that_lie_about_the_payload() {
    let refuser = Refuser::new();
    let size = image().len();
    let member = || tar::member("rootfs.ext4", &image());
    let sized = |size: &str| [tar::pax(&[("size", size)]), member()].concat();
    let zero = |size: &str| {
        let header = tar::header("rootfs.ext4", 0, b'0');
        [tar::pax(&[("size", size)]), tar::framed(header, &image())].concat()
    };
    for (what, code, member) in [
        ("shorter than it is", "artifact-malformed", sized("512")),
        ("longer than it is", "artifact-truncated", sized(&(size + 512).to_string())),
        ("9 GiB", "payload-too-large", zero("9663676416")),
        ("2 to the 63", "artifact-malformed", zero("9223372036854775808")),
    ] {
        let forge = Forge { data: Some(tar::archive(&[member])), ..Forge::default() };
        refuse(&refuser, what, code, &forge);
    }
    // mender-artifact's own way with large files: ustar says 0, PAX says how much.
    let forge = Forge { data: Some(tar::archive(&[zero(&size.to_string())])), ..Forge::default() };
    let path = refuser.board.put("good.mender", &forge.build());
    refuser.board.twinslot(&["install", &path]).expect(0);
    assert!(refuser.board.slot_bytes(Slot::B)[..size] == image());
}

#[test]
fn compressed_bombs_and_broken_streams() {
    let refuser = Refuser::new();
    let bomb = |compression| Forge {
        data: Some([tar::archive(&[tar::member("rootfs.ext4", &image())]), zeros()].concat()),
        data_compression: compression,
        ..Forge::default()
    };
    // A tar's end may be padded, but not by 128 MiB.
    for compression in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
        let forge = Forge { payload: b"small".to_vec(), ..bomb(compression) };
        refuse(&refuser, "longer than signed", "artifact-trailing-data", &forge);
        refuse(&refuser, "endless padding", "artifact-trailing-data", &bomb(compression));
    }
    for (what, code, squeeze) in SQUEEZES {
        for data_compression in [Compression::Gzip, Compression::Xz, Compression::Zstd] {
            let forge = Forge { data_compression, squeeze: *squeeze, ..Forge::default() };
            refuse(&refuser, &format!("{what}, {data_compression:?}"), code, &forge);
        }
    }
    let mislabelled = Forge {
        data_compression: Compression::Gzip,
        squeeze: |_| Compression::Zstd.compress(b"no gzip"),
        ..Forge::default()
    };
    refuse(&refuser, "another format than its name", "artifact-damaged", &mislabelled);
}

type Squeeze = (&'static str, &'static str, fn(Vec<u8>) -> Vec<u8>);

const SQUEEZES: &[Squeeze] = &[
    ("nothing", "artifact-truncated", |_| Vec::new()),
    ("half a stream", "artifact-truncated", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("a stream without its last byte", "artifact-truncated", |bytes| {
        bytes[..bytes.len() - 1].to_vec()
    }),
    ("bytes behind the stream", "artifact-trailing-data", |bytes| [&bytes[..], b"more"].concat()),
    ("a garbled stream", "artifact-damaged", |mut bytes| {
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].fill(0xA5);
        bytes
    }),
];

fn zeros() -> Vec<u8> {
    vec![0; 128 << 20]
}

#[test]
fn a_window_beyond_what_is_allowed_is_refused_with_both_figures() {
    let refuser = Refuser::new();
    let lzma = refuser.board.lend(&kept("v3.9-lzma-p256.mender"));
    let zstd = refuser.board.lend(&kept("v4.0-zstd_best-p256.mender"));
    let config = refuser.board.config_with("MemoryMax", 16 << 20);
    for (path, asked) in [(lzma, 64_u64 << 20), (zstd, 32 << 20)] {
        let arguments = ["--config", &config, "install", "--progress", "json", &path];
        let outcome = refuser.board.twinslot(&arguments);
        refuser.assert_refused("window", &outcome);
        outcome.expect(65);
        assert_eq!(outcome.error_code(), "window-too-large");
        let message = outcome.message();
        let figure = |bytes: u64| {
            message.contains(&bytes.to_string())
                || message.contains(&format!("{} MiB", bytes >> 20))
        };
        assert!(figure(asked) && figure(16 << 20), "{message}");
    }
    // Without a setting the default bound holds against what the owner's builders never use.
    let forge = Forge {
        data_compression: Compression::Zstd,
        squeeze: |_| {
            let data = tar::archive(&[tar::member("rootfs.ext4", &image())]);
            pipe(&["zstd", "-q", "-c", "--long=31", "--ultra", "-22"], &data)
        },
        ..Forge::default()
    };
    refuse(&refuser, "a window of 2 GiB", "window-too-large", &forge);
}

/// Offsets at and beside every boundary of the archive, and random ones.
fn offsets(artifact: &[u8], random: &mut Random) -> BTreeSet<usize> {
    let mut offsets: BTreeSet<_> = [0, 1, artifact.len() - 1, artifact.len() - 512].into();
    for span in tar::spans(artifact) {
        let padded = span.end.next_multiple_of(512);
        for boundary in [span.header, span.start, span.end, padded] {
            offsets.extend([boundary.saturating_sub(1), boundary, boundary + 1]);
        }
    }
    let end = u64::try_from(artifact.len()).unwrap();
    offsets.extend((0..64).map(|_| usize::try_from(random.below(end)).unwrap()));
    offsets
}

#[test]
fn an_artifact_cut_anywhere_is_refused() {
    let (mut random, seed) = Random::seeded();
    println!("TWINSLOT_SEED={seed}");
    let refuser = Refuser::new();
    let artifact = fs::read(kept("v3.9-gzip-p256.mender")).unwrap();
    for offset in offsets(&artifact, &mut random) {
        let what = format!("cut at byte {offset}");
        let outcome = refuser.refuse(&what, &artifact[..offset]);
        assert_eq!((outcome.code, &outcome.error_code()[..]), (65, "artifact-truncated"), "{what}");
    }
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_decides_something() {
    let (mut random, seed) = Random::seeded();
    println!("TWINSLOT_SEED={seed}");
    let refuser = Refuser::new();
    let artifact = fs::read(kept("v3.9-gzip-p256.mender")).unwrap();
    for span in tar::spans(&artifact) {
        // A gzip header's time and system are nobody's business: from behind it on.
        let skip = if span.name.starts_with("data/") { 10 } else { 0 };
        let length = u64::try_from(span.end - span.start - skip).unwrap();
        let exits: &[i32] = match &span.name[..] {
            "manifest" | "manifest.sig" => &[77],
            _ => &[65],
        };
        for _ in 0..24 {
            let at = span.start + skip + usize::try_from(random.below(length)).unwrap();
            let bit = 1 << random.below(8);
            let mut damaged = artifact.clone();
            damaged[at] ^= bit;
            let what = format!("{}, byte {at} ^ {bit:#x}", span.name);
            let outcome = refuser.refuse(&what, &damaged);
            assert!(exits.contains(&outcome.code), "{what}: {outcome}");
        }
    }
}

#[test]
fn a_flipped_bit_in_the_framing_is_refused() {
    let (mut random, seed) = Random::seeded();
    println!("TWINSLOT_SEED={seed}");
    let refuser = Refuser::new();
    let artifact = fs::read(kept("v3.9-gzip-p256.mender")).unwrap();
    for span in tar::spans(&artifact) {
        for _ in 0..12 {
            // Up to the end of the fields; the rest of the block is no one's.
            let at = span.header + usize::try_from(random.below(500)).unwrap();
            let bit = 1 << random.below(8);
            let mut damaged = artifact.clone();
            damaged[at] ^= bit;
            let what = format!("header of {}, byte {at} ^ {bit:#x}", span.name);
            refuser.refuse(&what, &damaged);
        }
    }
}

#[test]
fn something_behind_the_end_is_refused() {
    let refuser = Refuser::new();
    let artifact = fs::read(kept("v3.9-gzip-p256.mender")).unwrap();
    for tail in [&b"x"[..], &[1; 512], &artifact] {
        let outcome = refuser.refuse("trailing", &[&artifact, tail].concat());
        outcome.expect(65);
        assert_eq!(outcome.error_code(), "artifact-trailing-data");
    }
}

#[test]
fn a_refusal_is_told_on_stderr_and_stdout_stays_empty() {
    let refuser = Refuser::new();
    let path = refuser.board.put("bad.mender", b"no artifact");
    let outcome = refuser.board.twinslot(&["install", &path]);
    outcome.expect(65);
    assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty(), "{outcome}");
}

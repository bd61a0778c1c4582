//! Nothing that is not signed by a key the owner enrolled is ever startable. What can be found
//! wrong before the payload is found before the first write; a payload that is not the signed
//! one never gets a head, and is never armed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim;

use std::ops::Range;
use std::thread;

use sim::artifact::{Artifact, DEVICE_TYPE, Member, Signer256};
use sim::power::Power;
use sim::random::Random;
use sim::scene::{Plan, Scene};
use sim::shell::{Failure, Job, Shell};
use sim::store::Place;
use sim::tape::{Deed, Op};
use sim::uboot;
use twinslot::artifact;
use twinslot::artifact::trust::Refusal;
use twinslot::memory::HEAD_BYTES;
use twinslot::slot::medium::Check;
use twinslot::update;

/// A head, and a little more.
const PAYLOAD_BYTES: usize = HEAD_BYTES + 9000;

/// What an attempt left.
struct Attempt {
    done: Result<(), Failure>,
    /// It wrote to a slot, or left a record of having begun to.
    touched: bool,
    /// The slot is a system, or the boot loader will try it.
    startable: bool,
}

/// A board that is about to be attacked.
struct Board {
    scene: Scene,
    artifact: Artifact,
}

impl Board {
    fn new() -> Self {
        let scene = Scene::new(Plan { payload_bytes: PAYLOAD_BYTES, ..Plan::default() });
        let artifact = Artifact::new(&scene.payload, DEVICE_TYPE, Signer256::Owner);
        Self { scene, artifact }
    }

    fn install(&self, artifact: &[u8]) -> Attempt {
        self.attempt(&Job { artifact, ..self.scene.job() })
    }

    fn attempt(&self, job: &Job<'_>) -> Attempt {
        let (scene, power) = (&self.scene, Power::on(&self.scene.board));
        let done = Shell { power: &power, booted: scene.home(), job }.run(Deed::Install);
        let touched = power.tape().iter().any(|op| match op {
            Op::Write(write) => matches!(write.place, Place::Slot(_)),
            Op::Append(line) => line.started.is_some(),
            _ => false,
        });
        let stores = power.stores();
        let loaded = uboot::load(&stores[2], &stores[3]).unwrap();
        let slot = &stores[Place::Slot(scene.target()).index()];
        let home = Place::Slot(scene.home());
        assert!(stores[home.index()].same(scene.board.store(home)));
        let is_new = slot.same_in(&scene.installed, 0..HEAD_BYTES);
        let startable = is_new || loaded.slot(scene.parts) != Some(scene.home());
        Attempt { done, touched, startable }
    }

    /// Refused, and not a byte of a slot was written.
    #[track_caller]
    fn refuse(&self, artifact: &[u8], what: impl Fn() -> String) -> Failure {
        let attempt = self.install(artifact);
        assert!(!attempt.touched && !attempt.startable, "{}", what());
        attempt.done.expect_err(&what())
    }

    /// Refused, at the latest when all of the payload was read.
    #[track_caller]
    fn never_start(&self, artifact: &[u8], what: impl Fn() -> String) -> Failure {
        let attempt = self.install(artifact);
        assert!(!attempt.startable, "{}", what());
        attempt.done.expect_err(&what())
    }

    /// Refused, or the artifact means the same as before: not all of a tar header is signed, or
    /// means anything.
    #[track_caller]
    fn harmless(&self, artifact: &[u8], what: impl Fn() -> String) {
        let attempt = self.install(artifact);
        assert_eq!(attempt.done.is_ok(), attempt.startable, "{}: {:?}", what(), attempt.done);
    }

    /// The signed artifact with members changed.
    fn forged(&self, change: impl FnOnce(&mut Vec<Member>)) -> Vec<u8> {
        let mut forged = self.artifact.clone();
        change(&mut forged.members);
        forged.bytes()
    }

    /// Calls `check` with each bit of `range` flipped.
    fn flip(&self, range: &Range<usize>, check: impl Fn(&[u8], usize) + Sync) {
        let flip = |bytes: Range<usize>| {
            let mut artifact = self.artifact.bytes();
            for bit in bytes.start * 8..bytes.end * 8 {
                artifact[bit / 8] ^= 1 << (bit % 8);
                check(&artifact, bit);
                artifact[bit / 8] ^= 1 << (bit % 8);
            }
        };
        let middle = range.start.midpoint(range.end);
        thread::scope(|scope| {
            scope.spawn(|| flip(range.start..middle));
            flip(middle..range.end);
        });
    }
}

#[test]
fn the_artifact_as_the_owner_signed_it_is_taken() {
    let board = Board::new();
    let attempt = board.install(&board.artifact.bytes());
    assert!(attempt.done.is_ok() && attempt.startable);
}

#[test]
fn a_signature_by_a_key_nobody_enrolled_is_refused_before_the_first_write() {
    let board = Board::new();
    let strange = Artifact::new(&board.scene.payload, DEVICE_TYPE, Signer256::Stranger);
    let failure = board.refuse(&strange.bytes(), || "a stranger's".to_owned());
    assert!(matches!(refusal(failure), artifact::Error::Trust(Refusal::Unknown { keys: 1 })));
}

fn refusal(failure: Failure) -> artifact::Error {
    match failure {
        Failure::Update(update::Error::Artifact(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_artifact_without_its_signature_is_refused_before_the_first_write() {
    let board = Board::new();
    let unsigned = board.forged(|members| drop(members.remove(2)));
    let failure = board.refuse(&unsigned, || "unsigned".to_owned());
    assert!(matches!(refusal(failure), artifact::Error::Trust(Refusal::Missing)));
    let empty = board.forged(|members| members[2].bytes.clear());
    board.refuse(&empty, || "empty signature".to_owned());
    let late = board.forged(|members| members.swap(2, 3));
    board.refuse(&late, || "signature after the header".to_owned());
}

#[test]
fn parts_of_two_signed_artifacts_do_not_make_one() {
    let board = Board::new();
    let types = format!("{DEVICE_TYPE}\",\"board");
    let other = Artifact::new(b"another system", &types, Signer256::Owner);
    assert!(board.install(&other.bytes()).done.is_ok());
    for index in 1..5 {
        let mixed = board.forged(|members| members[index] = other.members[index].clone());
        if index < 4 {
            board.refuse(&mixed, || format!("member {index} of another"));
        } else {
            board.never_start(&mixed, || "payload of another".to_owned());
        }
    }
}

#[test]
fn a_version_that_says_the_same_in_other_bytes_is_refused_before_the_first_write() {
    let board = Board::new();
    let spaced = br#"{"format": "mender","version":3}"#;
    let other = board.forged(|members| members[0].bytes = spaced.to_vec());
    board.refuse(&other, || "a blank in version".to_owned());
}

#[test]
fn what_follows_the_payload_keeps_the_slot_from_being_a_system() {
    let board = Board::new();
    let name = "data/0001.tar".to_owned();
    let second = board.forged(|members| members.push(Member { name, ..members[4].clone() }));
    board.never_start(&second, || "a second payload".to_owned());
    let mut trailing = board.artifact.bytes();
    trailing.extend_from_slice(&[7; 512]);
    board.never_start(&trailing, || "bytes behind the end".to_owned());
}

#[test]
fn a_signed_artifact_for_another_device_is_refused_before_the_first_write() {
    let board = Board::new();
    let other = Artifact::new(&board.scene.payload, "raspberrypi4", Signer256::Owner);
    let failure = board.refuse(&other.bytes(), || "another device's".to_owned());
    assert!(matches!(refusal(failure), artifact::Error::Compat(_)));
}

#[test]
fn every_flipped_bit_in_version_manifest_and_signature_is_refused_before_the_first_write() {
    let board = Board::new();
    for name in ["version", "manifest", "manifest.sig"] {
        let (header, bytes) = board.artifact.place(name);
        board.flip(&bytes, |artifact, bit| {
            board.refuse(artifact, || format!("{name}, bit {}", bit - bytes.start * 8));
        });
        board.flip(&(header..bytes.start), |artifact, bit| {
            board.harmless(artifact, || format!("tar header of {name}, bit {}", bit - header * 8));
        });
    }
}

#[test]
fn every_flipped_bit_in_the_header_is_refused_before_the_first_write() {
    let board = Board::new();
    let (header, bytes) = board.artifact.place("header.tar");
    board.flip(&bytes, |artifact, bit| {
        board.refuse(artifact, || format!("header, bit {}", bit - bytes.start * 8));
    });
    board.flip(&(header..bytes.start), |artifact, bit| {
        board.harmless(artifact, || format!("tar header of the header, bit {}", bit - header * 8));
    });
}

#[test]
fn a_flipped_bit_in_the_payload_never_gets_a_head() {
    let board = Board::new();
    let (header, bytes) = board.artifact.place("data/0000.tar");
    let payload = bytes.start + 512..bytes.start + 512 + PAYLOAD_BYTES;
    board.flip(&(header..payload.start), |artifact, bit| {
        board.harmless(artifact, || format!("tar headers, bit {}", bit - header * 8));
    });
    let random = &mut Random::new(5);
    for _ in 0..300 {
        let byte = payload.start + random.below(PAYLOAD_BYTES);
        flip_one(&board, byte, random.below(8));
    }
    for byte in [payload.start, payload.start + HEAD_BYTES - 1, payload.end - 1] {
        (0..8).for_each(|bit| flip_one(&board, byte, bit));
    }
}

#[track_caller]
fn flip_one(board: &Board, byte: usize, bit: usize) {
    let mut artifact = board.artifact.bytes();
    artifact[byte] ^= 1 << bit;
    board.never_start(&artifact, || format!("byte {byte}, bit {bit}"));
    // Also where the slot is not read back.
    let job = Job { artifact: &artifact, check: Check::Head, ..board.scene.job() };
    let attempt = board.attempt(&job);
    assert!(attempt.done.is_err() && !attempt.startable, "byte {byte}, bit {bit}");
}

#[test]
fn an_artifact_truncated_near_any_block_never_gets_a_head() {
    let board = Board::new();
    let artifact = board.artifact.bytes();
    let (data, _) = board.artifact.place("data/0000.tar");
    let near = (0..=artifact.len()).step_by(512).flat_map(|at| [at.saturating_sub(1), at, at + 1]);
    for end in near.filter(|end| *end < artifact.len()) {
        if end < data + 512 {
            board.refuse(&artifact[..end], || format!("truncated to {end}"));
        } else {
            board.never_start(&artifact[..end], || format!("truncated to {end}"));
        }
    }
}

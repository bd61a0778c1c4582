//! Good artifacts on boards that are set up wrong, and what cannot be meant at all: refused in
//! one sentence before the first write.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::kept;
use board::plan::Plan;
use board::refuser::refuse_early;
use board::slot::Slot;
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::Path;

const ARTIFACT: &str = "v3.9-gzip-p256.mender";

fn board() -> Board {
    Board::new(Plan::default())
}

#[test]
fn a_read_only_state_directory_is_refused_before_the_first_write() {
    let board = board();
    let config = board.config_with("StateDir", "/etc/mender/state");
    let message = refuse_early(&board, &["--config", &config], (74, "state-dir-unwritable"));
    assert!(message.contains("/etc/mender/state"), "{message}");
}

#[test]
fn a_full_state_directory_is_refused_before_the_first_write() {
    let mut board = board();
    board.mount(&["-t", "tmpfs", "-o", "size=16k"], Path::new("tmpfs"), "/mnt");
    let mut ballast = File::create(board.root().join("mnt/ballast")).unwrap();
    while ballast.write_all(&[0xFF; 512]).is_ok() {}
    let config = board.config_with("StateDir", "/mnt/state");
    let message = refuse_early(&board, &["--config", &config], (74, "state-dir-unwritable"));
    assert!(message.contains("/mnt/state"), "{message}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused() {
    let board = board();
    for text in ["", "{", "[]", "null"] {
        let config = board.put("bad.conf", text.as_bytes());
        let message = refuse_early(&board, &["--config", &config], (64, "configuration"));
        assert!(message.contains("bad.conf"), "{text:?}: {message}");
    }
    let message = refuse_early(&board, &["--config", "/made/none.conf"], (64, "configuration"));
    assert!(message.contains("none.conf"), "{message}");
}

#[test]
fn keys_that_cannot_be_read_are_refused() {
    let board = board();
    let private = board.lend(&kept("p256.key"));
    let garbage = board.put("garbage.pem", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUB");
    for key in ["/made/none.pem", &private, &garbage] {
        let config = board.config_with("ArtifactVerifyKey", key);
        let message = refuse_early(&board, &["--config", &config], (64, "verify-key"));
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn without_any_key_nothing_is_installed() {
    let board = board();
    let mut config = board.config();
    config.remove("ArtifactVerifyKey");
    let config = board.put("keyless.conf", Value::Object(config).to_string().as_bytes());
    refuse_early(&board, &["--config", &config], (64, "no-verify-key"));
}

#[test]
fn a_device_without_a_type_is_refused() {
    let board = board();
    let config = board.config_with("DeviceTypeFile", "/made/none");
    refuse_early(&board, &["--config", &config], (64, "device-type-unknown"));
}

#[test]
fn unknown_keys_are_reported_and_not_fatal() {
    let board = board();
    let config = board.config_with("RootfsPartC", json!({ "deep": ["er"] }));
    let path = board.lend(&kept(ARTIFACT));
    let outcome = board.twinslot(&["--config", &config, "install", &path]);
    outcome.expect(0);
    assert!(outcome.stderr.contains("RootfsPartC"), "{outcome}");
    board.assert_armed(Slot::B);
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let board = board();
    let before = board.snapshot();
    for arguments in [
        &["instal", "x"][..],
        &["install"],
        &["install", "a", "b"],
        &["install", "--force", "a"],
        &["commit", "now"],
        &["--progress", "loud", "status"],
        &["env"],
    ] {
        let outcome = board.twinslot(arguments);
        outcome.expect(64);
        assert!(!outcome.stderr.is_empty() && outcome.stdout.is_empty(), "{outcome}");
    }
    board.assert_untouched(&before, "usage");
}

#[test]
fn a_file_that_is_not_there_is_an_input_error() {
    let board = board();
    for path in ["/made/none.mender", "/made"] {
        let outcome = board.twinslot(&["install", "--progress", "json", path]);
        outcome.expect(74);
        assert!(outcome.message().contains(path), "{outcome}");
    }
}

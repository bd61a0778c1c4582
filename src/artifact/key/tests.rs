//! What `artifact::key` must do, and what it must refuse.

#![allow(clippy::unwrap_used, clippy::panic)]

mod enrol;
mod verify;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use base64ct::{Base64, Encoding};

use super::PublicKey;

fn file(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/keys/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn key(name: &str) -> PublicKey {
    PublicKey::from_pem(&file(&format!("{name}.pub"))).unwrap()
}

fn encoded(raw: &[u8]) -> String {
    let mut text = [0; 1024];
    Base64::encode(raw, &mut text).unwrap().to_string()
}

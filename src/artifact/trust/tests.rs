//! What `artifact::trust` must do, and what it must refuse.

use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::artifact::forge::{OWNER, Recipe, STRANGER, keys, public, sign};

#[test]
fn a_manifest_that_an_enrolled_key_signed_is_verified() {
    let manifest = Recipe::default().manifest();
    let verified = verify(&manifest, &sign(&manifest, OWNER), &keys()).unwrap();
    assert_eq!(verified.key(), public(OWNER).id());
    assert_eq!(verified.payload().unwrap().0, "rootfs.ext4");
    assert_eq!(verified.header_coding(), Coding::None);
}

#[test]
fn any_of_the_enrolled_keys_may_have_signed() {
    let manifest = Recipe::default().manifest();
    let mut keys = keys();
    (9..16).for_each(|scalar| keys.add(public(scalar)).unwrap());
    for scalar in [OWNER, 9, 15] {
        let verified = verify(&manifest, &sign(&manifest, scalar), &keys).unwrap();
        assert_eq!(verified.key(), public(scalar).id());
    }
    let refusal = verify(&manifest, &sign(&manifest, STRANGER), &keys).unwrap_err();
    assert_eq!(refusal.to_string(), "none of the 8 enrolled keys signed this manifest");
}

#[test]
fn eight_keys_may_be_enrolled_and_each_counts_once() {
    let mut keys = keys();
    for scalar in 9..16 {
        keys.add(public(scalar)).unwrap();
        keys.add(public(OWNER)).unwrap();
    }
    assert_eq!(keys.iter().count(), KEYS_MAX);
    assert_eq!(keys.add(public(16)), Err(TooManyKeys));
    assert_eq!(keys.add(public(15)), Ok(()));
    assert_eq!(keys.iter().count(), KEYS_MAX);
}

#[test]
fn a_signature_that_is_none_is_malformed() {
    let manifest = Recipe::default().manifest();
    for text in [&b""[..], b"\n", b"not base64!", b"AAA"] {
        let refusal = verify(&manifest, text, &keys()).unwrap_err();
        assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    }
    let other = verify(&manifest, b"AAAA", &keys()).unwrap_err();
    assert_eq!(other, Refusal::Unknown { keys: 1 });
}

#[test]
fn the_signature_covers_every_bit_of_the_manifest() {
    let manifest = Recipe::default().manifest();
    let signature = sign(&manifest, OWNER);
    for at in 0..manifest.len() {
        let mut changed = manifest.clone();
        changed[at] ^= 1;
        let refusal = verify(&changed, &signature, &keys()).unwrap_err();
        assert_eq!(refusal, Refusal::Unknown { keys: 1 });
    }
    let longer: Vec<u8> = [&manifest[..], b"\n"].concat();
    assert!(verify(&longer, &signature, &keys()).is_err());
}

#[test]
fn a_signed_text_that_is_no_manifest_is_refused_after_its_signature() {
    let text = format!("{}  version\n", "0".repeat(64)).into_bytes();
    let refusal = verify(&text, &sign(&text, OWNER), &keys()).unwrap_err();
    assert!(matches!(refusal, Refusal::Manifest(manifest::Error::Missing { .. })));
    let refusal = verify(&text, &sign(&text, STRANGER), &keys()).unwrap_err();
    assert_eq!(refusal, Refusal::Unknown { keys: 1 }, "not a word of it was read");
}

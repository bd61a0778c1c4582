//! What a key has signed, and what is refused as its signature.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{encoded, file, key};
use crate::artifact::key::{PublicKey, RAW_BYTES_MAX, Signature, SignatureError};

fn signature(raw: &[u8]) -> Signature {
    Signature::from_base64(encoded(raw).as_bytes()).unwrap()
}

/// The first signature of the table by `name` that ought to hold and passes `wanted`.
fn good(name: &str, wanted: fn(&[u8]) -> bool) -> Vec<u8> {
    let table = String::from_utf8(file("signatures.txt")).unwrap();
    let start = format!("signed {name} ");
    let mut rows = table.lines().filter_map(|line| line.strip_prefix(start.as_str()));
    let raw = |row: &str| {
        let text = row.split(' ').next().unwrap().as_bytes();
        Signature::from_base64(text).unwrap().bytes().to_vec()
    };
    rows.find_map(|row| Some(raw(row)).filter(|raw| wanted(raw))).unwrap()
}

fn each_kind() -> [(PublicKey, Vec<u8>); 4] {
    [
        (key("p256-b"), good("p256-b", |raw| raw.len() == 64)),
        (key("p256-b"), good("p256-b", |raw| raw.len() > 64)),
        (key("rsa2048"), good("rsa2048", |_| true)),
        (key("rsa4096"), good("rsa4096", |_| true)),
    ]
}

#[test]
fn the_real_tools_signatures_are_accepted_and_only_by_their_own_key() {
    for name in ["p256", "rsa3072"] {
        let signature = Signature::from_base64(&file(&format!("{name}.sig"))).unwrap();
        let manifest = file(&format!("{name}.manifest"));
        assert_eq!(key(name).signed(&manifest, &signature), Ok(()));
        for other in ["other", "p256-b", "rsa3072-b", "rsa4096"] {
            assert!(key(other).signed(&manifest, &signature).is_err(), "{name} by {other}");
        }
    }
}

#[test]
fn every_signature_of_the_table_gets_its_verdict() {
    let table = String::from_utf8(file("signatures.txt")).unwrap();
    let message = file("p256.manifest");
    let mut rows = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [verdict, name, text, what] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let signature = Signature::from_base64(text.as_bytes()).unwrap();
        let found = match key(name).signed(&message, &signature) {
            Ok(()) => "signed",
            Err(SignatureError::Form { .. }) => "form",
            Err(SignatureError::Length { .. }) => "length",
            Err(SignatureError::Other { .. }) => "other",
            Err(_) => "not a signature",
        };
        assert_eq!(found, verdict, "{name}: {what}");
        rows += 1;
    }
    assert!(rows > 100);
}

#[test]
fn a_signature_holds_for_no_message_but_its_own() {
    for name in ["p256", "rsa3072"] {
        let signature = Signature::from_base64(&file(&format!("{name}.sig"))).unwrap();
        let key = key(name);
        let mut manifest = file(&format!("{name}.manifest"));
        for byte in 0..manifest.len() {
            manifest[byte] ^= 1;
            assert!(key.signed(&manifest, &signature).is_err());
            manifest[byte] ^= 1;
        }
        assert!(key.signed(&manifest[..manifest.len() - 1], &signature).is_err());
        assert!(key.signed(&[&manifest[..], b"\n"].concat(), &signature).is_err());
        assert!(key.signed(b"", &signature).is_err());
    }
}

#[test]
fn a_signature_with_any_one_bit_flipped_is_refused() {
    let message = file("p256.manifest");
    // The third is RSA-2048; RSA-4096 has no more code, only takes longer.
    for (key, mut raw) in each_kind().into_iter().take(3) {
        assert_eq!(key.signed(&message, &signature(&raw)), Ok(()));
        for bit in 0..raw.len() * 8 {
            raw[bit / 8] ^= 1 << (bit % 8);
            assert!(key.signed(&message, &signature(&raw)).is_err(), "{key:?}: bit {bit}");
            raw[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_signature_cut_short_anywhere_or_one_byte_longer_is_refused() {
    let message = file("p256.manifest");
    for (key, raw) in each_kind() {
        for len in 1..raw.len() {
            assert!(key.signed(&message, &signature(&raw[..len])).is_err(), "{key:?}: {len}");
            assert!(key.signed(&message, &signature(&raw[len..])).is_err(), "{key:?}: {len}");
        }
        if raw.len() < RAW_BYTES_MAX {
            let longer = [&raw[..], b"\0"].concat();
            assert!(key.signed(&message, &signature(&longer)).is_err(), "{key:?}");
        }
    }
}

#[test]
fn a_signatures_text_has_one_form_only() {
    let text = String::from_utf8(file("p256.sig")).unwrap();
    assert!(text.ends_with("=="));
    let (body, last) = text.split_at(text.len() - 3);
    let next = char::from(last.as_bytes()[0] + 1);
    let wrong = [
        format!("{text}\n"),
        format!("{text} "),
        format!(" {text}"),
        format!("{}\n{}", &text[..64], &text[64..]),
        format!("{}\r\n{}", &text[..64], &text[64..]),
        text.trim_end_matches('=').to_string(),
        text[..text.len() - 1].to_string(),
        format!("{text}="),
        format!("{text}===="),
        format!("{body}{next}=="),
        format!("===={text}"),
        text.replacen(&text[8..9], "-", 1),
        text.replacen(&text[8..9], "_", 1),
        text.replacen(&text[8..9], "\0", 1),
        text.replacen(&text[8..9], "é", 1),
        "====".to_string(),
        "A===".to_string(),
        "=".to_string(),
        "A".to_string(),
    ];
    for text in wrong {
        let chars = text.len();
        let error = Signature::from_base64(text.as_bytes()).unwrap_err();
        assert_eq!(error, SignatureError::Base64 { chars }, "{text:?}");
    }
    assert!(Signature::from_base64(text.as_bytes()).is_ok());
    assert_eq!(Signature::from_base64(b"").unwrap_err(), SignatureError::Empty);
}

#[test]
fn a_signature_of_512_bytes_is_read_and_one_of_513_is_not() {
    assert_eq!(signature(&[1; 511]).bytes(), [1; 511]);
    assert_eq!(signature(&[1; 512]).bytes(), [1; 512]);
    for bytes in [513, 514, 515, 600] {
        let text = encoded(&[1; 600][..bytes]);
        let error = Signature::from_base64(text.as_bytes()).unwrap_err();
        let chars = text.len();
        assert_eq!(error, SignatureError::TooLong { chars });
    }
}

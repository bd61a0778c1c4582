//! What is a key, and what is refused as one.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use base64ct::{Base64, Encoding};

use super::{encoded, file, key};
use crate::artifact::key::{KeyError, KeyKind, PublicKey};

/// The DER in a PEM file, to be damaged.
fn der(name: &str) -> Vec<u8> {
    let text = String::from_utf8(file(name)).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let mut room = [0; 2048];
    Base64::decode(body, &mut room).unwrap().to_vec()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = encoded(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn refusal(name: &str) -> String {
    PublicKey::from_pem(&file(name)).unwrap_err().to_string()
}

/// DER with the shortest form of its length.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match len {
        [0, low @ ..0x80] => [tag, low].to_vec(),
        [0, low] => [tag, 0x81, low].to_vec(),
        [high, low] => [tag, 0x82, high, low].to_vec(),
    };
    [&header[..], content].concat()
}

/// DER of an RSAPublicKey, each number given by its content.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    tlv(0x30, &[tlv(0x02, modulus), tlv(0x02, exponent)].concat())
}

/// The content of a modulus of 2048 bits.
fn modulus() -> Vec<u8> {
    let mut modulus = [0xff; 257].to_vec();
    modulus[0] = 0;
    modulus
}

fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, KeyError> {
    PublicKey::from_pem(pem("RSA PUBLIC KEY", &rsa(modulus, exponent)).as_bytes())
}

#[test]
fn a_keys_id_is_what_openssl_and_sha256sum_say() {
    let hex = |name| format!("{:?}", key(name));
    assert_eq!(
        hex("p256"),
        "P-256 \
         0062bd927748c974668b85b16939083c16dba9bc22e1ee439132559673c2c64c"
    );
    assert_eq!(
        hex("rsa3072"),
        "RSA-3072 \
         d561b6d86d86c1d9378d48fb6dd30d965cea6349ff404dcbebdfb7f0f1251161"
    );
    assert_eq!(key("p256").id()[..2], [0x00, 0x62]);
}

#[test]
fn a_key_is_the_same_under_both_its_labels() {
    assert_eq!(key("rsa3072"), key("rsa3072-pkcs1"));
    assert_ne!(key("rsa3072"), key("rsa3072-b"));
    assert_ne!(key("p256"), key("other"));
    for name in ["rsa2048", "rsa2050", "rsa4096", "rsa2048-e3"] {
        let spki = der(&format!("{name}.pub"));
        let pkcs1 = PublicKey::from_pem(pem("RSA PUBLIC KEY", &spki[24..]).as_bytes());
        assert_eq!(pkcs1.unwrap(), key(name), "{name}");
    }
}

#[test]
fn a_key_tells_its_kind() {
    assert_eq!(key("p256").kind(), KeyKind::P256);
    assert_eq!(key("p256").kind().to_string(), "P-256");
    for bits in [2048, 2050, 3072, 4096] {
        let name = if bits == 3072 { "rsa3072".to_string() } else { format!("rsa{bits}") };
        assert_eq!(key(&name).kind(), KeyKind::Rsa { bits });
        assert_eq!(key(&name).kind().to_string(), format!("RSA-{bits}"));
    }
}

#[test]
fn a_key_of_another_sort_is_refused_by_its_name() {
    for (name, expected) in [
        ("ed25519.pub", "found a key for Ed25519 (1.3.101.112), expected P-256 or RSA"),
        ("rsapss.pub", "found a key for RSA-PSS (1.2.840.113549.1.1.10), expected P-256 or RSA"),
        ("p384.pub", "found the curve P-384 (1.3.132.0.34), expected P-256"),
        ("secp256k1.pub", "found the curve secp256k1 (1.3.132.0.10), expected P-256"),
        ("rsa1024.pub", "found an RSA key of 1024 bits, expected 2048 to 4096 bits"),
        ("rsa2040.pub", "found an RSA key of 2040 bits, expected 2048 to 4096 bits"),
        ("rsa4104.pub", "found an RSA key of 4104 bits, expected 2048 to 4096 bits"),
        (
            "p256-explicit.pub",
            "found other parameters of the algorithm, expected the name of the curve P-256",
        ),
        (
            "p256-compressed.pub",
            "found 33 bytes that are no uncompressed point on P-256, \
             expected 65 that begin with 04",
        ),
    ] {
        assert_eq!(refusal(name), expected);
    }
}

#[test]
fn a_modulus_has_2048_to_4096_bits_and_is_odd() {
    let e = [1, 0, 1];
    assert!(from_rsa(&modulus(), &e).is_ok());
    let mut short = modulus();
    short.remove(0);
    short[0] = 0x7f;
    assert_eq!(from_rsa(&short, &e).unwrap_err(), KeyError::Modulus { bits: 2047 });
    let mut long = modulus();
    long.resize(513, 0xff);
    assert_eq!(from_rsa(&long, &e).unwrap().kind(), KeyKind::Rsa { bits: 4096 });
    long.insert(0, 1);
    long[1] = 0xff;
    assert_eq!(from_rsa(&long, &e).unwrap_err(), KeyError::Modulus { bits: 4105 });
    long.remove(0);
    long[0] = 1;
    assert_eq!(from_rsa(&long, &e).unwrap_err(), KeyError::Modulus { bits: 4097 });
    let mut even = modulus();
    even[256] = 0xfe;
    assert_eq!(from_rsa(&even, &e).unwrap_err(), KeyError::EvenModulus);
    assert_eq!(from_rsa(&[0], &e).unwrap_err(), KeyError::Modulus { bits: 0 });
}

#[test]
fn an_exponent_is_odd_and_from_3_to_32_bits() {
    for good in [&[3][..], &[17], &[1, 0, 1], &[0, 0xff, 0xff, 0xff, 0xff]] {
        assert!(from_rsa(&modulus(), good).is_ok(), "{good:?}");
    }
    for (wrong, found) in [
        (&[0][..], 0),
        (&[1], 1),
        (&[2], 2),
        (&[1, 0, 0], 65536),
        (&[1, 0, 0, 0, 1], 0x1_0000_0001),
        (&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], u64::MAX),
        (&[1, 0, 0, 0, 0, 0, 0, 0, 1], u64::MAX),
    ] {
        assert_eq!(from_rsa(&modulus(), wrong).unwrap_err(), KeyError::Exponent { found });
    }
}

#[test]
fn an_rsa_key_that_is_not_der_is_refused() {
    let not = Err(KeyError::Der { expected: "an RSAPublicKey" });
    let zero_in_front = [&[0], &modulus()[..]].concat();
    assert_eq!(from_rsa(&[0xff; 256], &[3]), not);
    assert_eq!(from_rsa(&zero_in_front, &[3]), not);
    assert_eq!(from_rsa(&modulus(), &[0, 3]), not);
    assert_eq!(from_rsa(&modulus(), &[0x83]), not);
    assert_eq!(from_rsa(&modulus(), &[]), not);
    let longer = [&rsa(&modulus(), &[3])[..], b"\0"].concat();
    assert_eq!(PublicKey::from_pem(pem("RSA PUBLIC KEY", &longer).as_bytes()), not);
}

#[test]
fn a_key_cut_short_or_followed_by_a_byte_is_refused() {
    for name in ["p256.pub", "rsa3072.pub"] {
        let whole = der(name);
        assert!(PublicKey::from_pem(pem("PUBLIC KEY", &whole).as_bytes()).is_ok());
        for len in 0..whole.len() {
            let cut = PublicKey::from_pem(pem("PUBLIC KEY", &whole[..len]).as_bytes());
            assert!(matches!(cut, Err(KeyError::Der { .. })), "{name}: {len}");
        }
        let longer =
            PublicKey::from_pem(pem("PUBLIC KEY", &[&whole[..], b"\0"].concat()).as_bytes());
        assert!(matches!(longer, Err(KeyError::Der { .. })), "{name}");
    }
}

#[test]
fn a_key_with_any_one_bit_flipped_is_refused_or_another_key() {
    for name in ["p256.pub", "rsa2048.pub"] {
        let mut bytes = der(name);
        let before = PublicKey::from_pem(&file(name)).unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let after = PublicKey::from_pem(pem("PUBLIC KEY", &bytes).as_bytes());
            assert_ne!(after, Ok(before.clone()), "{name}: bit {bit}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn parameters_other_than_the_rfcs_are_refused() {
    let mut bytes = der("rsa2048.pub");
    let at = bytes.windows(4).position(|four| four == [0x05, 0x00, 0x03, 0x82]).unwrap();
    bytes[at] = 0x04;
    let error = PublicKey::from_pem(pem("PUBLIC KEY", &bytes).as_bytes()).unwrap_err();
    assert_eq!(error, KeyError::Parameters { expected: "NULL" });
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused() {
    let mut bytes = der("p256.pub");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let error = PublicKey::from_pem(pem("PUBLIC KEY", &bytes).as_bytes()).unwrap_err();
    assert_eq!(error, KeyError::Point { bytes: 65 });
    bytes[last] ^= 1;
    for tag in [0, 2, 3, 5, 6, 7] {
        bytes[26] = tag;
        let error = PublicKey::from_pem(pem("PUBLIC KEY", &bytes).as_bytes()).unwrap_err();
        assert_eq!(error, KeyError::Point { bytes: 65 }, "{tag}");
    }
}

#[test]
fn a_key_file_may_hold_text_around_its_block_and_other_line_ends() {
    let plain = String::from_utf8(file("rsa3072.pub")).unwrap();
    let body: String = plain.lines().filter(|line| !line.starts_with('-')).collect();
    let second = String::from_utf8(file("p256.pub")).unwrap();
    let tolerated = [
        plain.replace('\n', "\r\n"),
        plain.trim_end().to_string(),
        format!("\u{feff}{plain}"),
        format!("{}{plain}", pem("CERTIFICATE", b"of something")),
        format!("Public-Key: (3072 bit)\nModulus:\n    00:dd\n\n{plain}"),
        format!("{plain}-- \nsecurity@example.com\n"),
        format!("{plain}{second}"),
        plain.replace('\n', " \t\n"),
        plain.replacen("MII", "MI I", 1),
        plain.replace("-----\n", "-----\n\n"),
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----"),
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
            &body[..7],
            &body[7..]
        ),
    ];
    for text in tolerated {
        assert_eq!(PublicKey::from_pem(text.as_bytes()), Ok(key("rsa3072")), "{text}");
    }
}

#[test]
fn a_file_without_one_whole_block_is_refused_with_the_reason() {
    let plain = String::from_utf8(file("p256.pub")).unwrap();
    let end = "-----END PUBLIC KEY-----";
    let label = "PUBLIC KEY";
    for (text, error) in [
        (String::new(), KeyError::NoBlock),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5".to_string(), KeyError::NoBlock),
        (format!(" {plain}"), KeyError::NoBlock),
        (plain.replace("BEGIN PUBLIC KEY-----", "BEGIN PUBLIC KEY----"), KeyError::NoBlock),
        (plain.replace(end, ""), KeyError::NoEnd { label }),
        (plain.replace(end, "-----END PRIVATE KEY-----"), KeyError::NoEnd { label }),
        (plain.replace(end, "-----END PUBLIC KEY----"), KeyError::NoEnd { label }),
        (plain.replace(end, &plain), KeyError::NoEnd { label }),
        (plain.replace(label, "CERTIFICATE"), KeyError::Label { found: "CERTIFICATE" }),
        (plain.replace(label, "EC PRIVATE KEY"), KeyError::Label { found: "EC PRIVATE KEY" }),
        (plain.replace(label, "PUBLIC  KEY"), KeyError::Label { found: "of something else" }),
        (plain.replace(label, "RSA PUBLIC KEY"), KeyError::Der { expected: "an RSAPublicKey" }),
        (plain.replacen("MFk", "MF*", 1), KeyError::Base64),
        (plain.replacen("MFk", "MF", 1), KeyError::Base64),
        (plain.replacen("==", "", 1), KeyError::Base64),
    ] {
        assert_eq!(PublicKey::from_pem(text.as_bytes()), Err(error), "{text}");
    }
}

#[test]
fn a_key_text_longer_than_any_key_is_refused_before_it_overflows() {
    for (chars, fits) in [(1536, true), (1537, false), (100_000, false)] {
        let text = "A".repeat(chars);
        let text = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        let error = PublicKey::from_pem(text.as_bytes()).unwrap_err();
        assert_eq!(error != KeyError::TooLong { allowed: 1536 }, fits, "{chars}");
    }
}

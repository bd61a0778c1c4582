//! What `mender-artifact validate` accepts we accept, and the other way round: over artifacts that
//! were changed at random, before they were signed and after. Where we differ stands in a table.
//!
//! `TWINSLOT_CASES` asks for so many, `TWINSLOT_SEED` for others.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;
#[path = "../src"]
mod shell {
    pub(crate) mod decode;
}
mod sim;

use board::artifacts::kept;
use board::forge::{Compression, Forge};
use board::random::Random;
use board::tar::{self, Span};
use board::tools::{may, mender_artifact, program, text};
use embedded_io::Read;
use serde_json::{Value, json};
use shell::decode::HeapDecoders;
use sim::artifact::Source;
use sim::pool;
use std::fs;
use twinslot::artifact::compat::Device;
use twinslot::artifact::header::PassOver;
use twinslot::artifact::key::PublicKey;
use twinslot::artifact::trust::Keys;
use twinslot::artifact::{Accepted, Room, Whole, open};
use twinslot::provides::Provides;
use twinslot::slot::medium;
use twinslot::stream::digest::Hasher;
use twinslot::update;

const CASES: u64 = 200;
const SEED: u64 = 20_261_124;

/// Where we refuse and `mender-artifact validate` accepts: what was done to the artifact, what we
/// then say, and why we do. Nothing is accepted that it refuses.
const STRICTER: &[(&str, &str, &str)] = &[
    ("version", "expected an object with format mender", "it is the version of another format"),
    ("bit", "bytes other than zero after a member in the", "padding hides what others may read"),
    ("header.tar bit", "bytes other than zero after a member in the header archive", "the same"),
    ("cut", "padding is truncated", "an artifact that ends early has lost something"),
    ("bit", "found no right checksum in six digits", "Go takes sums of signed bytes, and odd ends"),
    ("header.tar bit", "found no right checksum in six digits", "the same"),
    ("members", "in the artifact, expected its end", "a second payload that nobody signed for"),
    (
        "header-info",
        "has the unknown key unheard_of",
        "it may be a condition, and we do not know it",
    ),
    ("type-info", "has the unknown key unheard_of", "the same"),
    ("type-info {\"other\":\"x\"}", "has the unknown key other", "the same"),
    ("header.tar bit", "has the unknown key", "the same"),
    ("header-info", "is not a text of at most 256 bytes", "every word has a bound"),
    ("type-info", "is not a text of at most 256 bytes", "the same"),
    ("type-info", "artifact_provides in type-info is not keys with words", "the same, or null"),
    ("type-info", "clears_artifact_provides in type-info is not a list", "the same, or null"),
    ("header-info", "in header-info is not a list of one or more words", "the same, or null"),
    ("header-info", "in header-info is not an object", "Go takes null for an empty object"),
    ("type-info null", "expected an object at byte 0", "the same"),
    ("header-info", "artifact_name in header-info is not a name", "a system has a name"),
    ("header.tar bit", "expected UTF-8", "Go replaces what is none"),
    ("bit", "data: header checksum mismatch", "Go stops where the payload ends, the sum is behind"),
    ("bit", "data: content checksum mismatch", "the same"),
    ("bit", "data: content length mismatch", "the same"),
    ("header-info", "is not supported, expected rootfs-image", "what is no root file system"),
    ("header.tar bit", "is not supported, expected rootfs-image", "the same"),
    ("type-info", "type-info says payload type other, header-info says", "both texts must agree"),
    ("header.tar bit", "type-info says payload type", "the same"),
];

fn is_known(what: &str, ours: &str) -> bool {
    STRICTER.iter().any(|(mutation, said, _)| what.starts_with(mutation) && ours.contains(said))
}

/// An artifact, and what was done to it.
struct Case {
    what: String,
    bytes: Vec<u8>,
}

#[test]
fn mender_artifact_and_we_accept_the_same() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seed = number("TWINSLOT_SEED").unwrap_or(SEED);
    println!("seed {seed}");
    let random = &mut Random::new(seed);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("case.mender");
    let (mut accepted, mut stricter, mut differ) = (0, 0, Vec::new());
    let count = number("TWINSLOT_CASES").unwrap_or(CASES);
    for at in 0..count {
        let case = case(random);
        fs::write(&path, &case.bytes).unwrap();
        let key = kept("p256.pub");
        let arguments = ["validate", "-k", text(&key), text(&path)];
        let theirs = may(&mut program(mender_artifact(), &arguments));
        let ours = whole(&case.bytes).map_err(|error| error.to_string());
        accepted += u64::from(theirs && ours.is_ok());
        match ours {
            Err(ours) if theirs && is_known(&case.what, &ours) => stricter += 1,
            ours if theirs != ours.is_ok() => {
                differ.push(format!("{at} {}: theirs {theirs}, ours {ours:?}", case.what));
            }
            _ => {}
        }
    }
    println!(
        "{count} artifacts: both accept {accepted}, we alone refuse {stricter} for known reasons"
    );
    assert!(accepted > count / 20, "only {accepted} of {count} were accepted");
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Reads an artifact to its end, for a device that it is for.
fn whole(data: &[u8]) -> Result<(), update::Error> {
    let key = PublicKey::from_pem(&fs::read(kept("p256.pub")).unwrap()).unwrap();
    let mut buffers = pool::claim();
    let buffers = &mut *buffers;
    let (texts, scripts) = (&mut buffers.header, &mut PassOver);
    let room = Room { scratch: &mut buffers.held.0, texts, scripts };
    let mut decoders = HeapDecoders { memory_max: 80 << 20 };
    let opened = open(Source(data), &Keys::new(key), room, &mut decoders)?;
    let device_type = opened.header().device_types().next().map(|kind| kind.to_string());
    let device_type = device_type.unwrap_or_default();
    let provides = Provides::new();
    match opened.accept(&Device { device_type: &device_type, provides: &provides })? {
        Accepted::Bootstrap(bootstrap) => {
            let _: Whole = bootstrap.finish(&mut decoders)?;
            Ok(())
        }
        Accepted::Image(mut image) => {
            let mut payload = image.payload(&mut decoders)?;
            let (mut room, mut hasher, expected) = ([0; 4096], Hasher::default(), payload.digest());
            loop {
                let len = payload.read(&mut room)?;
                if len == 0 {
                    break;
                }
                hasher.update(&room[..len]);
            }
            let drained = payload.finish()?;
            let _: Whole = image.finish(drained)?;
            // As the slot does.
            let found = hasher.finish();
            if found == expected {
                Ok(())
            } else {
                Err(medium::Error::Digest { expected, found }.into())
            }
        }
    }
}

fn case(random: &mut Random) -> Case {
    let mut forge = Forge { payload: random.bytes(3000), ..Forge::default() };
    let compressions = [Compression::None, Compression::Gzip, Compression::Xz];
    forge.header_compression = compressions[pick(random, 3)];
    forge.data_compression = compressions[pick(random, 3)];
    match random.below(9) {
        0 => Case { what: "untouched".to_owned(), bytes: forge.build() },
        1 => flipped(forge.build(), random),
        2 => cut(forge.build(), random),
        3 => rearranged(&forge.build(), random),
        4 => {
            let what = edited(&mut forge.header_info, random);
            Case { what: format!("header-info {what}"), bytes: forge.build() }
        }
        5 => {
            let what = edited(&mut forge.type_info, random);
            Case { what: format!("type-info {what}"), bytes: forge.build() }
        }
        6 => {
            let version = VERSIONS[pick(random, VERSIONS.len())];
            forge.version = version.as_bytes().to_vec();
            Case { what: format!("version {version}"), bytes: forge.build() }
        }
        7 => {
            let at = pick(random, MANIFESTS.len());
            forge.manifest = MANIFESTS[at];
            Case { what: format!("manifest {at}"), bytes: forge.build() }
        }
        _ => {
            let members = tar::archive(&forge.header_members());
            let case = flipped(members, random);
            forge.header = Some(case.bytes);
            Case { what: format!("header.tar {}", case.what), bytes: forge.build() }
        }
    }
}

fn pick(random: &mut Random, end: usize) -> usize {
    usize::try_from(random.below(u64::try_from(end).unwrap())).unwrap()
}

fn flipped(mut bytes: Vec<u8>, random: &mut Random) -> Case {
    let at = pick(random, bytes.len());
    let bit = pick(random, 8);
    bytes[at] ^= 1 << bit;
    Case { what: format!("bit {bit} of byte {at} flipped"), bytes }
}

fn cut(mut bytes: Vec<u8>, random: &mut Random) -> Case {
    let at = pick(random, bytes.len());
    bytes.truncate(at);
    Case { what: format!("cut at {at}"), bytes }
}

/// A member twice, gone, or in another's place.
fn rearranged(bytes: &[u8], random: &mut Random) -> Case {
    let spans = tar::spans(bytes);
    let mut order: Vec<usize> = (0..spans.len()).collect();
    let (one, other) = (pick(random, spans.len()), pick(random, spans.len()));
    match random.below(3) {
        0 => order.insert(one, other),
        1 => drop(order.remove(one)),
        _ => order.swap(one, other),
    }
    let whole = |span: &Span| bytes[span.header..span.end.next_multiple_of(512)].to_vec();
    let members: Vec<_> = order.iter().map(|at| whole(&spans[*at])).collect();
    Case { what: format!("members {order:?}"), bytes: tar::archive(&members) }
}

/// A value becomes another, a key goes or comes.
fn edited(value: &mut Value, random: &mut Random) -> String {
    let mut pointers = Vec::new();
    walk(value, String::new(), &mut pointers);
    let pointer = pointers[pick(random, pointers.len())].clone();
    let new = [
        json!(null),
        json!(7),
        json!(true),
        json!(""),
        json!("other"),
        json!([]),
        json!(["other"]),
        json!({}),
        json!({"other": "x"}),
        json!("n".repeat(300)),
    ];
    let new = new[pick(random, new.len())].clone();
    let place = value.pointer_mut(&pointer).unwrap();
    match (place.as_object_mut(), random.below(2)) {
        (Some(object), 0) => drop(object.insert("unheard_of".to_owned(), new.clone())),
        _ => *place = new.clone(),
    }
    format!("{pointer} {new}").trim_start().to_owned()
}

fn walk(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                walk(value, format!("{at}/{key}"), pointers);
            }
        }
        Value::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                walk(value, format!("{at}/{index}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(at);
}

const VERSIONS: [&str; 8] = [
    r#"{"format":"mender","version":2}"#,
    r#"{"format":"mender","version":4}"#,
    r#"{"format":"other","version":3}"#,
    r#"{"version":3,"format":"mender"}"#,
    r#"{ "format": "mender", "version": 3 }"#,
    r#"{"format":"mender","version":3,"more":1}"#,
    r#"{"format":"mender"}"#,
    "3",
];

const MANIFESTS: [fn(String) -> String; 8] = [
    |text| text.to_uppercase(),
    |text| text.lines().rev().map(|line| format!("{line}\n")).collect(),
    |text| text.clone() + &text,
    |text| format!("{text}{}  other\n", "0".repeat(64)),
    |text| text.lines().skip(1).map(|line| format!("{line}\n")).collect(),
    |text| text.lines().take(2).map(|line| format!("{line}\n")).collect(),
    |text| text.replace("  ", " "),
    |text| text.trim_end().to_owned(),
];

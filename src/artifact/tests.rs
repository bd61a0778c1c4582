//! What `artifact` must do, and what it must refuse.

use std::boxed::Box;
use std::string::{String, ToString};
use std::sync::OnceLock;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::artifact::forge::{
    OWNER, Plain, Recipe, STRANGER, Trickle, archive, base64, block, entry, joined, keys, member,
    pax, public, sign, source,
};
use crate::artifact::header::PassOver;
use crate::artifact::trust::{Keys, Refusal};
use crate::device::Cause;
use crate::provides::Provides;
use crate::stream::decode::{Decoder, Mark};
use crate::stream::plain;

/// Everything an installation would do with `input`, in order; the payload if there is one.
fn taken<R: Source>(input: R) -> Result<Option<Vec<u8>>, Error> {
    let mut scratch = vec![0; 1 << 20];
    let mut texts = Box::new(Texts::new());
    let room = Room { scratch: &mut scratch, texts: &mut texts, scripts: &mut PassOver };
    static KEYS: OnceLock<Keys> = OnceLock::new();
    let opened = open(input, KEYS.get_or_init(keys), room, &mut Plain)?;
    let provides = Provides::new();
    let device = Device { device_type: "rockpro64", provides: &provides };
    let mut image = match opened.accept(&device)? {
        Accepted::Bootstrap(bootstrap) => {
            let Whole(()) = bootstrap.finish(&mut Plain)?;
            return Ok(None);
        }
        Accepted::Image(image) => image,
    };
    let mut payload = image.payload(&mut Plain)?;
    let (size, wanted) = (payload.size_bytes(), payload.digest());
    let mut content = Vec::new();
    let mut room = [0; 700];
    loop {
        match payload.read(&mut room)? {
            0 => break,
            len => content.extend_from_slice(&room[..len]),
        }
    }
    assert_eq!(tar::bytes(content.len()), size);
    let drained = payload.finish()?;
    let Whole(()) = image.finish(drained)?;
    let found = Digest::of(&content);
    // What the slot does with the digest that travels along.
    if found == wanted {
        Ok(Some(content))
    } else {
        Err(Error::Digest { what: "payload", found, wanted })
    }
}

fn read(bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    taken(source(bytes))
}

/// The artifact of `recipe` after `change` of its members.
fn changed(recipe: &Recipe, change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Error {
    let mut members = recipe.members();
    change(&mut members);
    read(&joined(&members)).unwrap_err()
}

fn code(error: &Error) -> (&'static str, Kind) {
    (error.code(), error.kind())
}

#[test]
fn a_signed_artifact_for_this_device_gives_its_payload() {
    let recipe = Recipe::default();
    let payload = recipe.file.clone().unwrap().1;
    for at_once in [1, 7, 512, usize::MAX] {
        let bytes = recipe.bytes();
        assert_eq!(taken(Trickle { bytes: &bytes, at_once }).unwrap().unwrap(), payload);
    }
}

#[test]
fn payloads_around_a_block_come_whole() {
    for size in [1, 511, 512, 513, 699, 700, 701, 4096] {
        let file = Some(("rootfs.ext4".into(), vec![3; size]));
        let recipe = Recipe { file, ..Recipe::default() };
        assert_eq!(read(&recipe.bytes()).unwrap().unwrap().len(), size);
    }
}

#[test]
fn an_opened_artifact_tells_what_was_signed() {
    let bytes = Recipe::default().bytes();
    let (mut scratch, mut texts) = (vec![0; 1 << 20], Texts::new());
    let room = Room { scratch: &mut scratch, texts: &mut texts, scripts: &mut PassOver };
    let opened = open(source(&bytes), &keys(), room, &mut Plain).unwrap();
    assert!(opened.header().artifact_name() == *"release-2");
    assert_eq!(opened.manifest().key(), public(OWNER).id());
    let (name, digest) = opened.manifest().payload().unwrap();
    assert_eq!((name.as_str(), digest), ("rootfs.ext4", Digest::of(b"all bytes of the system")));
}

#[test]
fn a_signed_bootstrap_artifact_has_no_payload() {
    assert_eq!(read(&Recipe::bootstrap().bytes()).unwrap(), None);
}

#[test]
fn an_artifact_without_a_signature_is_refused() {
    let error = changed(&Recipe::default(), |members| drop(members.remove(2)));
    assert_eq!(error, Error::Trust(Refusal::Missing));
    assert_eq!(code(&error), ("signature-missing", Kind::Signature));
    let error = changed(&Recipe::default(), |members| members.truncate(2));
    assert_eq!(error, Error::Trust(Refusal::Missing));
    let error = changed(&Recipe::bootstrap(), |members| drop(members.remove(2)));
    assert_eq!(error, Error::Trust(Refusal::Missing));
}

#[test]
fn an_artifact_that_a_stranger_signed_is_refused() {
    let sign = |members: &mut Vec<(String, Vec<u8>)>| members[2].1 = sign(&members[1].1, STRANGER);
    let error = changed(&Recipe::default(), sign);
    assert_eq!(error.to_string(), "none of the 1 enrolled keys signed this manifest");
    assert_eq!(code(&error), ("signature-invalid", Kind::Signature));
}

#[test]
fn a_signature_that_is_none_is_refused() {
    for text in [&b""[..], b"AAA", b"AAAA\n"] {
        let error = changed(&Recipe::default(), |members| members[2].1 = text.into());
        assert_eq!(code(&error), ("signature-malformed", Kind::Signature));
    }
}

#[test]
fn another_device_s_artifact_is_refused() {
    let recipe = Recipe::default();
    let header_info = recipe.header_info.replace("rockpro64", "qemu-virt");
    let error = read(&Recipe { header_info, ..recipe }.bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the artifact is for qemu-virt, this device is rockpro64");
    assert_eq!(code(&error), ("device-type-mismatch", Kind::Refused));
}

#[test]
fn an_artifact_whose_depends_are_unmet_is_refused() {
    let recipe = Recipe::default();
    let depends = r#""artifact_name":["release-1"],"device_type""#;
    let header_info = recipe.header_info.replace(r#""device_type""#, depends);
    let error = read(&Recipe { header_info, ..recipe }.bytes()).unwrap_err();
    let text = "the artifact depends on artifact_name release-1, this device has none";
    assert_eq!(error.to_string(), text);
    assert_eq!(code(&error), ("depends-unmet", Kind::Refused));
}

#[test]
fn another_type_of_payload_is_refused_by_name() {
    let recipe = Recipe::default();
    let header_info = recipe.header_info.replace("rootfs-image", "directory");
    let error = read(&Recipe { header_info, ..recipe }.bytes()).unwrap_err();
    assert_eq!(error.to_string(), "payload type directory is not supported, expected rootfs-image");
    assert_eq!(code(&error), ("unsupported-payload-type", Kind::Refused));
}

#[test]
fn other_versions_of_the_format_are_refused_before_anything_else() {
    for version in [0, 1, 2, 4] {
        let text = std::format!(r#"{{"format":"mender","version":{version}}}"#);
        let error = changed(&Recipe::default(), |members| members[0].1 = text.into_bytes());
        assert_eq!(error, Error::Version { found: version });
        assert_eq!(code(&error), ("unsupported-version", Kind::Refused));
    }
    for text in [
        r#"{"format":"other","version":3}"#,
        r#"{"version":3}"#,
        r#"{"format":"mender"}"#,
        "[]",
        r#"{"format":"mender","version":"3"}"#,
        r#"{"format":"mender","version":3,"x":1}"#,
        "",
        r#"{"format":"mender","version":3.0}"#,
        r#"{"format":"mender","x":3}"#,
    ] {
        let error = changed(&Recipe::default(), |members| members[0].1 = text.into());
        assert!(matches!(error, Error::Format(_)), "{text}: {error}");
    }
}

#[test]
fn a_version_written_otherwise_is_the_one_that_was_signed() {
    let version = r#" { "version" : 3, "format" : "m\u0065nder" } "#;
    let other = Recipe { version: version.into(), ..Recipe::default() };
    assert!(read(&other.bytes()).is_ok());
    let error = changed(&Recipe::default(), |members| members[0].1 = version.into());
    assert!(matches!(error, Error::Digest { what: "version", .. }), "{error}");
    assert_eq!(code(&error), ("digest-mismatch", Kind::Refused));
}

#[test]
fn a_header_that_was_not_signed_is_neither_decoded_nor_parsed() {
    /// Has nothing to decode.
    struct Never;
    impl Decoders for Never {
        type Reader<R: Source> = plain::Plain<R>;
        fn open<R: Source>(&mut self, _: Coding, _: R) -> Result<plain::Plain<R>, stream::Error> {
            panic!("decoded what was not checked")
        }
    }
    let mut members = Recipe::default().members();
    members[3].1[600] ^= 1;
    let bytes = joined(&members);
    let (mut scratch, mut texts) = (vec![0; 1 << 20], Texts::new());
    let room = Room { scratch: &mut scratch, texts: &mut texts, scripts: &mut PassOver };
    let error = open(source(&bytes), &keys(), room, &mut Never).unwrap_err();
    assert!(matches!(error, Error::Digest { what: "header.tar", .. }), "{error}");
}

#[test]
fn augmented_artifacts_are_refused_by_name() {
    for (at, name) in [
        (2, "manifest-augment"),
        (3, "manifest-augment"),
        (4, "header-augment.tar"),
        (3, "header-augment.tar.gz"),
        (1, "manifest-augment"),
    ] {
        let error =
            changed(&Recipe::default(), |members| members.insert(at, (name.into(), vec![])));
        assert_eq!(code(&error), ("artifact-augmented", Kind::Refused));
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn members_that_are_missing_doubled_or_unknown_are_refused() {
    let recipe = Recipe::default();
    for at in [0, 1, 3, 4] {
        assert!(changed(&recipe, |members| drop(members.remove(at))).kind() == Kind::Refused);
    }
    for at in 0..5 {
        let double = changed(&recipe, |members| members.insert(at, members[at].clone()));
        assert!(matches!(double, Error::Order { .. } | Error::Trust(_)), "{at}");
    }
    for at in 0..6 {
        let error = changed(&recipe, |members| members.insert(at, ("extra".into(), vec![1])));
        let expected = match at {
            2 => "the artifact is not signed, expected manifest.sig",
            _ => "found extra in the artifact, expected ",
        };
        assert!(error.to_string().starts_with(expected), "{at}: {error}");
    }
}

#[test]
fn members_in_another_order_are_refused() {
    for (one, other) in (0..5).flat_map(|one| (0..one).map(move |other| (one, other))) {
        let error = changed(&Recipe::default(), |members| members.swap(one, other));
        assert!(matches!(error, Error::Order { .. } | Error::Trust(_)), "{one} {other}: {error}");
    }
}

#[test]
fn members_over_their_bound_are_refused_with_both_figures() {
    for (at, what, most) in [
        (0, "version", VERSION_MAX_BYTES),
        (1, "manifest", manifest::MANIFEST_MAX_BYTES),
        (2, "manifest.sig", SIGNATURE_MAX_BYTES),
        (3, "header.tar", 1 << 20),
    ] {
        let recipe = Recipe::default();
        let error = changed(&recipe, |members| members[at].1 = vec![b' '; most + 1]);
        let expected = std::format!("{what} has {} bytes, at most {most} are allowed", most + 1);
        assert_eq!(error.to_string(), expected);
        assert_eq!(code(&error), ("member-too-large", Kind::Refused));
        let error = changed(&recipe, |members| members[at].1 = vec![b' '; most]);
        assert!(!matches!(error, Error::TooLarge { .. }), "{error}");
    }
}

#[test]
fn a_version_of_64_bytes_is_read() {
    let version = std::format!("{:64}", Recipe::default().version);
    assert!(read(&Recipe { version, ..Recipe::default() }.bytes()).is_ok());
}

#[test]
fn the_room_bounds_the_header() {
    let recipe = Recipe::default();
    let (bytes, size) = (recipe.bytes(), recipe.header().len());
    for (room, fits) in [(size - 1, false), (size, true), (size + 1, true)] {
        let (mut scratch, mut texts) = (vec![0; room], Texts::new());
        let room = Room { scratch: &mut scratch, texts: &mut texts, scripts: &mut PassOver };
        assert_eq!(open(source(&bytes), &keys(), room, &mut Plain).is_ok(), fits);
    }
}

#[test]
fn the_payload_is_the_file_that_was_signed() {
    let other = |name: &str| archive(&[member(name, b"all bytes of the system")]);
    let error = changed(&Recipe::default(), |members| members[4].1 = other("rootfs.ext3"));
    let expected = "found the payload rootfs.ext3, the manifest lists rootfs.ext4";
    assert_eq!(error.to_string(), expected);
    let error = changed(&Recipe::default(), |members| {
        members[4].1 = archive(&[member("rootfs.ext4", b"all bytes of the systen")]);
    });
    assert!(matches!(error, Error::Digest { what: "payload", .. }));
}

#[test]
fn the_payload_is_alone_in_its_archive() {
    let file = || member("rootfs.ext4", b"all bytes of the system");
    for (members, expected) in [
        (vec![], "the artifact ends where the payload is expected"),
        (
            vec![file(), file()],
            "found rootfs.ext4 in the artifact, expected the end of the payload archive",
        ),
        (
            vec![file(), member("x", b"")],
            "found x in the artifact, expected the end of the payload archive",
        ),
        (vec![member("x", b""), file()], "found the payload x, the manifest lists rootfs.ext4"),
    ] {
        let error = changed(&Recipe::default(), |all| all[4].1 = archive(&members));
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn an_empty_payload_is_refused() {
    let file = Some(("rootfs.ext4".into(), vec![]));
    let error = read(&Recipe { file, ..Recipe::default() }.bytes()).unwrap_err();
    assert_eq!(error, Error::PayloadEmpty);
}

#[test]
fn a_bootstrap_artifact_brings_nothing() {
    let error = changed(&Recipe::bootstrap(), |all| all[4].1 = archive(&[member("x", b"")]));
    assert!(error.to_string().starts_with("found x in the artifact"), "{error}");
}

#[test]
fn header_and_manifest_agree_on_the_payload() {
    let error = read(&Recipe { file: None, ..Recipe::default() }.bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the header has a payload, the manifest lists none");
    let file = Recipe::default().file;
    let error = read(&Recipe { file, ..Recipe::bootstrap() }.bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the header has no payload, the manifest lists one");
}

#[test]
fn the_size_of_a_huge_payload_is_known_before_its_first_byte() {
    let mut members = Recipe::default().members();
    let inner = [pax("19 size=9663676416\n"), block("rootfs.ext4", 0, b'0').to_vec()].concat();
    let data = members.pop().unwrap().0;
    let size = tar::bytes(inner.len()) + 9_663_676_416;
    let records = std::format!("19 size={size}\n");
    let mut bytes = joined(&members);
    bytes.truncate(bytes.len() - 1024);
    bytes.extend([pax(&records), entry(&block(&data, 0, b'0'), &inner)].concat());
    let (mut scratch, mut texts) = (vec![0; 1 << 20], Texts::new());
    let room = Room { scratch: &mut scratch, texts: &mut texts, scripts: &mut PassOver };
    let opened = open(source(&bytes), &keys(), room, &mut Plain).unwrap();
    let provides = Provides::new();
    let device = Device { device_type: "rockpro64", provides: &provides };
    let Accepted::Image(mut image) = opened.accept(&device).unwrap() else { panic!("bootstrap") };
    let mut payload = image.payload(&mut Plain).unwrap();
    assert_eq!(payload.size_bytes(), 9_663_676_416);
    assert!(matches!(
        payload.read(&mut [0; 512]),
        Err(stream::Error::Truncated { what: "payload", .. })
    ));
}

#[test]
fn pax_headers_may_stand_before_any_member() {
    let recipe = Recipe::default();
    let records = "18 gid=1500000000\n18 uid=1500000000\n";
    let inner = archive(&[pax(records), member("rootfs.ext4", b"all bytes of the system")]);
    let mut members = recipe.members();
    members[4].1 = inner;
    let outer = members.iter().flat_map(|(name, content)| [pax(records), member(name, content)]);
    assert!(read(&archive(&outer.collect::<Vec<_>>())).unwrap().is_some());
}

#[test]
fn what_follows_the_compressed_payload_is_refused_whatever_the_decoder_says() {
    /// Stops when it has what it wants.
    struct Lazy<R>(R, usize);
    impl<R: Read<Error = stream::Error>> embedded_io::ErrorType for Lazy<R> {
        type Error = stream::Error;
    }
    impl<R: Read<Error = stream::Error>> Read for Lazy<R> {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, stream::Error> {
            let most = into.len().min(self.1);
            let len = if most == 0 { 0 } else { self.0.read(&mut into[..most])? };
            self.1 -= len;
            Ok(len)
        }
    }
    impl<R: Source> Decoder for Lazy<R> {
        fn mark(&self) -> Option<Mark> {
            None
        }
        fn resume(&mut self, _: Mark, _: &[u8]) -> Result<(), stream::Error> {
            unreachable!("no mark was given")
        }
    }
    struct Lazies;
    impl Decoders for Lazies {
        type Reader<R: Source> = Lazy<R>;
        fn open<R: Source>(&mut self, _: Coding, input: R) -> Result<Lazy<R>, stream::Error> {
            Ok(Lazy(input, 2048))
        }
    }
    let mut members = Recipe::default().members();
    members[4].1.push(0);
    let bytes = joined(&members);
    let (mut scratch, mut texts) = (vec![0; 1 << 20], Texts::new());
    let room = Room { scratch: &mut scratch, texts: &mut texts, scripts: &mut PassOver };
    let opened = open(source(&bytes), &keys(), room, &mut Plain).unwrap();
    let provides = Provides::new();
    let device = Device { device_type: "rockpro64", provides: &provides };
    let Accepted::Image(mut image) = opened.accept(&device).unwrap() else { panic!("bootstrap") };
    let drained = image.payload(&mut Lazies).unwrap().finish().unwrap();
    let error = image.finish(drained).unwrap_err();
    assert_eq!(code(&error), ("artifact-trailing-data", Kind::Refused));
}

#[test]
fn trailing_data_is_refused() {
    let mut bytes = Recipe::default().bytes();
    bytes.push(1);
    let error = read(&bytes).unwrap_err();
    assert_eq!(error, Error::Stream(stream::Error::Trailing { what: "artifact" }));
    let error = changed(&Recipe::default(), |members| members[4].1.push(1));
    assert_eq!(error, Error::Stream(stream::Error::Trailing { what: "payload archive" }));
}

#[test]
fn an_artifact_cut_anywhere_is_refused() {
    let bytes = Recipe::default().bytes();
    for end in 0..bytes.len() {
        let error = read(&bytes[..end]).unwrap_err();
        assert_eq!(code(&error), ("artifact-truncated", Kind::Refused), "{end}: {error}");
    }
}

#[test]
fn a_bootstrap_artifact_cut_around_a_block_is_refused() {
    let bytes = Recipe::bootstrap().bytes();
    let ends = (0..bytes.len()).filter(|end| matches!(end % 512, 0 | 1 | 511));
    for end in ends {
        assert_eq!(read(&bytes[..end]).unwrap_err().code(), "artifact-truncated", "{end}");
    }
}

/// `bytes` with one bit changed, for every bit of what is not zero and one of each other byte;
/// which byte comes along.
fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let bits = |at: &usize| if bytes[*at] == 0 { *at % 8..*at % 8 + 1 } else { 0..8 };
    let places = (0..bytes.len()).flat_map(move |at| bits(&at).map(move |bit| (at, bit)));
    places.map(|(at, bit)| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << bit;
        (at, flipped)
    })
}

#[test]
fn any_one_bit_flipped_in_an_uncompressed_artifact_is_refused() {
    for (at, flipped) in flips(&Recipe::default().bytes()) {
        assert!(read(&flipped).is_err(), "in byte {at}");
    }
}

#[test]
fn any_one_bit_flipped_in_a_bootstrap_artifact_s_payload_is_refused() {
    let bytes = Recipe::bootstrap().bytes();
    let data = bytes.len() - 1024 - 1024 - 512;
    for (at, flipped) in flips(&bytes).filter(|(at, _)| *at >= data) {
        assert!(read(&flipped).is_err(), "in byte {at}");
    }
}

#[test]
fn a_flipped_bit_in_a_pax_header_is_refused_or_changes_only_who_made_the_archive() {
    let recipe = Recipe::default();
    let records = "18 uid=1500000000\n";
    let members = recipe.members();
    let mut members: Vec<_> = members.iter().map(|(name, content)| member(name, content)).collect();
    let start = members[..4].concat().len();
    members.insert(4, pax(records));
    let value = start + 512 + "18 uid=".len()..start + 512 + records.len() - 1;
    for (at, flipped) in
        flips(&archive(&members)).filter(|(at, _)| (start..start + 1024).contains(at))
    {
        let content = read(&flipped).ok().flatten();
        assert_eq!(content.is_some(), value.contains(&at), "in byte {at}");
        assert!(content.is_none_or(|content| content == b"all bytes of the system"));
    }
}

#[test]
fn what_the_source_says_is_passed_on() {
    /// Fails after its bytes.
    struct Failing<'a>(Trickle<'a>);
    impl embedded_io::ErrorType for Failing<'_> {
        type Error = stream::Error;
    }
    impl Source for Failing<'_> {}
    impl Read for Failing<'_> {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, stream::Error> {
            match self.0.read(into)? {
                0 => Err(Cause { code: 5, text: "input/output error" }.into()),
                len => Ok(len),
            }
        }
    }
    let bytes = Recipe::default().bytes();
    for end in (0..bytes.len()).step_by(97) {
        let error = taken(Failing(source(&bytes[..end]))).unwrap_err();
        assert_eq!(code(&error), ("artifact-unreadable", Kind::Io));
    }
}

#[test]
fn names_of_other_codings_are_decoded_as_they_say() {
    let error = changed(&Recipe::default(), |members| members[4].0 = "data/0000.tar.xz".into());
    assert_eq!(code(&error), ("artifact-damaged", Kind::Refused));
    let error = changed(&Recipe::default(), |members| members[3].0 = "header.tar.gz".into());
    let expected = "found header.tar.gz in the artifact, expected header.tar";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_error_prints_no_control_characters_of_the_artifact() {
    let error = changed(&Recipe::default(), |members| members[3].0 = "\u{1b}[2Jx".into());
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
}

#[test]
fn a_signature_has_at_most_as_many_characters_as_the_longest() {
    assert_eq!(base64(&[0; key::RAW_BYTES_MAX]).len(), SIGNATURE_MAX_BYTES);
}

//! Artifacts and their parts, from the tar block to the accepted payload. What stands before a
//! part and must be right for it to be looked at is made here: digests, signature, archive.

use embedded_io::Read;
use twinslot::artifact::compat::Device;
use twinslot::artifact::header::{Header, PassOver, SCRIPTS_MAX, WORD_MAX_BYTES};
use twinslot::artifact::manifest::{LINES_MAX, MANIFEST_MAX_BYTES};
use twinslot::artifact::tar::{Archive, BLOCK_BYTES, NAME_MAX_BYTES};
use twinslot::artifact::trust::verify;
use twinslot::artifact::{self, Accepted, Error, Kind, Opened, Room, open};
use twinslot::provides::{PROVIDES_MAX_BYTES, Provides};
use twinslot::stream::decode::{Mark, WINDOW_BYTES};
use twinslot::stream::digest::Digest;

use super::said;
use super::shell::decode::HeapDecoders;
use crate::sim::artifact::{Artifact, DEVICE_TYPE, Signer256, Source, archive, keys};
use crate::sim::pool;

/// Little: the bodies must be quick, and a bomb must be refused.
const MEMORY_MAX: u64 = 1 << 20;
/// No payload is read further, in bytes.
const FUEL: usize = 4 << 20;

/// Any bytes as an archive, and the same with checksums that fit.
pub fn tar(data: &[u8]) {
    members_of(data);
    members_of(&summed(data));
}

/// The archive with the checksum of each header made right, so that a changed field is looked at.
fn summed(data: &[u8]) -> Vec<u8> {
    let (mut archive, mut at) = (data.to_vec(), 0);
    while let Some(block) = archive.get_mut(at..at + BLOCK_BYTES) {
        at += BLOCK_BYTES;
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        let digits = str::from_utf8(&block[124..135]).unwrap_or_default();
        let size = usize::from_str_radix(digits, 8).unwrap_or_default();
        at = at.saturating_add(size.next_multiple_of(BLOCK_BYTES));
    }
    archive
}

/// Members in any number: their bytes are those of the input, and there are no others.
fn members_of(data: &[u8]) {
    let mut archive = Archive::new(Source(data), "fuzz");
    let (mut members, mut bytes) = (0, 0);
    loop {
        let member = match archive.next_member() {
            Ok(Some(member)) => member,
            Ok(None) => break,
            Err(error) => break said(error),
        };
        members += 1;
        assert!(member.name.as_str().len() <= NAME_MAX_BYTES);
        assert_eq!(archive.left_bytes(), member.size_bytes);
        let read = drain(&mut archive.entry("member"));
        bytes += read.unwrap_or_default();
        if read != Some(member.size_bytes) {
            break;
        }
    }
    let blocks = u64::try_from(data.len() / BLOCK_BYTES).unwrap();
    assert!(members <= blocks && bytes <= u64::try_from(data.len()).unwrap());
}

/// The bytes until the end; none where the input ends before.
fn drain(input: &mut impl Read) -> Option<u64> {
    let (mut room, mut read) = ([0; 700], 0);
    while read < FUEL {
        match input.read(&mut room) {
            Ok(0) => return u64::try_from(read).ok(),
            Ok(len) => read += len,
            Err(_) => return None,
        }
    }
    None
}

/// A manifest that the owner signed, whatever it says: what is taken from it stands in it.
pub fn manifest(data: &[u8]) {
    let text = &data[..data.len().min(MANIFEST_MAX_BYTES + 1)];
    let signature = Signer256::Owner.sign(text);
    let manifest = match verify(text, &signature, &keys()) {
        Ok(manifest) => manifest,
        Err(error) => return said(error),
    };
    assert!(text.len() <= MANIFEST_MAX_BYTES);
    let lines = String::from_utf8_lossy(text).lines().count();
    assert!((2..=LINES_MAX).contains(&lines));
    let says = |digest: Digest| {
        let digest = digest.to_string();
        text.windows(64).any(|window| window == digest.as_bytes())
    };
    assert!(says(manifest.header()) && says(manifest.version()));
    assert!(manifest.payload().is_none_or(|(_, digest)| says(digest)));
    assert!(keys().iter().any(|key| key.id() == manifest.key()));
    // Signed by nobody, or for other bytes, it is never taken.
    assert!(verify(text, &Signer256::Stranger.sign(text), &keys()).is_err());
    assert!(verify(&text[1..], &signature, &keys()).is_err());
}

/// Any bytes as the header of an artifact that is right otherwise.
pub fn header(data: &[u8]) {
    with_header(data);
    with_header(&summed(data));
}

/// Texts as the members of a header: header-info, type-info and meta-data, parted by a NUL.
pub fn header_texts(data: &[u8]) {
    let mut texts = data.splitn(3, |byte| *byte == 0);
    let mut text = || texts.next().unwrap_or_default();
    with_header(&archive(&[
        ("header-info", text()),
        ("headers/0000/type-info", text()),
        ("headers/0000/meta-data", text()),
    ]));
}

fn with_header(header: &[u8]) {
    let mut artifact = Artifact::new(b"payload", DEVICE_TYPE, Signer256::Owner);
    let old = artifact.members[3].bytes.clone();
    artifact.members[3].bytes = header.to_vec();
    let digests = [&old[..], header].map(|bytes| Digest::of(bytes).to_string());
    resign(&mut artifact, &digests);
    whole(&artifact.bytes());
}

fn resign(artifact: &mut Artifact, [old, new]: &[String; 2]) {
    let manifest = String::from_utf8(artifact.members[1].bytes.clone()).unwrap();
    let manifest = manifest.replace(old, new).into_bytes();
    artifact.members[2].bytes = Signer256::Owner.sign(&manifest);
    artifact.members[1].bytes = manifest;
}

/// Any bytes as an artifact. Where they have the members of one it is signed anew, and the
/// digests are made to fit, so that a change is not stopped where it is first seen.
pub fn artifact(data: &[u8]) {
    whole(data);
    if let Some(artifact) = signed_anew(&summed(data)) {
        whole(&artifact);
    }
}

fn signed_anew(data: &[u8]) -> Option<Vec<u8>> {
    let mut archive = Archive::new(Source(data), "fuzz");
    let mut members = Vec::new();
    while members.len() < 8 {
        let Ok(Some(member)) = archive.next_member() else { break };
        let mut bytes = vec![0; usize::try_from(member.size_bytes).ok()?.min(data.len())];
        archive.entry("member").read_exact(&mut bytes).ok()?;
        members.push((member.name.as_str().to_owned(), bytes));
    }
    let named = |name: &str| members.iter().position(|(found, _)| found.starts_with(name));
    let (version, header) = (named("version")?, named("header.tar")?);
    let (manifest, signature) = (named("manifest")?, named("manifest.sig")?);
    let mut text = String::new();
    for line in String::from_utf8_lossy(&members[manifest].1).lines() {
        let (digest, name) = line.split_once("  ")?;
        let digest = match name {
            "version" => Digest::of(&members[version].1).to_string(),
            name if name.starts_with("header.tar") => Digest::of(&members[header].1).to_string(),
            _ => digest.to_owned(),
        };
        text += &format!("{digest}  {name}\n");
    }
    members[signature].1 = Signer256::Owner.sign(text.as_bytes());
    members[manifest].1 = text.into_bytes();
    let members: Vec<_> = members.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
    Some(crate::sim::artifact::archive(&members))
}

/// Reads an artifact to its end, as `inspect` does, and once more as an installation does that goes
/// on where one before was stopped.
fn whole(data: &[u8]) {
    let Some(payload) = read(data, None) else { return };
    if let Some((place, mark)) = payload.mark {
        let (_, after) = payload.bytes.split_at(place);
        let rest = read(data, Some((mark, &payload.bytes))).expect("it was whole just now");
        // Where the fuel ends, it ends within a portion of one.
        let len = after.len().min(rest.bytes.len());
        assert!(after[..len] == rest.bytes[..len], "{mark:?}");
    }
}

/// What was read of a payload, and the first place it can be gone on at, with the byte of it.
#[derive(Default)]
struct Payload {
    bytes: Vec<u8>,
    mark: Option<(usize, Mark)>,
}

/// Where reading goes on, and the payload up to there or further.
type Restart<'p> = (Mark, &'p [u8]);

/// The payload of an artifact that is right.
fn read(data: &[u8], from: Option<Restart<'_>>) -> Option<Payload> {
    let mut buffers = pool::claim();
    let buffers = &mut *buffers;
    let room =
        Room { scratch: &mut buffers.held.0, texts: &mut buffers.header, scripts: &mut PassOver };
    let mut decoders = HeapDecoders { memory_max: MEMORY_MAX };
    let opened = match open(Source(data), &keys(), room, &mut decoders) {
        Ok(opened) => opened,
        Err(error) => {
            refused(&error);
            return None;
        }
    };
    describe(&opened.header());
    take(opened, &mut decoders, from).map_err(|error| refused(&error)).ok()
}

/// A refusal has words for a person and one for an app, and they are of the same kind.
fn refused(error: &Error) {
    said(error);
    let code = error.code();
    assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
    assert_eq!(code.starts_with("signature-"), error.kind() == Kind::Signature, "{code}");
}

/// Everything that a header says is within its bounds, and becomes provides that are.
fn describe(header: &Header<'_>) {
    assert!(header.artifact_name().len_bytes() <= WORD_MAX_BYTES);
    assert!(header.device_types().all(|word| word.len_bytes() <= WORD_MAX_BYTES));
    assert!(header.provides().all(|(key, value)| {
        key.len_bytes() <= WORD_MAX_BYTES && value.len_bytes() <= WORD_MAX_BYTES
    }));
    for (_, words) in header.depends() {
        assert!(words.count() <= data_max());
    }
    assert!(header.scripts() <= SCRIPTS_MAX);
    let mut provides = Provides::new();
    provides.set("rootfs-image.checksum", "x").unwrap();
    if provides.apply(header).is_ok() {
        assert!(provides.as_str().len() <= PROVIDES_MAX_BYTES);
        let again = Provides::parse(provides.as_str().as_bytes()).unwrap();
        assert_eq!(again.as_str(), provides.as_str());
    }
}

/// A header's text has no more words than bytes.
const fn data_max() -> usize {
    artifact::header::TEXT_MAX_BYTES
}

/// The payload is as long as was said, and nothing follows it.
fn take(
    opened: Opened<'_, Source<'_>>,
    decoders: &mut HeapDecoders,
    from: Option<Restart<'_>>,
) -> Result<Payload, Error> {
    let mut provides = Provides::new();
    provides.set("rootfs-image.version", "r1").unwrap();
    let device = Device { device_type: DEVICE_TYPE, provides: &provides };
    let mut image = match opened.accept(&device)? {
        Accepted::Bootstrap(bootstrap) => {
            let _: artifact::Whole = bootstrap.finish(decoders)?;
            return Ok(Payload::default());
        }
        Accepted::Image(image) => image,
    };
    let mut payload = image.payload(decoders)?;
    let mut passed = 0;
    if let Some((mark, before)) = from {
        passed = usize::try_from(payload.place(mark).unwrap()).unwrap();
        payload.resume(mark, &before[passed.saturating_sub(WINDOW_BYTES)..passed])?;
    }
    let size_bytes = payload.size_bytes();
    let (mut room, mut taken) = ([0; 4096], Payload::default());
    while passed + taken.bytes.len() < FUEL {
        let len = payload.read(&mut room)?;
        if len == 0 {
            assert_eq!(u64::try_from(passed + taken.bytes.len()).unwrap(), size_bytes);
            break;
        }
        taken.bytes.extend_from_slice(&room[..len]);
        let mark = payload.mark().map(|(place, mark)| (usize::try_from(place).unwrap(), mark));
        taken.mark = taken.mark.or(mark);
    }
    let drained = payload.finish()?;
    let _: artifact::Whole = image.finish(drained)?;
    Ok(taken)
}

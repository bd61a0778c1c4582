//! The part of an artifact before its payload: small members, each held whole, checked, and only
//! then looked into. Never decodes a header whose digest is not the signed one.

use embedded_io::{ErrorType, Read};

use super::excerpt::Excerpt;
use super::header::{self, Header, ScriptSink};
use super::key::RAW_BYTES_MAX;
use super::manifest::MANIFEST_MAX_BYTES;
use super::tar::{self, Archive, Member, bytes};
use super::trust::{self, Keys, Refusal, VerifiedManifest};
use super::{Error, Opened, Room, Texts};
use crate::json;
use crate::stream::decode::{Coding, Decoders};
use crate::stream::digest::Digest;
use crate::stream::{self, Source};

/// The longest member `version`, in bytes; `{"format":"mender","version":3}` has 31.
pub const VERSION_MAX_BYTES: usize = 64;

/// The longest member `manifest.sig`, in bytes: base64 of the longest signature.
pub const SIGNATURE_MAX_BYTES: usize = RAW_BYTES_MAX.div_ceil(3) * 4;

const VERSION: &str = "version";
const MANIFEST: &str = "manifest";
const SIGNATURE: &str = "manifest.sig";
const SUPPORTED: u64 = 3;

/// Reads an artifact up to its payload and verifies that one of `keys` signed what it read.
///
/// # Errors
/// See [`Error`]; an artifact without a signature is [`Refusal::Missing`], always.
pub fn open<'b, R: Read<Error = stream::Error>, D: Decoders>(
    input: R,
    keys: &Keys,
    room: Room<'_, 'b>,
    decoders: &mut D,
) -> Result<Opened<'b, R>, Error> {
    let mut archive = Archive::new(input, "artifact");
    let version = version(&mut archive)?;
    let manifest = verified(&mut archive, keys)?;
    same(VERSION, version, manifest.version())?;
    let stored = header(&mut archive, &manifest, room.scratch)?;
    let coding = manifest.header_coding();
    let header = decoded((stored, coding), room.texts, room.scripts, decoders)?;
    Ok(Opened { archive, manifest, header })
}

/// The digest of the member `version`, which says version 3.
fn version<R: Read<Error = stream::Error>>(archive: &mut Archive<R>) -> Result<Digest, Error> {
    let mut room = [0; VERSION_MAX_BYTES];
    let size_bytes = member(archive, VERSION)?;
    let text = take(archive, VERSION, within(&mut room, VERSION, size_bytes)?)?;
    let fault = |expected| Error::Format(json::Error { at: 0, expected });
    let value = json::parse(text).map_err(Error::Format)?;
    let object = value.to_object().ok_or_else(|| fault("an object"))?;
    let format = object.get("format").and_then(json::Value::to_text);
    if format.is_none_or(|format| format != *"mender") || object.iter().count() != 2 {
        return Err(fault("an object with format mender and a version"));
    }
    match object.get("version").and_then(json::Value::to_u64) {
        Some(SUPPORTED) => Ok(Digest::of(text)),
        Some(found) => Err(Error::Version { found }),
        None => Err(fault("a version that is a number")),
    }
}

/// The manifest that follows, and its signature.
fn verified<R: Read<Error = stream::Error>>(
    archive: &mut Archive<R>,
    keys: &Keys,
) -> Result<VerifiedManifest, Error> {
    let mut room = [0; MANIFEST_MAX_BYTES];
    let size_bytes = member(archive, MANIFEST)?;
    let manifest = take(archive, MANIFEST, within(&mut room, MANIFEST, size_bytes)?)?;
    let size_bytes = match member(archive, SIGNATURE) {
        Err(Error::Order { .. } | Error::Missing { .. }) => return Err(Refusal::Missing.into()),
        size_bytes => size_bytes?,
    };
    let mut room = [0; SIGNATURE_MAX_BYTES];
    let signature = take(archive, SIGNATURE, within(&mut room, SIGNATURE, size_bytes)?)?;
    Ok(trust::verify(manifest, signature, keys)?)
}

/// The header as it is stored, in `scratch`: the bytes that were signed.
fn header<'s, R: Read<Error = stream::Error>>(
    archive: &mut Archive<R>,
    manifest: &VerifiedManifest,
    scratch: &'s mut [u8],
) -> Result<&'s [u8], Error> {
    let name = match manifest.header_coding() {
        Coding::None => "header.tar",
        Coding::Gzip => "header.tar.gz",
        Coding::Xz => "header.tar.xz",
        Coding::Zstd => "header.tar.zst",
    };
    let size_bytes = member(archive, name)?;
    let stored = take(archive, name, within(scratch, name, size_bytes)?)?;
    same(name, Digest::of(stored), manifest.header())?;
    Ok(stored)
}

fn decoded<'b, D: Decoders>(
    (stored, coding): (&[u8], Coding),
    texts: &'b mut Texts,
    scripts: &mut dyn ScriptSink,
    decoders: &mut D,
) -> Result<Header<'b>, Error> {
    let decoder = decoders.open(coding, Stored(stored))?;
    Ok(header::read(Archive::new(decoder, "header archive"), texts, scripts)?)
}

/// Begins the next member, which must be `wanted`; returns its size, in bytes.
fn member<R: Read<Error = stream::Error>>(
    archive: &mut Archive<R>,
    wanted: &'static str,
) -> Result<u64, Error> {
    let member = archive.next_member()?.ok_or(Error::Missing { wanted })?;
    refuse_augmented(&member)?;
    if member.name == wanted {
        Ok(member.size_bytes)
    } else {
        Err(Error::Order { found: Excerpt::of(&member.name), wanted })
    }
}

/// Refuses what a server may have added after the artifact was signed.
pub(super) fn refuse_augmented(member: &Member) -> Result<(), Error> {
    if member.name.starts_with("manifest-augment") || member.name.starts_with("header-augment") {
        return Err(Error::Augmented { found: Excerpt::of(&member.name) });
    }
    Ok(())
}

/// The part of `room` that a member of `size_bytes` fills.
fn within<'t>(
    room: &'t mut [u8],
    what: &'static str,
    size_bytes: u64,
) -> Result<&'t mut [u8], Error> {
    let allowed_bytes = bytes(room.len());
    let size = usize::try_from(size_bytes).ok();
    let too_large = Error::TooLarge { what, size_bytes, allowed_bytes };
    size.and_then(|size| room.get_mut(..size)).ok_or(too_large)
}

/// Fills `room` from the member begun last.
fn take<'t, R: Read<Error = stream::Error>>(
    archive: &mut Archive<R>,
    what: &'static str,
    room: &'t mut [u8],
) -> Result<&'t [u8], Error> {
    tar::fill(&mut archive.entry(what), room, what)?;
    Ok(room)
}

fn same(what: &'static str, found: Digest, wanted: Digest) -> Result<(), Error> {
    if found == wanted { Ok(()) } else { Err(Error::Digest { what, found, wanted }) }
}

/// Bytes in memory as the input of a decoder.
struct Stored<'a>(&'a [u8]);

impl ErrorType for Stored<'_> {
    type Error = stream::Error;
}

impl Source for Stored<'_> {}

impl Read for Stored<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, stream::Error> {
        let len = into.len().min(self.0.len());
        let (now, rest) = self.0.split_at(len);
        into[..len].copy_from_slice(now);
        self.0 = rest;
        Ok(len)
    }
}

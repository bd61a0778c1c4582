//! Artifacts for tests, well made or not: every part can be changed before the next is made
//! from it, and after.

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use base64ct::{Base64, Encoding};
use embedded_io::{ErrorType, Read};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};

use super::Texts;
use super::header::{self, Header};
use super::key::PublicKey;
use super::tar::Archive;
use super::trust::Keys;
use crate::stream::decode::{Coding, Decoders};
use crate::stream::digest::Digest;
use crate::stream::{self, Error, Source, plain};

/// Scalar of the key that signs.
pub(crate) const OWNER: u8 = 7;

/// Scalar of a key nobody enrolled.
pub(crate) const STRANGER: u8 = 8;

fn signing(scalar: u8) -> SigningKey {
    let mut bytes = [0; 32];
    bytes[31] = scalar;
    SigningKey::from_slice(&bytes).unwrap()
}

/// The public key of a scalar.
pub(crate) fn public(scalar: u8) -> PublicKey {
    // RFC 5480: SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING }.
    let mut der = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\
        \xce\x3d\x03\x01\x07\x03\x42\x00"
        .to_vec();
    der.extend_from_slice(signing(scalar).verifying_key().to_sec1_point(false).as_bytes());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", base64(&der));
    PublicKey::from_pem(pem.as_bytes()).unwrap()
}

/// The keys of a device that trusts [`OWNER`].
pub(crate) fn keys() -> Keys {
    Keys::new(public(OWNER))
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len().div_ceil(3) * 4];
    Base64::encode(bytes, &mut text).unwrap().to_string()
}

/// `manifest.sig` over `manifest`.
pub(crate) fn sign(manifest: &[u8], scalar: u8) -> Vec<u8> {
    let signature: Signature = signing(scalar).sign(manifest);
    base64(&signature.to_bytes()).into_bytes()
}

/// A ustar header as Go's archive/tar writes it.
pub(crate) fn block(name: &str, size_bytes: u64, kind: u8) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000600\x000000000\x000000000\0");
    put(124, format!("{size_bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(329, b"0000000\x000000000\0");
    sealed(block)
}

/// `block` with the checksum that is right for it.
pub(crate) fn sealed(mut block: [u8; 512]) -> [u8; 512] {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// `content` filled up to whole blocks.
pub(crate) fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = content.to_vec();
    padded.resize(content.len().next_multiple_of(512), 0);
    padded
}

/// A header and its content.
pub(crate) fn member(name: &str, content: &[u8]) -> Vec<u8> {
    entry(&block(name, u64::try_from(content.len()).unwrap(), b'0'), content)
}

pub(crate) fn entry(block: &[u8; 512], content: &[u8]) -> Vec<u8> {
    [&block[..], &padded(content)].concat()
}

/// A PAX header with `records`.
pub(crate) fn pax(records: &str) -> Vec<u8> {
    let size = u64::try_from(records.len()).unwrap();
    entry(&block("PaxHeaders.0/x", size, b'x'), records.as_bytes())
}

/// `members` and the end, as Go's archive/tar writes an archive.
pub(crate) fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut archive = members.concat();
    archive.extend_from_slice(&[0; 1024]);
    archive
}

/// What an artifact is made from.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) version: String,
    pub(crate) header_info: String,
    pub(crate) scripts: Vec<String>,
    pub(crate) type_info: String,
    pub(crate) meta_data: Option<String>,
    pub(crate) file: Option<(String, Vec<u8>)>,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            version: r#"{"format":"mender","version":3}"#.into(),
            header_info: concat!(
                r#"{"payloads":[{"type":"rootfs-image"}],"#,
                r#""artifact_provides":{"artifact_name":"release-2"},"#,
                r#""artifact_depends":{"device_type":["rockpro64"]}}"#
            )
            .into(),
            scripts: Vec::new(),
            type_info: concat!(
                r#"{"type":"","artifact_provides":{"rootfs-image.version":"release-2"},"#,
                r#""clears_artifact_provides":["artifact_group","rootfs-image.*"]}"#
            )
            .into(),
            meta_data: Some(String::new()),
            file: Some(("rootfs.ext4".into(), b"all bytes of the system".to_vec())),
        }
    }
}

impl Recipe {
    /// A bootstrap artifact.
    pub(crate) fn bootstrap() -> Self {
        let recipe = Self::default();
        let header_info = recipe.header_info.replace(r#""rootfs-image""#, "null");
        let type_info = recipe.type_info.replace(r#""type":"""#, r#""type":null"#);
        Self { header_info, type_info, meta_data: None, file: None, ..recipe }
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        let mut members = vec![member("header-info", self.header_info.as_bytes())];
        members.extend(self.scripts.iter().map(|name| member(name, b"#!/bin/sh\n")));
        members.push(member("headers/0000/type-info", self.type_info.as_bytes()));
        let data = self.meta_data.iter();
        members.extend(data.map(|data| member("headers/0000/meta-data", data.as_bytes())));
        archive(&members)
    }

    pub(crate) fn data(&self) -> Vec<u8> {
        let file = self.file.iter().map(|(name, content)| member(name, content));
        archive(&file.collect::<Vec<_>>())
    }

    pub(crate) fn manifest(&self) -> Vec<u8> {
        let mut lines = String::new();
        let mut line =
            |name: &str, bytes: &[u8]| lines += &format!("{}  {name}\n", Digest::of(bytes));
        if let Some((name, content)) = &self.file {
            line(&format!("data/0000/{name}"), content);
        }
        line("header.tar", &self.header());
        line("version", self.version.as_bytes());
        lines.into_bytes()
    }

    /// The members of the signed artifact.
    pub(crate) fn members(&self) -> Vec<(String, Vec<u8>)> {
        let manifest = self.manifest();
        let signature = sign(&manifest, OWNER);
        vec![
            ("version".into(), self.version.clone().into_bytes()),
            ("manifest".into(), manifest),
            ("manifest.sig".into(), signature),
            ("header.tar".into(), self.header()),
            ("data/0000.tar".into(), self.data()),
        ]
    }

    /// The signed artifact.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        joined(&self.members())
    }
}

/// The header that `recipe` makes.
pub(crate) fn header<'b>(
    recipe: &Recipe,
    texts: &'b mut Texts,
) -> Result<Header<'b>, header::Error> {
    header::read(
        Archive::new(source(&recipe.header()), "header archive"),
        texts,
        &mut header::PassOver,
    )
}

/// An artifact of `members`.
pub(crate) fn joined(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let members = members.iter().map(|(name, content)| member(name, content));
    archive(&members.collect::<Vec<_>>())
}

/// Bytes that come a few at a time.
#[derive(Debug)]
pub(crate) struct Trickle<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) at_once: usize,
}

impl ErrorType for Trickle<'_> {
    type Error = Error;
}

impl Source for Trickle<'_> {}

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let len = into.len().min(self.bytes.len()).min(self.at_once);
        let (now, rest) = self.bytes.split_at(len);
        into[..len].copy_from_slice(now);
        self.bytes = rest;
        Ok(len)
    }
}

/// All of `bytes`, as fast as they are asked for.
pub(crate) fn source(bytes: &[u8]) -> Trickle<'_> {
    Trickle { bytes, at_once: usize::MAX }
}

/// Decodes what is not compressed.
pub(crate) struct Plain;

impl Decoders for Plain {
    type Reader<R: Source> = plain::Plain<R>;

    fn open<R: Source>(&mut self, coding: Coding, input: R) -> Result<plain::Plain<R>, Error> {
        match coding {
            Coding::None => Ok(plain::Plain::new(input)),
            coding => Err(stream::Error::Damaged { coding, text: "not decoded in this test" }),
        }
    }
}

//! Artifacts made in memory: format 3, uncompressed, signed by a key of the test's own. Also
//! what reads them: a source of bytes and the decoder for what is not compressed.

use base64ct::{Base64, Encoding};
use embedded_io::{ErrorType, Read};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use twinslot::artifact::key::PublicKey;
use twinslot::artifact::trust::Keys;
use twinslot::stream::decode::{Coding, Decoder, Decoders, Mark, WINDOW_BYTES};
use twinslot::stream::digest::Digest;
use twinslot::stream::{self, Error, plain};

pub const NAME: &str = "release-2";
pub const DEVICE_TYPE: &str = "rockpro64";

/// Who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer256 {
    /// Enrolled.
    Owner,
    /// Nobody the board knows.
    Stranger,
}

impl Signer256 {
    fn key(self) -> SigningKey {
        let mut scalar = [0; 32];
        scalar[31] = match self {
            Self::Owner => 7,
            Self::Stranger => 8,
        };
        SigningKey::from_slice(&scalar).unwrap()
    }

    pub fn sign(self, manifest: &[u8]) -> Vec<u8> {
        let signature: Signature = self.key().sign(manifest);
        base64(&signature.to_bytes()).into_bytes()
    }

    fn public(self) -> PublicKey {
        // RFC 5480: SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING }.
        let mut der = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\
            \xce\x3d\x03\x01\x07\x03\x42\x00"
            .to_vec();
        der.extend_from_slice(self.key().verifying_key().to_sec1_point(false).as_bytes());
        let (begin, end) = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----");
        PublicKey::from_pem(format!("{begin}\n{}\n{end}\n", base64(&der)).as_bytes()).unwrap()
    }
}

/// The keys of a board that trusts its owner.
pub fn keys() -> Keys {
    Keys::new(Signer256::Owner.public())
}

fn base64(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len().div_ceil(3) * 4];
    Base64::encode(bytes, &mut text).unwrap().to_owned()
}

/// A member of the outer archive.
#[derive(Debug, Clone)]
pub struct Member {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// An artifact's members; as they stand, the board takes it.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub members: Vec<Member>,
}

impl Artifact {
    /// Signed by `signer`, for boards of type `device_type`.
    pub fn new(payload: &[u8], device_type: &str, signer: Signer256) -> Self {
        let version = br#"{"format":"mender","version":3}"#;
        let header = header(device_type);
        let lines = [
            ("data/0000/rootfs.ext4", payload),
            ("header.tar", &header[..]),
            ("version", &version[..]),
        ];
        let line = |(name, bytes): (&str, &[u8])| format!("{}  {name}\n", Digest::of(bytes));
        let manifest = lines.map(line).concat().into_bytes();
        let signature = signer.sign(&manifest);
        let data = archive(&[("rootfs.ext4", payload)]);
        let members = [
            ("version", version.to_vec()),
            ("manifest", manifest),
            ("manifest.sig", signature),
            ("header.tar", header),
            ("data/0000.tar", data),
        ];
        let member = |(name, bytes): (&str, _)| Member { name: name.to_owned(), bytes };
        Self { members: members.map(member).into() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let members: Vec<_> =
            self.members.iter().map(|member| (&member.name[..], &member.bytes[..])).collect();
        archive(&members)
    }

    /// Where the member's header begins in [`Artifact::bytes`], and where its bytes do.
    pub fn place(&self, name: &str) -> (usize, std::ops::Range<usize>) {
        let mut at = 0;
        for member in &self.members {
            let start = at + 512;
            if member.name == name {
                return (at, start..start + member.bytes.len());
            }
            at = start + member.bytes.len().next_multiple_of(512);
        }
        panic!("no member {name}")
    }
}

fn header(device_type: &str) -> Vec<u8> {
    let info = format!(
        "{{\"payloads\":[{{\"type\":\"rootfs-image\"}}],\
         \"artifact_provides\":{{\"artifact_name\":\"{NAME}\"}},\
         \"artifact_depends\":{{\"device_type\":[\"{device_type}\"]}}}}"
    );
    let type_info = format!(
        "{{\"type\":\"rootfs-image\",\"artifact_provides\":{{\"rootfs-image.version\":\"{NAME}\"}},\
         \"clears_artifact_provides\":[\"rootfs-image.*\"]}}"
    );
    archive(&[
        ("header-info", info.as_bytes()),
        ("headers/0000/type-info", type_info.as_bytes()),
        ("headers/0000/meta-data", b""),
    ])
}

/// A ustar archive as Go's archive/tar writes it.
pub fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in members {
        archive.extend(block(name, bytes.len()));
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

fn block(name: &str, size_bytes: usize) -> [u8; 512] {
    let mut block = [0; 512];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000600\x000000000\x000000000\0");
    put(124, format!("{size_bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0        0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// The artifact as it comes in, in portions of any size.
#[derive(Debug)]
pub struct Source<'a>(pub &'a [u8]);

impl stream::Source for Source<'_> {
    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let len = usize::try_from(bytes).unwrap().min(self.0.len());
        self.0 = &self.0[len..];
        Ok(())
    }
}

impl ErrorType for Source<'_> {
    type Error = Error;
}

impl Read for Source<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        let len = into.len().min(self.0.len());
        let (now, rest) = self.0.split_at(len);
        into[..len].copy_from_slice(now);
        self.0 = rest;
        Ok(len)
    }
}

/// Decodes what is not compressed, and can go on at every so many bytes of it.
#[derive(Debug, Clone, Copy)]
pub struct Plain {
    pub grain_bytes: u64,
}

impl Decoders for Plain {
    type Reader<R: stream::Source> = Grained<R>;

    fn open<R: stream::Source>(&mut self, coding: Coding, input: R) -> Result<Grained<R>, Error> {
        match coding {
            Coding::None => Ok(Grained(plain::Plain::new(input), self.grain_bytes)),
            coding => Err(stream::Error::Damaged { coding, text: "not decoded in this test" }),
        }
    }
}

/// The content as it is read, and how far its marks are apart.
#[derive(Debug)]
pub struct Grained<R>(plain::Plain<R>, u64);

impl<R> ErrorType for Grained<R> {
    type Error = Error;
}

impl<R: stream::Source> Read for Grained<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        self.0.read(into)
    }
}

impl<R: stream::Source> Decoder for Grained<R> {
    fn mark(&self) -> Option<Mark> {
        let mark = self.0.mark()?;
        let at = mark.coded_bytes / self.1 * self.1;
        Some(Mark { coded_bytes: at, decoded_bytes: at, crc: 1 })
    }

    /// Wants all that a decoder may want.
    fn resume(&mut self, mark: Mark, window: &[u8]) -> Result<(), Error> {
        assert_eq!((mark.crc, window.len()), (1, WINDOW_BYTES));
        self.0.resume(mark, window)
    }
}

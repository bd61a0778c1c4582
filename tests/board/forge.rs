//! Artifacts made by hand, signed by a key the board trusts: what a hostile or broken builder
//! with that key could send. As it stands, a forge makes a good one.

use super::artifacts::{image, kept};
use super::tar;
use super::tools::text;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Xz => ".xz",
            Self::Zstd => ".zst",
        }
    }

    /// By the ordinary program.
    pub fn compress(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None => bytes.to_vec(),
            Self::Gzip => pipe(&["gzip", "-nc"], bytes),
            Self::Xz => pipe(&["xz", "-0c"], bytes),
            Self::Zstd => pipe(&["zstd", "-qc"], bytes),
        }
    }
}

/// How the two numbers of a signature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// r and s, 32 bytes each, as mender-artifact writes them.
    Raw,
    /// As KMS signers do.
    Der,
}

/// A member of the outer archive: its name, and header and bytes as they stand in the file.
pub type Member = (String, Vec<u8>);

pub struct Forge {
    pub version: Vec<u8>,
    pub header_info: Value,
    pub type_info: Value,
    pub payload_name: String,
    /// What the manifest's digest is of.
    pub payload: Vec<u8>,
    /// The members of header.tar.
    pub header: Option<Vec<u8>>,
    /// All of data/0000.tar, before compression.
    pub data: Option<Vec<u8>>,
    pub header_compression: Compression,
    pub data_compression: Compression,
    /// Changes compressed data/0000.tar.
    pub squeeze: fn(Vec<u8>) -> Vec<u8>,
    /// Changes the manifest before it is signed.
    pub manifest: fn(String) -> String,
    /// Changes the signature as text.
    pub signature: fn(String) -> String,
    /// Changes the outer archive after it is signed.
    pub members: fn(&mut Vec<Member>),
    pub key: &'static str,
    pub coding: Coding,
}

impl Default for Forge {
    fn default() -> Self {
        Self {
            version: br#"{"format":"mender","version":3}"#.to_vec(),
            header_info: json!({
                "payloads": [{ "type": "rootfs-image" }],
                "artifact_provides": { "artifact_name": "release-2" },
                "artifact_depends": { "device_type": ["rockpro64"] },
            }),
            type_info: json!({
                "type": "rootfs-image",
                "artifact_provides": { "rootfs-image.version": "release-2" },
                "clears_artifact_provides": ["rootfs-image.*"],
            }),
            payload_name: "rootfs.ext4".to_owned(),
            payload: image(),
            header: None,
            data: None,
            header_compression: Compression::None,
            data_compression: Compression::None,
            squeeze: |bytes| bytes,
            manifest: |text| text,
            signature: |text| text,
            members: |_| {},
            key: "p256.key",
            coding: Coding::Raw,
        }
    }
}

impl Forge {
    /// The artifact's bytes.
    pub fn build(&self) -> Vec<u8> {
        let header = self.header_compression.compress(&self.header_tar());
        let data = (self.squeeze)(self.data_compression.compress(&self.data_tar()));
        let header_name = format!("header.tar{}", self.header_compression.suffix());
        let data_name = format!("data/0000.tar{}", self.data_compression.suffix());
        let manifest = (self.manifest)(self.lines(&header_name, &header));
        let signature = (self.signature)(sign(manifest.as_bytes(), self.key, self.coding));
        let mut members: Vec<Member> = [
            ("version", &self.version[..]),
            ("manifest", manifest.as_bytes()),
            ("manifest.sig", signature.as_bytes()),
            (&header_name, &header),
            (&data_name, &data),
        ]
        .map(|(name, bytes)| (name.to_owned(), tar::member(name, bytes)))
        .into();
        (self.members)(&mut members);
        let members: Vec<_> = members.into_iter().map(|(_, bytes)| bytes).collect();
        tar::archive(&members)
    }

    /// header.tar's members when no test wants others.
    pub fn header_members(&self) -> Vec<Vec<u8>> {
        let texts = [self.header_info.to_string(), self.type_info.to_string(), String::new()];
        let names = ["header-info", "headers/0000/type-info", "headers/0000/meta-data"];
        let pairs = names.into_iter().zip(&texts);
        pairs.map(|(name, text)| tar::member(name, text.as_bytes())).collect()
    }

    fn header_tar(&self) -> Vec<u8> {
        self.header.clone().unwrap_or_else(|| tar::archive(&self.header_members()))
    }

    fn data_tar(&self) -> Vec<u8> {
        let own = || tar::archive(&[tar::member(&self.payload_name, &self.payload)]);
        self.data.clone().unwrap_or_else(own)
    }

    fn lines(&self, header_name: &str, header: &[u8]) -> String {
        let payload = format!("data/0000/{}", self.payload_name);
        let files =
            [(&payload[..], &self.payload[..]), (header_name, header), ("version", &self.version)];
        files.map(|(name, bytes)| format!("{}  {name}\n", digest(bytes))).concat()
    }
}

/// SHA-256 in hex.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// base64 of the signature.
fn sign(manifest: &[u8], key: &str, coding: Coding) -> String {
    let key = kept(key);
    let der = pipe(&["openssl", "dgst", "-sha256", "-sign", text(&key)], manifest);
    let bytes = match coding {
        Coding::Der => der,
        Coding::Raw => raw(&der),
    };
    String::from_utf8(pipe(&["openssl", "base64", "-A"], &bytes)).unwrap()
}

/// A sequence of two integers as two numbers of 32 bytes.
fn raw(der: &[u8]) -> Vec<u8> {
    let mut at = 2;
    let mut raw = Vec::new();
    for _ in 0..2 {
        let length = usize::from(der[at + 1]);
        let number = &der[at + 2..at + 2 + length];
        let digits = &number[length.saturating_sub(32)..];
        raw.extend(std::iter::repeat_n(0, 32 - digits.len()));
        raw.extend(digits);
        at += 2 + length;
    }
    raw
}

/// Bytes through a program.
pub fn pipe(words: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{words:?}: {}", output.status);
    output.stdout
}

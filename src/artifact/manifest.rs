//! The manifest: one line a file, `<SHA-256 in lower-case hex><two blanks><name>\n`, in any
//! order (mender-artifact, Documentation/artifact-format-v3.md). Only [`super::trust`] parses
//! one, after its signature was verified.

use super::excerpt::Excerpt;
use super::tar::Name;
use crate::stream::decode::Coding;
use crate::stream::digest::Digest;

/// The longest manifest, in bytes.
pub const MANIFEST_MAX_BYTES: usize = 4 << 10;

/// The most lines a manifest may have; what is supported needs three.
pub const LINES_MAX: usize = 8;

/// Names begin here in a line: 64 digits and two blanks come before.
const NAME_AT: usize = 66;

/// Why a signed manifest is refused all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A line that is none.
    #[error("line {line} of the manifest is not a SHA-256, two blanks, a name and a line end")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// Too many lines.
    #[error("the manifest has more than {LINES_MAX} lines")]
    TooLong,
    /// A file this version of the format does not have, or that is not supported.
    #[error("the manifest lists {name:?}, expected version, header.tar and one file in data/0000/")]
    Name {
        /// The name.
        name: Excerpt<64>,
    },
    /// A file that is listed twice, or a second of a sort that has one.
    #[error("the manifest lists {name:?} where it lists a {sort} already")]
    Twice {
        /// The second name.
        name: Excerpt<64>,
        /// The sort of file.
        sort: &'static str,
    },
    /// A file that every artifact has.
    #[error("the manifest does not list {sort}")]
    Missing {
        /// The sort of file.
        sort: &'static str,
    },
}

/// What a manifest lists.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) version: Digest,
    pub(super) header: Digest,
    pub(super) header_coding: Coding,
    pub(super) payload: Option<(Name, Digest)>,
}

/// What has been found of a manifest so far.
#[derive(Default)]
struct Found {
    version: Option<Digest>,
    header: Option<(Coding, Digest)>,
    payload: Option<(Name, Digest)>,
}

impl Manifest {
    pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
        let mut found = Found::default();
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if index == LINES_MAX {
                return Err(Error::TooLong);
            }
            let (digest, name) = split(line).ok_or(Error::Line { line: index + 1 })?;
            found.take(name, digest)?;
        }
        let missing = |sort| Error::Missing { sort };
        let (header_coding, header) = found.header.ok_or_else(|| missing("header.tar"))?;
        let version = found.version.ok_or_else(|| missing("version"))?;
        Ok(Self { version, header, header_coding, payload: found.payload })
    }
}

impl Found {
    fn take(&mut self, name: &str, digest: Digest) -> Result<(), Error> {
        let known = || Error::Name { name: Excerpt::of(name) };
        let (sort, twice) = if name == "version" {
            ("version", self.version.replace(digest).is_some())
        } else if let Some(coding) = coding(name, "header") {
            ("header", self.header.replace((coding, digest)).is_some())
        } else {
            let file = name.strip_prefix("data/0000/").filter(|file| is_file(file));
            let file = file.and_then(|file| Name::try_from(file).ok()).ok_or_else(known)?;
            ("payload", self.payload.replace((file, digest)).is_some())
        };
        if twice { Err(Error::Twice { name: Excerpt::of(name), sort }) } else { Ok(()) }
    }
}

/// The digest and name in a line with its end.
fn split(line: &[u8]) -> Option<(Digest, &str)> {
    let (digest, name) = line.strip_suffix(b"\n")?.split_at_checked(NAME_AT)?;
    let digest = Digest::from_hex(digest.strip_suffix(b"  ")?)?;
    Some((digest, core::str::from_utf8(name).ok()?))
}

/// mender-artifact areader/reader.go and awriter/writer.go: `[\w\-.,]+`.
fn is_file(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.,".contains(&byte);
    !matches!(name, "" | "." | "..") && name.bytes().all(plain)
}

/// How the archive `name` is compressed if it is `stem` with a suffix of format 3.
pub(super) fn coding(name: &str, stem: &str) -> Option<Coding> {
    match name.strip_prefix(stem)? {
        ".tar" => Some(Coding::None),
        ".tar.gz" => Some(Coding::Gzip),
        ".tar.xz" => Some(Coding::Xz),
        ".tar.zst" => Some(Coding::Zstd),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

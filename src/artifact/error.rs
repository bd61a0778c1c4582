//! Why an artifact is refused, in one type over all layers, and the stable word and exit code
//! for each reason. Never says "invalid" without saying what.

use super::excerpt::Excerpt;
use super::{compat, header, tar, trust};
use crate::json;
use crate::stream::{self, digest::Digest};

/// Why an artifact is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The source, or a compressed stream in it.
    #[error(transparent)]
    Stream(stream::Error),
    /// One of the archives.
    #[error(transparent)]
    Tar(tar::Error),
    /// The signature, or what it stands for.
    #[error(transparent)]
    Trust(#[from] trust::Refusal),
    /// The header.
    #[error(transparent)]
    Header(header::Error),
    /// The device.
    #[error(transparent)]
    Compat(#[from] compat::Error),
    /// Not an artifact at all.
    #[error("the member version is not that of a Mender artifact: {0}")]
    Format(json::Error),
    /// Another version of the format.
    #[error("artifact format version {found} is not supported, expected 3")]
    Version {
        /// The version.
        found: u64,
    },
    /// A member that is not due.
    #[error("found {found:?} in the artifact, expected {wanted}")]
    Order {
        /// The member found.
        found: Excerpt<48>,
        /// What is due.
        wanted: &'static str,
    },
    /// The end where a member is due.
    #[error("the artifact ends where {wanted} is expected")]
    Missing {
        /// What is due.
        wanted: &'static str,
    },
    /// A member that no signature covers.
    #[error("the artifact is augmented: {found:?} is not covered by its signature")]
    Augmented {
        /// The member.
        found: Excerpt<48>,
    },
    /// A member over its bound.
    #[error("{what} has {size_bytes} bytes, at most {allowed_bytes} are allowed")]
    TooLarge {
        /// The member.
        what: &'static str,
        /// Its size, in bytes.
        size_bytes: u64,
        /// What may be, in bytes.
        allowed_bytes: u64,
    },
    /// A member other than the one that was signed.
    #[error("{what} has the digest {found}, the manifest says {wanted}")]
    Digest {
        /// The member.
        what: &'static str,
        /// Its digest.
        found: Digest,
        /// The manifest's.
        wanted: Digest,
    },
    /// A file other than the one that was signed.
    #[error("found the payload {found:?}, the manifest lists {wanted:?}")]
    PayloadName {
        /// Its name.
        found: Excerpt<40>,
        /// The manifest's.
        wanted: Excerpt<40>,
    },
    /// Header and manifest do not agree on whether there is a payload.
    #[error("the header {header}, the manifest {manifest}")]
    PayloadListed {
        /// What the header says.
        header: &'static str,
        /// What the manifest says.
        manifest: &'static str,
    },
    /// A payload that no system can be in.
    #[error("the payload is empty")]
    PayloadEmpty,
}

/// What sort of failure it is; an exit code each (`twinslot --help`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The artifact is not signed by an enrolled key: 77.
    Signature,
    /// The artifact is malformed or not for this device: 65.
    Refused,
    /// The artifact could not be read, or what of it must be kept could not be: 74.
    Io,
}

// Errors are returned by value through every layer.
const _: () = assert!(size_of::<Error>() <= 120);

impl Error {
    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Stream(stream::Error::Source(_)) => Kind::Io,
            Self::Header(header::Error::Unkept { .. }) => Kind::Io,
            Self::Trust(trust::Refusal::Manifest(_)) => Kind::Refused,
            Self::Trust(_) => Kind::Signature,
            _ => Kind::Refused,
        }
    }

    /// A stable word for apps and scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Stream(error) => stream_code(error),
            Self::Trust(error) => trust_code(error),
            Self::Header(error) => header_code(error),
            Self::Compat(compat::Error::DeviceType { .. }) => "device-type-mismatch",
            Self::Compat(_) => "depends-unmet",
            Self::Version { .. } => "unsupported-version",
            Self::Augmented { .. } => "artifact-augmented",
            Self::TooLarge { .. } => "member-too-large",
            Self::Digest { .. } => "digest-mismatch",
            Self::Tar(_)
            | Self::Format(_)
            | Self::Order { .. }
            | Self::Missing { .. }
            | Self::PayloadName { .. }
            | Self::PayloadListed { .. }
            | Self::PayloadEmpty => "artifact-malformed",
        }
    }
}

fn stream_code(error: &stream::Error) -> &'static str {
    match error {
        stream::Error::Source(_) => "artifact-unreadable",
        stream::Error::Truncated { .. } => "artifact-truncated",
        stream::Error::Damaged { .. } => "artifact-damaged",
        stream::Error::Window { .. } => "window-too-large",
        stream::Error::Trailing { .. } => "artifact-trailing-data",
    }
}

fn trust_code(error: &trust::Refusal) -> &'static str {
    match error {
        trust::Refusal::Missing => "signature-missing",
        trust::Refusal::Malformed(_) => "signature-malformed",
        trust::Refusal::Unknown { .. } => "signature-invalid",
        trust::Refusal::Manifest(_) => "artifact-malformed",
    }
}

fn header_code(error: &header::Error) -> &'static str {
    match error {
        header::Error::Type { .. } => "unsupported-payload-type",
        header::Error::TooLarge { .. } => "member-too-large",
        header::Error::Unkept { .. } => "state-dir-unwritable",
        _ => "artifact-malformed",
    }
}

impl From<stream::Error> for Error {
    fn from(error: stream::Error) -> Self {
        Self::Stream(error)
    }
}

impl From<tar::Error> for Error {
    fn from(error: tar::Error) -> Self {
        match error {
            tar::Error::Stream(error) => Self::Stream(error),
            error => Self::Tar(error),
        }
    }
}

impl From<header::Error> for Error {
    fn from(error: header::Error) -> Self {
        match error {
            header::Error::Tar(error) => error.into(),
            error => Self::Header(error),
        }
    }
}

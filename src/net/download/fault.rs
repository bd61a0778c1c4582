//! Why a download failed, and whether it is worth another try. Never tries.

use std::time::Duration;

use crate::net::exchange;

/// Why there is no more of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The server did not answer, or with a refusal.
    #[error(transparent)]
    Exchange(#[from] exchange::Error),
    /// What the server has now is something else than what it, or the offer, said before.
    #[error("{host} has another file now: {reason}")]
    Changed { host: String, reason: String },
    /// The answers end before the file does.
    #[error("{host} sends no more, {missing} bytes before the end")]
    Truncated { host: String, missing: u64 },
    /// Bytes come, but so few that it would never end.
    #[error("{host} sent only {bytes} bytes in {seconds} s")]
    Stalled { host: String, bytes: u64, seconds: u64 },
    /// All bytes came, and are others than offered.
    #[error("the file has the SHA-256 {}, the offer says {}", hex(.found), hex(.offered))]
    Digest { found: [u8; 32], offered: [u8; 32] },
}

fn hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// When in an exchange it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Asking,
    Reading,
}

impl Error {
    /// Whether no server can help.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Digest { .. } | Self::Exchange(exchange::Error::Interrupted))
    }

    /// Whether this server would say the same again.
    pub(super) fn is_lasting(&self, when: When) -> bool {
        use exchange::Error as E;
        match self {
            Self::Changed { .. } => true,
            Self::Exchange(E::Url { .. }) => true,
            Self::Exchange(E::Refused { status, .. }) => {
                !matches!(status, 408 | 425 | 429 | 500..=599)
            }
            // In the middle these are a line that breaks, not a server that is wrong.
            Self::Exchange(E::Tls { .. } | E::Malformed { .. }) => when == When::Asking,
            _ => false,
        }
    }

    /// How long the server asked to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Exchange(exchange::Error::Refused { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }
}

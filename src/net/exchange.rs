//! One request and its answer, both held whole and bounded: the seam between what is said to a
//! server and how it gets there. Never sends anything itself.

use std::time::Duration;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'r> {
    pub(crate) method: Method<'r>,
    pub(crate) url: &'r str,
    /// Names and values, besides those of the connection.
    pub(crate) headers: &'r [(&'r str, &'r str)],
    /// The most that is read of an answer's body, in bytes; a longer one is an error.
    pub(crate) body_max_bytes: u64,
}

/// What is done to the resource; with a body where it takes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method<'r> {
    Get,
    Post(&'r [u8]),
    Put(&'r [u8]),
}

/// What a server said; of any status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// How long it asks to be left alone (`Retry-After`).
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The URL is none, or of another scheme than https.
    #[error("{url}: {reason}")]
    Url { url: String, reason: String },
    /// No connection, or it broke.
    #[error("cannot reach {host}: {reason}")]
    Unreachable { host: String, reason: String },
    /// The server is not who it should be, or we are not to it.
    #[error("no secure connection to {host}: {reason}")]
    Tls { host: String, reason: String },
    /// An answer that is none: no HTTP, too long, ended early, redirected in a circle.
    #[error("{host} answered with nonsense: {reason}")]
    Malformed { host: String, reason: String },
    /// A status that is no success, where only a success will do.
    #[error("{host} refused with {status}{}", said(.reason))]
    Refused { host: String, status: u16, reason: String, retry_after: Option<Duration> },
    /// Someone asked to stop.
    #[error("stopped as asked")]
    Interrupted,
}

fn said(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Carries requests.
pub(crate) trait Exchange {
    /// Asks once; a redirect is followed, nothing is tried again.
    ///
    /// # Errors
    /// There is no answer. An answer of any status is one.
    fn send(&self, request: Request<'_>) -> Result<Answer, Error>;
}

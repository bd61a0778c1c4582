//! What any server of updates does: it offers one, and hears how it went. Mender's device API and
//! a plain file on a web server are the two there are. Never installs.

use std::time::Duration;

use super::exchange::Error;

/// An update that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The deployment's number on a server that wants reports.
    pub(crate) deployment: Option<String>,
    pub(crate) artifact_name: String,
    /// Where the artifact is; one is as good as another.
    pub(crate) urls: Vec<String>,
    /// The artifact file's size in bytes, where the offer says so.
    pub(crate) size_bytes: Option<u64>,
    /// SHA-256 of the artifact file, where the offer says so.
    pub(crate) digest: Option<[u8; 32]>,
    /// For people.
    pub(crate) notes: Option<String>,
    /// For people: a word such as `security`.
    pub(crate) severity: Option<String>,
    /// Whether an enrolled key or the server that knows this device stands for the offer; what
    /// nobody stands for is announced, and installed only when a person asks for it.
    pub(crate) vouched: bool,
}

/// How far a deployment is: the words of Mender's device API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Downloading,
    Installing,
    Rebooting,
    Success,
    Failure,
    AlreadyInstalled,
}

/// What the server says to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    GoOn,
    /// The deployment was aborted: stop, and go back.
    Aborted,
}

/// A line of a deployment's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// Seconds since 1970.
    pub(crate) at_s: u64,
    /// `info`, `warning`, `error`
    pub(crate) level: &'static str,
    pub(crate) message: String,
}

/// Facts about this device, by name; of a name that is repeated, all values count.
pub(crate) type Attributes = Vec<(String, String)>;

/// A server of updates.
pub(crate) trait Server {
    /// Asks for an update for a device with these provides (`device_type` and `artifact_name`
    /// among them).
    ///
    /// # Errors
    /// Nobody answered, or with a refusal.
    fn next(&mut self, provides: &Attributes) -> Result<Option<Offer>, Error>;

    /// Says how far a deployment is. `substate` is for people, up to 200 characters.
    ///
    /// # Errors
    /// Nobody answered, or with a refusal.
    fn report(&mut self, deployment: &str, stage: Stage, substate: &str) -> Result<Heard, Error>;

    /// Tells a failed deployment's story.
    ///
    /// # Errors
    /// Nobody answered, or with a refusal.
    fn log(&mut self, deployment: &str, lines: &[LogLine]) -> Result<(), Error>;

    /// Says what this device is.
    ///
    /// # Errors
    /// Nobody answered, or with a refusal.
    fn inventory(&mut self, attributes: &Attributes) -> Result<(), Error>;

    /// How long the server asked to be left alone, if the last answer did.
    fn retry_after(&self) -> Option<Duration>;
}

impl<S: Server + ?Sized> Server for Box<S> {
    fn next(&mut self, provides: &Attributes) -> Result<Option<Offer>, Error> {
        (**self).next(provides)
    }

    fn report(&mut self, deployment: &str, stage: Stage, substate: &str) -> Result<Heard, Error> {
        (**self).report(deployment, stage, substate)
    }

    fn log(&mut self, deployment: &str, lines: &[LogLine]) -> Result<(), Error> {
        (**self).log(deployment, lines)
    }

    fn inventory(&mut self, attributes: &Attributes) -> Result<(), Error> {
        (**self).inventory(attributes)
    }

    fn retry_after(&self) -> Option<Duration> {
        (**self).retry_after()
    }
}

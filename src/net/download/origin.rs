//! What a download needs of HTTP, as a seam: an answer's head, then its body piece by piece. Never
//! tries anything again.

use std::time::Duration;

use crate::net::exchange::Error;
use crate::net::http::{Client, Incoming};

/// Servers.
pub(super) trait Origin {
    type Answer: Answer;

    /// Asks for what is at `url`.
    fn open(&self, url: &str, headers: &[(&str, &str)]) -> Result<Self::Answer, Error>;
}

/// An answer whose body is still to come.
pub(super) trait Answer {
    fn status(&self) -> u16;

    fn header(&self, name: &str) -> Option<&str>;

    /// The length of the body in bytes, where it was told.
    fn length(&self) -> Option<u64>;

    fn retry_after(&self) -> Option<Duration>;

    /// Who answers, for messages.
    fn host(&self) -> String;

    /// The next bytes; none where the connection or the body ended.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error>;
}

impl Origin for Client {
    type Answer = Incoming;

    fn open(&self, url: &str, headers: &[(&str, &str)]) -> Result<Incoming, Error> {
        self.open(url, headers)
    }
}

impl Answer for Incoming {
    fn status(&self) -> u16 {
        self.status
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.header(name)
    }

    fn length(&self) -> Option<u64> {
        self.length
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after()
    }

    fn host(&self) -> String {
        self.host()
    }

    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        self.read(into)
    }
}

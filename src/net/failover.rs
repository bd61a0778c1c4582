//! When another server is asked in a server's place. Asks none.

use std::time::Duration;

use super::exchange::{Answer, Error};

/// A status from here on says that the server cannot do what it should.
pub(super) const DOWN: u16 = 500;

/// Whether this is how a server looks that is down, or not the one it should be: another one may
/// be better. What a server refuses is an answer.
pub(super) fn is_down(answer: &Result<Answer, Error>) -> bool {
    match answer {
        Ok(_) => false,
        Err(Error::Refused { status, .. }) => *status >= DOWN,
        Err(Error::Unreachable { .. } | Error::Tls { .. } | Error::Malformed { .. }) => true,
        Err(Error::Url { .. } | Error::Interrupted) => false,
    }
}

/// How long the server asks to be left alone.
pub(super) fn pause(answer: &Result<Answer, Error>) -> Option<Duration> {
    match answer {
        Ok(Answer { retry_after, .. }) | Err(Error::Refused { retry_after, .. }) => *retry_after,
        Err(_) => None,
    }
}

/// Nobody can be asked.
pub(super) fn no_server() -> Error {
    Error::Url { url: "ServerURL".to_owned(), reason: "no server is configured".to_owned() }
}

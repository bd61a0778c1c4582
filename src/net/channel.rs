//! A file on a plain web server that says which version is the newest: one box and any web server
//! are enough. What it offers is vouched for by a signature beside it, made as that of an
//! artifact; without one it is an announcement. Never tells the server anything.

pub(crate) mod file;

use std::time::Duration;

use super::exchange::{Answer, Error, Exchange, Method, Request};
use super::server::{Attributes, Heard, LogLine, Offer, Server, Stage};
use super::{address, failover};

/// The longest channel file, in bytes.
const FILE_BYTES: u64 = 64 << 10;

/// The longest signature file, in bytes: base64, of lines as people's tools make them.
const SIGNATURE_BYTES: u64 = 4 << 10;

/// Says whether one of the owner's keys signed something.
pub(crate) trait Voucher {
    /// Whether `signature`, base64 as in an artifact's manifest.sig, is that of an enrolled key
    /// over exactly `bytes`.
    fn vouches(&self, bytes: &[u8], signature: &[u8]) -> bool;
}

/// Channel files that stand for each other; the one that answered last is asked first.
#[derive(Debug)]
pub(crate) struct Channel<E, V> {
    exchange: E,
    voucher: V,
    urls: Vec<String>,
    retry_after: Option<Duration>,
}

impl<E: Exchange, V: Voucher> Channel<E, V> {
    pub(crate) fn new(exchange: E, voucher: V, urls: &[String]) -> Self {
        Self { exchange, voucher, urls: urls.to_vec(), retry_after: None }
    }

    /// The file, from the first server that answers, which is then the first; the last error if
    /// none does.
    fn file(&mut self) -> Result<Answer, Error> {
        let mut last = Err(failover::no_server());
        for index in 0..self.urls.len() {
            let url = &self.urls[index];
            let answer = self.get(url, FILE_BYTES).and_then(|answer| match answer.status {
                200 => Ok(answer),
                _ => Err(refused(url, &answer)),
            });
            self.retry_after = failover::pause(&answer).or(self.retry_after);
            let is_down = failover::is_down(&answer);
            last = answer;
            if !is_down {
                self.urls[..=index].rotate_right(1);
                break;
            }
        }
        last
    }

    /// Whether the signature beside the file at `url` is one. That there is none is no error;
    /// that it cannot be told is.
    fn is_vouched(&self, url: &str, bytes: &[u8]) -> Result<bool, Error> {
        let url = address::beside(url, ".sig");
        let answer = self.get(&url, SIGNATURE_BYTES)?;
        match answer.status {
            200 => {
                let text: Vec<u8> =
                    answer.body.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
                Ok(self.voucher.vouches(bytes, &text))
            }
            429 | failover::DOWN.. => Err(refused(&url, &answer)),
            _ => Ok(false),
        }
    }

    fn get(&self, url: &str, body_max_bytes: u64) -> Result<Answer, Error> {
        self.exchange.send(Request { method: Method::Get, url, headers: &[], body_max_bytes })
    }
}

impl<E: Exchange, V: Voucher> Server for Channel<E, V> {
    fn next(&mut self, provides: &Attributes) -> Result<Option<Offer>, Error> {
        self.retry_after = None;
        let answer = self.file()?;
        let url = self.urls.first().cloned().unwrap_or_default();
        let vouched = self.is_vouched(&url, &answer.body).inspect_err(|error| {
            self.retry_after = failover::pause(&Err(error.clone()));
        })?;
        let malformed = |reason| {
            let reason = format!("a channel file that is none: {reason}");
            Error::Malformed { host: address::host(&url), reason }
        };
        let newest = file::parse(&answer.body).map_err(malformed)?;
        Ok(newest.offer(&url, provides).map(|offer| Offer { vouched, ..offer }))
    }

    fn report(&mut self, _: &str, _: Stage, _: &str) -> Result<Heard, Error> {
        Ok(Heard::GoOn)
    }

    fn log(&mut self, _: &str, _: &[LogLine]) -> Result<(), Error> {
        Ok(())
    }

    fn inventory(&mut self, _: &Attributes) -> Result<(), Error> {
        Ok(())
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

fn refused(url: &str, answer: &Answer) -> Error {
    let (status, retry_after) = (answer.status, answer.retry_after);
    Error::Refused { host: address::host(url), status, reason: String::new(), retry_after }
}

#[cfg(test)]
mod tests;

//! Mender's device API, spoken to one server or to several that stand for each other: of these
//! the one that answered last is asked first. Keeps what it is told in memory only, and never
//! asks before it is asked to.

mod body;
pub(crate) mod deployment;
pub(crate) mod key;
mod peer;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::exchange::{Answer, Error, Exchange, Method};
use super::server::{Attributes, Heard, LogLine, Offer, Server, Stage};
use super::{address::Encoded, failover};
pub(crate) use peer::Identity;
use peer::{Link, Peer};

/// The deployment was aborted, or the device is no longer wanted.
const CONFLICT: u16 = 409;

/// Nothing to say, which is good.
const NO_CONTENT: u16 = 204;

/// Mender's servers, as this device.
#[derive(Debug)]
pub(crate) struct Mender<E> {
    link: Link<E>,
    /// In the order in which they are asked.
    peers: Vec<Peer>,
    retry_after: Option<Duration>,
    /// SHA-256 of the inventory that a server has.
    told: Option<[u8; 32]>,
}

impl<E: Exchange> Mender<E> {
    /// The servers at `urls`, the first of which is asked first.
    pub(crate) fn new(exchange: E, identity: Identity, urls: &[String]) -> Self {
        Self {
            link: Link { exchange, identity },
            peers: urls.iter().map(|url| Peer::new(url)).collect(),
            retry_after: None,
            told: None,
        }
    }

    /// Asks one server after the other until one answers, which is then the first; the last
    /// answer there was. A status of 500 and above is none.
    fn in_turn(
        &mut self,
        ask: impl Fn(&mut Peer, &Link<E>) -> Result<Answer, Error>,
    ) -> Result<Answer, Error> {
        self.retry_after = None;
        let mut last = Err(failover::no_server());
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            let answer = ask(peer, &self.link).and_then(|answer| match answer.status {
                failover::DOWN.. => Err(peer.refused(&answer, "")),
                _ => Ok(answer),
            });
            self.retry_after = failover::pause(&answer).or(self.retry_after);
            let is_down = failover::is_down(&answer);
            last = answer;
            if !is_down {
                self.peers[..=index].rotate_right(1);
                break;
            }
        }
        last
    }

    /// Sends a body to whichever server answers.
    fn put(&mut self, path: &str, body: &str) -> Result<Answer, Error> {
        self.in_turn(|peer, link| peer.ask(link, (Method::Put(body.as_bytes()), path)))
    }

    /// An answer that is a success, of any kind.
    fn success(&self, answer: Answer) -> Result<Answer, Error> {
        match answer.status {
            200..300 => Ok(answer),
            _ => Err(self.refused(&answer)),
        }
    }

    fn refused(&self, answer: &Answer) -> Error {
        // An answer comes from the first: it was put there.
        self.peers.first().map_or_else(failover::no_server, |peer| peer.refused(answer, ""))
    }

    fn malformed(&self, reason: String) -> Error {
        let host = self.peers.first().map(Peer::host).unwrap_or_default();
        Error::Malformed { host, reason }
    }
}

impl<E: Exchange> Server for Mender<E> {
    fn next(&mut self, provides: &Attributes) -> Result<Option<Offer>, Error> {
        let answer = self.in_turn(|peer, link| peer.next(link, provides))?;
        let answer = self.success(answer)?;
        if answer.status == NO_CONTENT {
            return Ok(None);
        }
        let malformed = |reason| self.malformed(format!("a deployment that is none: {reason}"));
        deployment::parse(&answer.body).map(Some).map_err(malformed)
    }

    fn report(&mut self, deployment: &str, stage: Stage, substate: &str) -> Result<Heard, Error> {
        let answer =
            self.put(&of_deployment(deployment, "status"), &body::status(stage, substate))?;
        if answer.status == CONFLICT {
            return Ok(Heard::Aborted);
        }
        self.success(answer).map(|_| Heard::GoOn)
    }

    fn log(&mut self, deployment: &str, lines: &[LogLine]) -> Result<(), Error> {
        let Some(body) = body::log(lines) else { return Ok(()) };
        let answer = self.put(&of_deployment(deployment, "log"), &body)?;
        self.success(answer).map(drop)
    }

    fn inventory(&mut self, attributes: &Attributes) -> Result<(), Error> {
        let body = body::inventory(attributes);
        let digest = Sha256::digest(&body).into();
        if self.told == Some(digest) {
            return Ok(());
        }
        let answer = self.put("v1/inventory/device/attributes", &body)?;
        self.success(answer)?;
        self.told = Some(digest);
        Ok(())
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

fn of_deployment(deployment: &str, what: &str) -> String {
    format!("v1/deployments/device/deployments/{}/{what}", Encoded(deployment))
}

#[cfg(test)]
mod tests;

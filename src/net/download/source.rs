//! The bytes of one file from servers that may break off: resumed where they ended, taken from
//! another server, never put together from two versions. Never runs a thread.

use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::Wanted;
use super::account::Account;
use super::fault::{Error, When};
use super::origin::{Answer, Origin};
use super::pace::Pace;
use super::version::{Part, Version};
use crate::net::exchange;
use crate::net::http::Stop;

/// A server is asked for a part again rather than read past so many bytes of no use.
const DISCARD_BYTES_MAX: u64 = 256 << 10;

pub(super) struct Source<O: Origin> {
    origin: O,
    mirrors: Vec<Mirror>,
    /// The mirror in use.
    turn: usize,
    /// Mirrors asked since the last pause.
    asked: usize,
    /// The next byte to hand out is this one.
    at: u64,
    size: Option<u64>,
    digest: Option<Check>,
    /// What was handed out is of this version, which the mirror `.0` told.
    version: Option<(usize, Version)>,
    live: Option<Live<O::Answer>>,
    /// What is wrong with the connection that the last bytes came from.
    slow: Option<Error>,
    pace: Pace,
    stop: Stop,
    account: Account,
}

/// A URL, and whether there is sense in asking it again.
struct Mirror {
    url: String,
    refused: bool,
}

/// The digest of what was handed out, and the one that was offered.
struct Check {
    running: Sha256,
    offered: [u8; 32],
}

/// An answer that is being read.
struct Live<A> {
    answer: A,
    /// Bytes of it that are handed to nobody.
    discard: u64,
    /// The server sends all of it, whatever part was asked for.
    whole: bool,
}

impl<O: Origin> Source<O> {
    pub(super) fn new(origin: O, wanted: Wanted, stop: Stop, account: Account) -> Self {
        let Wanted { urls, size_bytes, digest, patience } = wanted;
        Self {
            origin,
            mirrors: urls.into_iter().map(|url| Mirror { url, refused: false }).collect(),
            turn: 0,
            asked: 0,
            at: 0,
            size: size_bytes,
            digest: digest.map(|offered| Check { running: Sha256::new(), offered }),
            version: None,
            live: None,
            slow: None,
            pace: Pace::new(patience),
            stop,
            account,
        }
    }

    /// Where the next byte comes from.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next bytes; none at the end of the file, whose size is then right, and whose digest,
    /// unless some of it was skipped.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        while self.size != Some(self.at) {
            if self.stop.asked() {
                return Err(exchange::Error::Interrupted.into());
            }
            match self.step(into) {
                Ok(0) => {}
                Ok(len) => return Ok(len),
                Err((error, when)) => self.recover(error, when)?,
            }
        }
        self.finish().map(|()| 0)
    }

    /// Goes on at byte `at`, which is further on; the digest is then nobody's.
    pub(super) fn seek(&mut self, at: u64) -> Result<(), Error> {
        let Some(bytes) = at.checked_sub(self.at).filter(|bytes| *bytes > 0) else {
            return Ok(());
        };
        if let Some(size) = self.size.filter(|size| at > *size) {
            let host = self.host();
            return Err(Error::Changed { host, reason: format!("{size} bytes, not even {at}") });
        }
        self.digest = None;
        self.at = at;
        let near = |live: &Live<_>| live.whole || live.discard + bytes <= DISCARD_BYTES_MAX;
        self.live = self.live.take().filter(near);
        if let Some(live) = &mut self.live {
            live.discard += bytes;
        }
        Ok(())
    }

    /// Connects if need be, and reads once: none where the bytes were of no use.
    fn step(&mut self, into: &mut [u8]) -> Result<usize, (Error, When)> {
        let begin = Instant::now();
        if let Some(slow) = self.slow.take() {
            return Err((slow, When::Reading));
        }
        if self.live.is_none() {
            self.live = Some(self.connect().map_err(|error| (error, When::Asking))?);
        }
        let reading = |error| (error, When::Reading);
        let Some(live) = &mut self.live else { return Ok(0) };
        let room = match usize::try_from(live.discard) {
            Ok(0) => into.len(),
            Ok(discard) => discard.min(into.len()),
            Err(_) => into.len(),
        };
        let len = live.answer.read(&mut into[..room]).map_err(|error| reading(error.into()))?;
        let bytes = u64::try_from(len).unwrap_or(u64::MAX);
        self.account.received(bytes);
        if len == 0 {
            return Err(reading(self.truncated()));
        }
        let useful = live.discard == 0;
        if !useful {
            live.discard -= bytes;
            self.account.wasted(bytes);
        }
        // These bytes are taken; the next ones come from another connection.
        let few = self.pace.book(bytes, begin).err();
        self.slow = few.map(|few| self.stalled(few));
        if useful {
            self.hand_out(&into[..len]).map_err(reading)?;
        }
        Ok(if useful { len } else { 0 })
    }

    fn hand_out(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let at = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(size) = self.size.filter(|size| at > *size) {
            let reason = format!("it goes on after {size} bytes");
            return Err(Error::Changed { host: self.host(), reason });
        }
        if let Some(check) = &mut self.digest {
            check.running.update(bytes);
        }
        self.at = at;
        Ok(())
    }

    /// Asks for the bytes from here on.
    fn connect(&mut self) -> Result<Live<O::Answer>, Error> {
        let Some(mirror) = self.mirrors.get(self.turn) else {
            let (url, reason) = (String::new(), "there is no URL to download from".into());
            return Err(exchange::Error::Url { url, reason }.into());
        };
        self.pace.fresh();
        let range = format!("bytes={}-", self.at);
        let mut headers = Vec::new();
        if self.at > 0 {
            headers.push(("range", range.as_str()));
            // Of another server the version means nothing: it is compared afterwards.
            let same = self.version.as_ref().filter(|(turn, _)| *turn == self.turn);
            headers.extend(same.and_then(|(_, known)| known.condition()).map(|v| ("if-range", v)));
        }
        let answer = self.origin.open(&mirror.url, &headers)?;
        let part = Part::of(&answer, self.at)?;
        self.accept(&answer, part)?;
        if self.at > 0 {
            self.account.resumed();
        }
        let discard = self.at - part.begin;
        Ok(Live { answer, discard, whole: discard > 0 })
    }

    /// Makes sure that the answer goes on with what was handed out.
    fn accept(&mut self, answer: &O::Answer, part: Part) -> Result<(), Error> {
        let host = answer.host();
        let changed = |reason: String| Error::Changed { host: answer.host(), reason };
        match (self.size, part.total) {
            (Some(size), Some(total)) if size != total => {
                return Err(changed(format!("{total} bytes, expected {size}")));
            }
            (None, None) => {
                let reason = "neither it nor the offer says how long the file is".into();
                return Err(exchange::Error::Malformed { host, reason }.into());
            }
            _ => {}
        }
        let found = Version::of(answer);
        if let Some((turn, known)) = &self.version {
            let same = known.same(&found);
            // Another server may name the same bytes otherwise; only a digest of all of them,
            // which was offered, tells then.
            let believed =
                if *turn == self.turn { same != Some(false) } else { same == Some(true) };
            if self.at > 0 && !believed && (*turn == self.turn || self.digest.is_none()) {
                return Err(changed("another version than the one that was begun".into()));
            }
        }
        self.size = self.size.or(part.total);
        if self.at == 0 || self.version.is_none() {
            self.version = Some((self.turn, found));
        }
        Ok(())
    }

    /// Goes on to the next try, on another server or after a pause; the error where there is none.
    fn recover(&mut self, error: Error, when: When) -> Result<(), Error> {
        self.live = None;
        if error.is_final() {
            return Err(error);
        }
        if let Some(mirror) = self.mirrors.get_mut(self.turn) {
            mirror.refused |= error.is_lasting(when);
        }
        self.asked += 1;
        let count = self.mirrors.len();
        let others = (1..=count).map(|step| (self.turn + step) % count);
        let Some(next) = others.into_iter().find(|turn| !self.mirrors[*turn].refused) else {
            return Err(error);
        };
        self.turn = next;
        let usable = self.mirrors.iter().filter(|mirror| !mirror.refused).count();
        if self.asked < usable {
            log::info!("{error}: trying another server");
            return Ok(());
        }
        self.asked = 0;
        self.pace.pause(error, &self.stop)
    }

    /// Checks what all of it must be.
    fn finish(&mut self) -> Result<(), Error> {
        self.live = None;
        let Some(Check { running, offered }) = &self.digest else { return Ok(()) };
        let found: [u8; 32] = running.clone().finalize().into();
        if found == *offered { Ok(()) } else { Err(Error::Digest { found, offered: *offered }) }
    }

    fn truncated(&self) -> Error {
        let missing = self.size.map_or(0, |size| size.saturating_sub(self.at));
        Error::Truncated { host: self.host(), missing }
    }

    fn stalled(&self, (bytes, seconds): (u64, u64)) -> Error {
        Error::Stalled { host: self.host(), bytes, seconds }
    }

    fn host(&self) -> String {
        self.live.as_ref().map(|live| live.answer.host()).unwrap_or_default()
    }
}

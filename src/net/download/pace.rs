//! How long a download goes on trying: pauses that grow, and the least that must come in a span
//! of time. Never asks a server.

use std::time::{Duration, Instant};

use crate::net::exchange;
use crate::net::http::Stop;

use super::fault::Error;

/// A server that asks for a longer pause than this has refused.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// A server is asked this often whether it stopped, in pauses.
const TURN: Duration = Duration::from_millis(250);

/// How patient a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Pauses without a gain before it fails (`RetryDownloadCount`).
    pub(crate) pauses: u64,
    /// The first pause; each one without a gain is twice as long.
    pub(crate) pause: Duration,
    /// The longest pause.
    pub(crate) pause_max: Duration,
    /// Time spent waiting for bytes after which their number is looked at.
    pub(crate) span: Duration,
    /// The least number of bytes in such a span; less is a connection that is broken.
    pub(crate) span_bytes: u64,
}

/// Slower than this is broken, in bytes a second.
const RATE_MIN: u64 = 1 << 10;

impl Patience {
    /// With so many pauses of at most `pause_max`, and the least rate looked at after each `span`.
    pub(crate) fn of(pauses: u64, pause_max: Duration, span: Duration) -> Self {
        let span_bytes = RATE_MIN.saturating_mul(span.as_secs());
        Self { pauses, pause: Duration::from_millis(250), pause_max, span, span_bytes }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::of(10, Duration::from_secs(60), Duration::from_secs(60))
    }
}

/// The tries of one download.
#[derive(Debug)]
pub(super) struct Pace {
    patience: Patience,
    /// Pauses since the last gain.
    fruitless: u64,
    /// Bytes since the last pause, and when that ended.
    gained: u64,
    resumed: Instant,
    waited: Duration,
    waited_bytes: u64,
}

impl Pace {
    pub(super) fn new(patience: Patience) -> Self {
        let (fruitless, gained, waited, waited_bytes) = (0, 0, Duration::ZERO, 0);
        Self { patience, fruitless, gained, resumed: Instant::now(), waited, waited_bytes }
    }

    /// Books bytes and the time spent waiting for them.
    ///
    /// # Errors
    /// They were too few: bytes and seconds.
    pub(super) fn book(&mut self, bytes: u64, begin: Instant) -> Result<(), (u64, u64)> {
        self.gained += bytes;
        self.waited += begin.elapsed();
        self.waited_bytes += bytes;
        if self.waited < self.patience.span {
            return Ok(());
        }
        let (waited, bytes) = (self.waited.as_secs(), self.waited_bytes);
        self.fresh();
        if bytes >= self.patience.span_bytes {
            return Ok(());
        }
        self.gained = 0;
        Err((bytes, waited))
    }

    /// A new connection has a span of its own.
    pub(super) fn fresh(&mut self) {
        (self.waited, self.waited_bytes) = (Duration::ZERO, 0);
    }

    /// Waits before another try; the error again where there is none left.
    pub(super) fn pause(&mut self, error: Error, stop: &Stop) -> Result<(), Error> {
        if is_gain(self.gained, self.resumed.elapsed()) {
            self.fruitless = 0;
        }
        self.gained = 0;
        let asked = error.retry_after().unwrap_or_default();
        if self.fruitless >= self.patience.pauses || asked > RETRY_AFTER_MAX {
            return Err(error);
        }
        let pause = jitter(self.grown()).max(asked);
        self.fruitless += 1;
        log::info!("{error}: trying again in {:.1} s", pause.as_secs_f32());
        let begin = Instant::now();
        while let Some(left) = pause.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) {
            if stop.asked() {
                return Err(exchange::Error::Interrupted.into());
            }
            std::thread::sleep(left.min(TURN));
        }
        self.resumed = Instant::now();
        Ok(())
    }

    fn grown(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.fruitless.min(31).try_into().unwrap_or(31));
        let grown = self.patience.pause.saturating_mul(factor.unwrap_or(u32::MAX));
        grown.min(self.patience.pause_max)
    }
}

/// Whether a try brought the download on: at the least rate, or it would go on for ever with a
/// server that breaks off after a few bytes, each time after a long silence.
fn is_gain(bytes: u64, within: Duration) -> bool {
    bytes >= RATE_MIN.saturating_mul(within.as_secs().max(1))
}

/// Between half and all of it, so that not all devices come back at once.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0xff];
    // Without a random number all of it is waited.
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause / 2 * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_begin_anew_after_a_gain() {
        let patience = Patience { pauses: 40, ..Patience::default() };
        let mut pace = Pace::new(patience);
        let mut seen = Vec::new();
        for fruitless in [0, 1, 2, 7, 8, 31, 32, 39] {
            pace.fruitless = fruitless;
            seen.push(pace.grown().as_millis());
        }
        assert_eq!(seen, [250, 500, 1000, 32_000, 60_000, 60_000, 60_000, 60_000]);
        for _ in 0..100 {
            let pause = jitter(Duration::from_secs(1));
            assert!((500..=1000).contains(&pause.as_millis()), "{pause:?}");
        }
    }

    #[test]
    fn a_try_is_a_gain_only_at_the_least_rate() {
        let within = Duration::from_secs(30);
        assert!(is_gain(RATE_MIN, Duration::ZERO));
        assert!(!is_gain(RATE_MIN - 1, Duration::ZERO));
        assert!(is_gain(RATE_MIN * 30, within));
        assert!(!is_gain(RATE_MIN * 30 - 1, within));
    }

    #[test]
    fn too_few_bytes_in_a_span_are_told_and_the_next_span_begins_anew() {
        let patience = Patience { span: Duration::ZERO, span_bytes: 10, ..Patience::default() };
        let mut pace = Pace::new(patience);
        let now = Instant::now();
        assert_eq!(pace.book(9, now), Err((9, 0)));
        assert_eq!(pace.book(10, now), Ok(()));
        assert_eq!(pace.book(9, now), Err((9, 0)));
    }
}

//! When the daemon next has something to do by itself. Knows no clock: the time is the caller's.

use std::time::{Duration, Instant};

use crate::config::ServerConfig;
use crate::net::backoff::Backoff;

/// The first pause after a server that did not answer.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// An interval that no sum with a time of ours overflows.
const YEAR_S: u64 = 365 * 86_400;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Poll,
    Inventory,
}

/// The times of what is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    poll_at: Instant,
    inventory_at: Instant,
    poll: Duration,
    inventory: Duration,
    backoff: Backoff,
}

impl Schedule {
    /// Everything is due at once.
    pub(crate) fn new(config: &ServerConfig, now: Instant) -> Self {
        let seconds = |seconds: u64| Duration::from_secs(seconds.clamp(1, YEAR_S));
        Self {
            poll_at: now,
            inventory_at: now,
            poll: seconds(config.update_poll_s),
            inventory: seconds(config.inventory_poll_s),
            backoff: Backoff::new(FIRST_PAUSE, seconds(config.retry_poll_s)),
        }
    }

    /// What is due at `now`, if anything is.
    pub(crate) fn due(&self, now: Instant) -> Option<Due> {
        if self.poll_at <= now {
            return Some(Due::Poll);
        }
        (self.inventory_at <= now).then_some(Due::Inventory)
    }

    /// How long nothing is due.
    pub(crate) fn pause(&self, now: Instant) -> Duration {
        self.poll_at.min(self.inventory_at).saturating_duration_since(now)
    }

    /// The server was asked, and answered.
    pub(crate) fn polled(&mut self, now: Instant) {
        self.backoff.reset();
        self.poll_at = now + self.poll;
    }

    /// The server did not answer, or asked to be left alone for `asked`: both wait.
    pub(crate) fn failed(&mut self, now: Instant, asked: Option<Duration>) {
        let pause = self.backoff.pause(chance(now), asked);
        self.poll_at = now + pause;
        self.inventory_at = self.inventory_at.max(self.poll_at);
    }

    /// The inventory was sent, or refused by a server that answers otherwise.
    pub(crate) fn told(&mut self, now: Instant) {
        self.inventory_at = now + self.inventory;
    }

    /// The inventory was not sent, and waits too.
    pub(crate) fn unsent(&mut self, now: Instant, asked: Option<Duration>) {
        self.inventory_at = now + self.backoff.pause(chance(now), asked);
    }

    /// A poll is due in `pause` at the latest.
    pub(crate) fn poll_within(&mut self, now: Instant, pause: Duration) {
        self.poll_at = self.poll_at.min(now + pause);
    }
}

/// Any number: devices that lost their server together come back apart. Hashed by std with keys
/// of this process's own.
fn chance(now: Instant) -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn everything_is_due_at_the_start_and_then_at_its_interval() {
        let config =
            ServerConfig { update_poll_s: 100, inventory_poll_s: 250, ..ServerConfig::default() };
        let start = Instant::now();
        let mut schedule = Schedule::new(&config, start);
        assert_eq!(schedule.due(start), Some(Due::Poll));
        schedule.polled(start);
        assert_eq!(schedule.due(start), Some(Due::Inventory));
        schedule.told(start);
        assert_eq!((schedule.due(start), schedule.pause(start)), (None, s(100)));
        schedule.polled(start + s(200));
        assert_eq!(schedule.pause(start + s(200)), s(50));
        assert_eq!(schedule.due(start + s(250)), Some(Due::Inventory));
    }

    #[test]
    fn a_server_that_does_not_answer_is_left_alone_for_longer_each_time() {
        let config = ServerConfig { retry_poll_s: 60, ..ServerConfig::default() };
        let start = Instant::now();
        let mut schedule = Schedule::new(&config, start);
        let mut pauses = Vec::new();
        for _ in 0..9 {
            schedule.failed(start, None);
            pauses.push(schedule.pause(start));
        }
        assert!(pauses.iter().all(|pause| *pause >= s(5) && *pause <= s(60)), "{pauses:?}");
        assert!(pauses[8] >= s(30), "{pauses:?}");
        schedule.failed(start, Some(s(1000)));
        assert!(schedule.pause(start) >= s(1000));
    }

    #[test]
    fn an_interval_of_any_length_is_one() {
        let config = ServerConfig {
            update_poll_s: u64::MAX,
            inventory_poll_s: 0,
            ..ServerConfig::default()
        };
        let start = Instant::now();
        let mut schedule = Schedule::new(&config, start);
        schedule.polled(start);
        schedule.told(start);
        assert_eq!(schedule.pause(start), s(1));
    }

    #[test]
    fn what_waits_for_the_window_is_looked_at_when_it_opens() {
        let start = Instant::now();
        let mut schedule = Schedule::new(&ServerConfig::default(), start);
        schedule.polled(start);
        schedule.told(start);
        schedule.poll_within(start, s(60));
        assert_eq!(schedule.pause(start), s(60));
        schedule.poll_within(start, s(600));
        assert_eq!(schedule.pause(start), s(60));
    }
}

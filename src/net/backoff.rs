//! How long to leave a server alone that did not answer: longer each time, never at the same
//! moment as all the others, and never less than it asked for. Knows no clock and rolls no dice:
//! both are the caller's.

use std::time::Duration;

/// The longest that a server may ask to be left alone.
const DAY: Duration = Duration::from_secs(86_400);

/// Pauses between attempts, from the shortest to the longest.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    shortest: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses from `shortest` up to `longest`.
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest: longest.max(shortest), failures: 0 }
    }

    /// The pause after one failure more: drawn by `chance`, any number, between half and all of
    /// what doubles with each failure; and at least what the server `asked` for, up to a day.
    pub(crate) fn pause(&mut self, chance: u64, asked: Option<Duration>) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doubled = 2_u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        let most = self.shortest.saturating_mul(doubled).min(self.longest);
        let least = (most / 2).max(self.shortest);
        let pause = least + share(most - least, chance);
        match asked.map(|asked| asked.min(DAY)) {
            // A fleet that was sent away at once does not come back at once.
            Some(asked) => pause.max((asked + share(asked / 10, chance)).min(DAY)),
            None => pause,
        }
    }

    /// The server answered.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// `chance` 2^64ths of `whole`.
fn share(whole: Duration, chance: u64) -> Duration {
    let nanos = whole.as_nanos().saturating_mul(chance.into()) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_double_from_the_shortest_to_the_longest_and_stay_between_them() {
        let mut backoff = Backoff::new(s(10), s(300));
        let least: Vec<_> = (0..8).map(|_| backoff.pause(0, None).as_secs()).collect();
        assert_eq!(least, [10, 20, 40, 80, 150, 150, 150, 150]);
        backoff.reset();
        let most: Vec<_> = (0..8).map(|_| backoff.pause(u64::MAX, None).as_millis()).collect();
        assert_eq!(most, [19999, 39999, 79999, 159_999, 299_999, 299_999, 299_999, 299_999]);
    }

    #[test]
    fn any_number_of_failures_stays_bounded() {
        let mut backoff = Backoff::new(s(1), s(60));
        let pauses = (0..1000).map(|chance| backoff.pause(chance << 54, None));
        assert!(pauses.into_iter().all(|pause| pause >= s(1) && pause <= s(60)));
    }

    #[test]
    fn an_answer_begins_again_with_the_shortest_pause() {
        let mut backoff = Backoff::new(s(10), s(300));
        for _ in 0..5 {
            backoff.pause(0, None);
        }
        backoff.reset();
        assert_eq!(backoff.pause(0, None), s(10));
    }

    #[test]
    fn a_server_is_left_alone_for_as_long_as_it_asked_but_not_for_more_than_a_day() {
        let pause = |chance, asked| Backoff::new(s(10), s(300)).pause(chance, Some(asked));
        assert_eq!(pause(0, s(3600)), s(3600));
        assert_eq!(pause(1 << 63, s(3600)), s(3780));
        assert_eq!(pause(0, s(1)), s(10));
        assert_eq!(pause(u64::MAX, s(u64::MAX)), DAY);
    }

    #[test]
    fn a_longest_pause_below_the_shortest_counts_as_the_shortest() {
        assert_eq!(Backoff::new(s(10), s(0)).pause(u64::MAX, None), s(10));
    }
}

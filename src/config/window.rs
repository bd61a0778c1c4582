//! The hours in which the daemon may install by itself. Never asks what time it is.

/// A part of every day, in UTC; may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Seconds since midnight.
    from_s: u64,
    to_s: u64,
}

const DAY_S: u64 = 86_400;

impl Window {
    /// `HH:MM-HH:MM`; none that is empty.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let window = Self { from_s: second(from)?, to_s: second(to)? };
        (window.from_s != window.to_s).then_some(window)
    }

    /// How long it is until the window is open at `unix_s`; 0: it is.
    pub(crate) const fn opens_in_s(self, unix_s: u64) -> u64 {
        let since = (unix_s % DAY_S + DAY_S - self.from_s) % DAY_S;
        let length = (self.to_s + DAY_S - self.from_s) % DAY_S;
        if since < length { 0 } else { DAY_S - since }
    }
}

/// `HH:MM` from 00:00 to 23:59, in seconds since midnight.
fn second(text: &str) -> Option<u64> {
    let number = |text: &str, bound: u64| {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|number| is_plain && *number < bound)
    };
    let (hour, minute) = text.split_once(':')?;
    Some(number(hour, 24)? * 3600 + number(minute, 60)? * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_opens_and_closes_on_the_second_also_over_midnight() {
        const NOON: u64 = 1_795_435_200;
        let day = Window::parse("12:00-13:30").unwrap();
        for (after_s, opens_in_s) in [(0, 0), (5399, 0), (5400, DAY_S - 5400), (DAY_S - 1, 1)] {
            assert_eq!(day.opens_in_s(NOON + after_s), opens_in_s, "{after_s}");
        }
        let night = Window::parse("22:00-04:00").unwrap();
        let midnight = NOON + DAY_S / 2;
        for (at_s, opens_in_s) in [
            (midnight - 7201, 1),
            (midnight - 7200, 0),
            (midnight, 0),
            (midnight + 4 * 3600 - 1, 0),
            (midnight + 4 * 3600, 18 * 3600),
        ] {
            assert_eq!(night.opens_in_s(at_s), opens_in_s, "{at_s}");
        }
    }

    #[test]
    fn what_is_no_window_is_none() {
        for text in ["", "-", "12:00", "24:00-01:00", "12:60-13:00", "1:00-2:00", "+1:00-02:00"] {
            assert_eq!(Window::parse(text), None, "{text}");
        }
        assert_eq!(Window::parse("12:00-12:00"), None);
    }
}

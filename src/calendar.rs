//! Moments in the calendar, in UTC. Never asks what time it is.

use std::fmt::{self, Display};

/// Seconds since 1970; prints as `2026-11-24 02:30:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) u64);

impl Moment {
    /// `2026-11-24T02:30:00Z`
    pub(crate) fn rfc3339(self) -> String {
        format!("{}Z", self.joined('T'))
    }

    /// `2026-11-24`
    pub(crate) fn day(self) -> String {
        let (year, month, day) = date(self.0 / 86_400);
        format!("{year}-{month:02}-{day:02}")
    }

    fn joined(self, between: char) -> String {
        let (hour, minute, second) = (self.0 / 3600 % 24, self.0 / 60 % 60, self.0 % 60);
        format!("{}{between}{hour:02}:{minute:02}:{second:02}", self.day())
    }
}

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(' '))
    }
}

/// Year, month and day of the `days`th day since 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let day = days.saturating_add(719_468);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_the_calendar() {
        for (at_s, told) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (1_795_487_400, "2026-11-24 02:30:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(Moment(at_s).to_string(), told);
        }
        assert_eq!(Moment(1_795_487_400).rfc3339(), "2026-11-24T02:30:00Z");
    }

    #[test]
    fn every_day_of_a_century_follows_the_one_before() {
        let mut last = String::new();
        for number in 0..40_000 {
            let next = Moment(number * 86_400).day();
            assert!(next > last, "{next} after {last}");
            assert_eq!(Moment(number * 86_400 + 86_399).day(), next);
            last = next;
        }
        assert_eq!(last, "2079-07-07");
    }
}

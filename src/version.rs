//! Which of two versions is the older one, as people number them. Knows no versions, and says so
//! where it cannot tell.

use std::cmp::Ordering;
use std::iter::repeat;

/// Words that stand before a release, the earliest first.
const BEFORE: [&[&str]; 5] =
    [&["dev", "snapshot"], &["alpha", "a"], &["beta", "b"], &["pre", "preview"], &["rc", "c"]];

/// How `one` stands to `other`: `release-2` is less than `release-10`, `v1.2-rc1` is less than
/// `1.2`, and `1.2` equals `1.2.0`. None where they are not numbered in the same way.
pub(crate) fn compare(one: &str, other: &str) -> Option<Ordering> {
    if one == other {
        return Some(Ordering::Equal);
    }
    let (one, other) = (Version::of(one)?, Version::of(other)?);
    if one.prefix != other.prefix {
        return None;
    }
    let rest = one.rest.compare(&other.rest);
    match numbers(&one.numbers, &other.numbers) {
        Ordering::Equal => rest,
        // What follows the numbers does not matter then, as long as it can be read.
        different => Some(different),
    }
}

/// Numbers with zeros behind, as far as needed.
fn numbers(one: &[u64], other: &[u64]) -> Ordering {
    let length = one.len().max(other.len());
    let padded = |numbers: &[u64]| -> Vec<u64> {
        numbers.iter().copied().chain(repeat(0)).take(length).collect()
    };
    padded(one).cmp(&padded(other))
}

/// `release-1.2.3-rc1`, taken apart.
struct Version<'v> {
    /// `release-`; a lone `v` is none.
    prefix: &'v str,
    numbers: Vec<u64>,
    rest: Rest,
}

/// What stands behind the numbers.
#[derive(Debug, PartialEq, Eq)]
enum Rest {
    Nothing,
    /// The rank of a word in [`BEFORE`], and its numbers.
    Before(usize, Vec<u64>),
    /// `-2`: of a date, or a build; more numbers.
    Numbers(Vec<u64>),
}

impl<'v> Version<'v> {
    fn of(text: &'v str) -> Option<Self> {
        // What was built, and from what, says nothing about order (semver.org, 10).
        let text = text.split('+').next().unwrap_or_default();
        let (prefix, text) = text.split_at(text.find(|char: char| char.is_ascii_digit())?);
        let prefix = if prefix.eq_ignore_ascii_case("v") { "" } else { prefix };
        let (numbers, rest) = dotted(text)?;
        Some(Self { prefix, numbers, rest: Rest::of(rest)? })
    }
}

impl Rest {
    fn of(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let Some(first) = text.chars().next() else { return Some(Self::Nothing) };
        let text = if "-~_.".contains(first) { &text[1..] } else { text.as_str() };
        let word = text.find(|char: char| !char.is_ascii_alphabetic()).unwrap_or(text.len());
        let (word, behind) = text.split_at(word);
        if word.is_empty() {
            let numbers = separated(behind).filter(|_| !first.is_ascii_digit())?;
            return Some(Self::Numbers(numbers));
        }
        let rank = BEFORE.iter().position(|words| words.contains(&word))?;
        let behind = behind.trim_start_matches(['.', '-', '_']);
        let numbers = if behind.is_empty() { Vec::new() } else { separated(behind)? };
        Some(Self::Before(rank, numbers))
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Nothing, Self::Nothing) => Some(Ordering::Equal),
            (Self::Before(rank, one), Self::Before(other_rank, other)) => {
                Some(rank.cmp(other_rank).then_with(|| numbers(one, other)))
            }
            (Self::Before(..), Self::Nothing) => Some(Ordering::Less),
            (Self::Nothing, Self::Before(..)) => Some(Ordering::Greater),
            (Self::Numbers(one), Self::Numbers(other)) => Some(numbers(one, other)),
            // 1.0-2 stands before 1.0 to some, and after it to others.
            (Self::Numbers(_), _) | (_, Self::Numbers(_)) => None,
        }
    }
}

/// The numbers with dots between at the beginning of `text`, and what follows them.
fn dotted(text: &str) -> Option<(Vec<u64>, &str)> {
    let (mut numbers, mut rest) = (Vec::new(), text);
    for _ in 0..text.len() {
        let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        numbers.push(rest[..digits].parse().ok()?);
        rest = &rest[digits..];
        match rest.strip_prefix('.') {
            Some(next) if next.starts_with(|char: char| char.is_ascii_digit()) => rest = next,
            _ => break,
        }
    }
    Some((numbers, rest))
}

/// Numbers with anything of `.-_` between, and nothing else.
fn separated(text: &str) -> Option<Vec<u64>> {
    text.split(['.', '-', '_']).map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_in_the_order_in_which_people_number_them() {
        for ascending in [
            &["release-1", "release-2", "release-10", "release-10.1"][..],
            &["1.9", "1.10-dev", "1.10-alpha", "1.10-alpha.2", "1.10b1", "1.10-rc1", "1.10-rc10"],
            &["v1.2-rc1", "1.2", "V1.2.1", "1.3.0-rc.1", "1.3", "2"],
            &["2025-12-31", "2026-01-02", "2026-11-24", "2027-1-1"],
            &["os-2026.04-1", "os-2026.04-2", "os-2026.10-1"],
            &["bitbox-base-0.1.0", "bitbox-base-0.1.1", "bitbox-base-0.1.2"],
        ] {
            for (index, one) in ascending.iter().enumerate() {
                for (other_index, other) in ascending.iter().enumerate() {
                    let order = index.cmp(&other_index);
                    assert_eq!(compare(one, other), Some(order), "{one} {other}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_differently_may_be_the_same() {
        for (one, other) in [("1.2", "1.2.0"), ("v3", "3"), ("1.0+a", "1.0+b"), ("1-RC1", "1rc1")] {
            assert_eq!(compare(one, other), Some(Ordering::Equal), "{one} {other}");
        }
        assert_eq!(compare("jammy", "jammy"), Some(Ordering::Equal));
    }

    #[test]
    fn what_is_numbered_in_different_ways_is_not_compared() {
        for (one, other) in [
            ("release-1", "nightly-2"),
            ("jammy", "noble"),
            ("", "1"),
            ("1.0", "1.0-2"),
            ("1.0", "1.0-hotfix"),
            ("1a2b3c4", "2b3c4d5"),
            ("1.0 ", "1.1"),
            ("99999999999999999999", "1"),
            ("1.0-rc1x", "1.0"),
            ("unknown", "release-1"),
        ] {
            assert_eq!(compare(one, other), None, "{one} {other}");
            assert_eq!(compare(other, one), None, "{other} {one}");
        }
    }
}

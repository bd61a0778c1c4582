//! Which of two copies is current: U-Boot's rule, for every pair. Never falls back to a default
//! environment, and never guesses when both copies are bad.

use core::fmt;

use crate::copy::Decoded;

/// One of the two copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// At `CONFIG_ENV_OFFSET`, the first line of fw_env.config.
    First,
    /// At `CONFIG_ENV_OFFSET_REDUND`, the second line.
    Second,
}

impl Which {
    /// The copy that this one is not.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Second => "second",
        })
    }
}

/// Which of two good copies is newer by their serials.
///
/// The larger serial, except that 0 follows 255; of equal ones the first. A comparison of
/// numbers, not a circle: of 254 and 0 the newer is 254 (U-Boot env/common.c, `env_check_redund`,
/// formerly in `env_import_redund`; both Linux tools do the same on block devices).
#[must_use]
pub const fn newer(first: u8, second: u8) -> Which {
    match (first, second) {
        (u8::MAX, 0) => Which::Second,
        (0, u8::MAX) => Which::First,
        _ if second > first => Which::Second,
        _ => Which::First,
    }
}

/// The current copy and what is known of the other. Only [`choose`] makes one.
#[derive(Debug)]
pub struct Chosen<'a, E> {
    which: Which,
    current: Decoded<'a>,
    spare: Result<Decoded<'a>, E>,
}

impl<'a, E> Chosen<'a, E> {
    /// Which copy is current.
    #[must_use]
    pub fn which(&self) -> Which {
        self.which
    }

    /// The copy that U-Boot takes.
    #[must_use]
    pub fn current(&self) -> &Decoded<'a> {
        &self.current
    }

    /// The other copy, or why it cannot be used. After a save it is good and holds what was
    /// before.
    ///
    /// # Errors
    /// The caller's own error for that copy, as it was given to [`choose`]. If it says that the
    /// copy could not be read, the copy may well be the newer one, and U-Boot may have read it:
    /// a save would then go over it, with changes to older variables.
    pub fn spare(&self) -> Result<&Decoded<'a>, &E> {
        self.spare.as_ref()
    }

    /// The copy to write, for a save and for a repair: always the one that is not current.
    #[must_use]
    pub fn target(&self) -> Which {
        self.which.other()
    }
}

/// Chooses the current copy as U-Boot does: of two good ones by [`newer`], else the only good
/// one, whatever its serial.
///
/// A copy may be bad because of its bytes ([`BadCopy`](crate::BadCopy)) or because it could not be
/// read: `E` is the caller's and may be either. U-Boot likewise goes on with one unreadable copy,
/// where both Linux tools stop.
///
/// # Errors
/// [`BothBad`] with both reasons. U-Boot then runs on its compiled-in defaults; nothing here does.
pub fn choose<'a, E>(
    first: Result<Decoded<'a>, E>,
    second: Result<Decoded<'a>, E>,
) -> Result<Chosen<'a, E>, BothBad<E>> {
    let (which, current, spare) = match (first, second) {
        (Ok(first), Ok(second)) => match newer(first.serial(), second.serial()) {
            Which::First => (Which::First, first, Ok(second)),
            Which::Second => (Which::Second, second, Ok(first)),
        },
        (Ok(first), Err(bad)) => (Which::First, first, Err(bad)),
        (Err(bad), Ok(second)) => (Which::Second, second, Err(bad)),
        (Err(first), Err(second)) => return Err(BothBad { first, second }),
    };
    Ok(Chosen { which, current, spare })
}

/// Neither copy can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BothBad<E> {
    /// What is wrong with the first copy.
    pub first: E,
    /// What is wrong with the second copy.
    pub second: E,
}

impl<E: fmt::Display> fmt::Display for BothBad<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second } = self;
        write!(f, "both copies of the environment are bad: first: {first}; second: {second}")
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for BothBad<E> {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::copy::tests::made;
    use crate::{BadCopy, Layout, decode};
    use std::string::ToString;
    use std::vec::Vec;

    const DATA: &[u8] = b"a=1\0\0\0";

    fn copy(serial: u8) -> Vec<u8> {
        made(Layout::Redundant, serial, DATA)
    }

    fn chosen<'a>(
        first: &'a [u8],
        second: &'a [u8],
    ) -> Result<Chosen<'a, BadCopy>, BothBad<BadCopy>> {
        choose(decode(first, Layout::Redundant), decode(second, Layout::Redundant))
    }

    fn all_pairs() -> impl Iterator<Item = (u8, u8)> {
        (0..=u8::MAX).flat_map(|first| (0..=u8::MAX).map(move |second| (first, second)))
    }

    /// The rule said another way, by the distance from the first to the second on a circle of
    /// 256: neighbours are in the order of the circle, equals go to the first, and all others go
    /// by their size, which is where it is no circle.
    fn by_distance(first: u8, second: u8) -> Which {
        match (i32::from(second) - i32::from(first)).rem_euclid(256) {
            0 | 255 => Which::First,
            1 => Which::Second,
            _ if i32::from(first) - i32::from(second) > 0 => Which::First,
            _ => Which::Second,
        }
    }

    #[test]
    fn the_newer_copy_is_u_boots_for_all_pairs_of_serials() {
        for (first, second) in all_pairs() {
            let wanted = by_distance(first, second);
            assert_eq!(newer(first, second), wanted, "{first} {second}");
        }
    }

    #[test]
    fn the_order_of_the_copies_matters_only_for_equal_serials() {
        for (first, second) in all_pairs() {
            let swapped = newer(second, first).other();
            assert_eq!(newer(first, second) == swapped, first != second);
        }
    }

    #[test]
    fn the_pairs_measured_on_u_boot_hold() {
        assert_eq!(newer(255, 0), Which::Second);
        assert_eq!(newer(0, 255), Which::First);
        assert_eq!(newer(254, 0), Which::First);
        assert_eq!(newer(0, 254), Which::Second);
        assert_eq!(newer(255, 1), Which::First);
        assert_eq!(newer(7, 7), Which::First);
        assert_eq!(newer(0, 0), Which::First);
        assert_eq!(newer(255, 255), Which::First);
        assert_eq!(newer(254, 255), Which::Second);
    }

    /// There is no exception: the save replaces the spare, so whatever jump stood between the
    /// two serials is gone with it, and what remains are the neighbours n and n+1.
    #[test]
    fn what_is_saved_after_choosing_is_what_u_boot_chooses_for_all_pairs() {
        for (first, second) in all_pairs() {
            let mut copies = [copy(first), copy(second)];
            let before = chosen(&copies[0], &copies[1]).unwrap();
            let target = before.target();
            let mut next = std::vec![0; copies[0].len()];
            before.current().write_next(&[("a", Some("2"))], &mut next).unwrap();
            copies[usize::from(target == Which::Second)] = next;
            let after = chosen(&copies[0], &copies[1]).unwrap();
            assert_eq!(after.which(), target, "{first} {second}");
            assert_eq!(after.current().get("a"), Some(&b"2"[..]));
        }
    }

    #[test]
    fn a_save_torn_at_any_byte_leaves_the_old_or_the_new_variables() {
        for (first, second) in [(1, 0), (0, 255), (255, 254), (254, 253), (9, 2)] {
            let old = [copy(first), copy(second)];
            let before = chosen(&old[0], &old[1]).unwrap();
            let mut next = old[1].clone();
            before.current().write_next(&[("a", Some("2"))], &mut next).unwrap();
            for torn in 0..=next.len() {
                let mixed = [&next[..torn], &old[1][torn..]].concat();
                let after = chosen(&old[0], &mixed).unwrap();
                let value = after.current().get("a").unwrap();
                // The zeros at the end are in both, so it is whole before its last byte.
                let whole = mixed == next;
                assert_eq!(value, if whole { b"2" } else { b"1" }, "{torn}");
            }
        }
    }

    #[test]
    fn the_only_good_copy_wins_whatever_its_serial() {
        for serial in [0, 1, 254, 255] {
            let (good, mut bad) = (copy(serial), copy(100));
            bad[7] ^= 1;
            let found = chosen(&good, &bad).unwrap();
            assert_eq!((found.which(), found.target()), (Which::First, Which::Second));
            assert!(matches!(found.spare(), Err(BadCopy::Crc { .. })));
            let found = chosen(&bad, &good).unwrap();
            assert_eq!((found.which(), found.target()), (Which::Second, Which::First));
            assert_eq!(found.current().serial(), serial);
        }
    }

    #[test]
    fn two_bad_copies_are_an_error_that_names_both() {
        let error = chosen(&[0; 6], b"abc").unwrap_err();
        assert!(matches!(error.first, BadCopy::Crc { .. }));
        assert_eq!(error.second, BadCopy::TooShort { wanted: 6, found: 3 });
        assert_eq!(
            error.to_string(),
            "both copies of the environment are bad: \
             first: wrong CRC: header says 00000000, data is d202ef8d; \
             second: copy too short: wanted at least 6 bytes, found 3"
        );
    }

    #[test]
    fn a_copy_that_could_not_be_read_is_bad_with_the_callers_reason() {
        let good = copy(3);
        let good = decode(&good, Layout::Redundant).map_err(|_| "wrong CRC");
        let found = choose(Err("input/output error"), good).unwrap();
        assert_eq!(found.which(), Which::Second);
        assert_eq!(*found.spare().unwrap_err(), "input/output error");
    }
}

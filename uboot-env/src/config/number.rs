//! The numbers of fw_env.config, as C's `scanf` reads them. Never takes part of a word.

use core::fmt;

use super::ConfigError;

/// A number as written.
#[derive(Clone, Copy)]
pub(super) struct Number {
    pub(super) negative: bool,
    pub(super) magnitude: u64,
}

/// A number of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The second word.
    Offset,
    /// The third.
    Size,
    /// The fourth.
    SectorSize,
    /// The fifth.
    Sectors,
}

impl Field {
    pub(super) fn parse(self, line: usize, word: &str) -> Result<Number, ConfigError> {
        let number = match self {
            Self::Offset => any_base(word),
            Self::Size | Self::SectorSize | Self::Sectors => hexadecimal(word),
        };
        number.ok_or(ConfigError::BadNumber { line, field: self })
    }
}

/// C's `%lli`, the whole word.
pub(super) fn any_base(word: &str) -> Option<Number> {
    let (negative, digits) = match word.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    let magnitude = if let Some(hex) = strip_0x(digits) {
        unsigned(hex, 16)
    } else if digits.starts_with('0') {
        unsigned(digits, 8)
    } else {
        unsigned(digits, 10)
    };
    let magnitude = magnitude.filter(|magnitude| i64::try_from(*magnitude).is_ok())?;
    Some(Number { negative, magnitude })
}

/// C's `%lx`, the whole word, without a sign.
fn hexadecimal(word: &str) -> Option<Number> {
    let magnitude = unsigned(strip_0x(word).unwrap_or(word), 16)?;
    Some(Number { negative: false, magnitude })
}

fn strip_0x(word: &str) -> Option<&str> {
    word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))
}

/// Digits only: `from_str_radix` alone would take a sign.
fn unsigned(digits: &str, base: u32) -> Option<u64> {
    let all_digits = digits.chars().all(|digit| digit.is_digit(base));
    if all_digits { u64::from_str_radix(digits, base).ok() } else { None }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Offset => "offset",
            Self::Size => "size",
            Self::SectorSize => "sector size",
            Self::Sectors => "number of sectors",
        })
    }
}

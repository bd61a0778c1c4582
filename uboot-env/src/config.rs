//! The file fw_env.config: where the copies of the environment are. Parses text; never opens the
//! file or a device, and never guesses a place.

mod number;

use core::fmt;

use crate::{Layout, MAX_ENV_BYTES};
use number::Number;

pub use number::Field;

/// Where the environment is, borrowed from the text of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Config<'a> {
    /// One copy.
    Single(Place<'a>),
    /// Two copies of one size.
    Redundant(Pair<'a>),
}

impl<'a> Config<'a> {
    /// Parses the text of fw_env.config: one line a copy,
    /// `device offset size [sector_size [sectors]]`, apart by blanks; empty lines and what starts
    /// with `#` are skipped.
    ///
    /// Numbers as both Linux tools read them (`get_config`, U-Boot tools/env/fw_env.c): the
    /// offset in any base of C (`0x` hexadecimal, `0` octal, else decimal; negative: from the end
    /// of the device), **the sizes hexadecimal, with or without `0x`**. Stricter than the tools,
    /// which skip a line that they do not understand, stop at the first odd character and take the
    /// first two of three copies: all that is an error here. The sector fields must be numbers
    /// and are not used, as a block device has no use for them; later fields are ignored.
    ///
    /// # Errors
    /// [`ConfigError`] with the number of the line.
    pub fn parse(text: &'a str) -> Result<Self, ConfigError> {
        let mut places: [Option<Place<'a>>; 2] = [None; 2];
        for (index, text) in text.lines().enumerate() {
            let line = index + 1;
            let Some(place) = Place::parse(line, text)? else {
                continue;
            };
            let free = places.iter_mut().find(|place| place.is_none());
            *free.ok_or(ConfigError::TooMany { line })? = Some(place);
        }
        let config = match places {
            [None, _] => return Err(ConfigError::NoEntry),
            [Some(place), None] => Self::Single(place),
            [Some(first), Some(second)] => Self::Redundant(Pair::new(first, second)?),
        };
        config.check_size()?;
        Ok(config)
    }

    /// The layout of the copies.
    #[must_use]
    pub fn layout(&self) -> Layout {
        match self {
            Self::Single(_) => Layout::Single,
            Self::Redundant(_) => Layout::Redundant,
        }
    }

    /// The length of one copy in bytes, with its header; at most [`MAX_ENV_BYTES`].
    #[must_use]
    pub fn copy_bytes(&self) -> usize {
        match self {
            Self::Single(place) => place.bytes,
            Self::Redundant(pair) => pair.first.bytes,
        }
    }

    fn check_size(&self) -> Result<(), ConfigError> {
        let header_bytes = self.layout().header_bytes();
        let (Self::Single(place) | Self::Redundant(Pair { first: place, .. })) = self;
        if place.bytes > header_bytes {
            return Ok(());
        }
        Err(ConfigError::TooSmall { line: place.line, bytes: place.bytes, header_bytes })
    }
}

/// Where one copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    line: usize,
    device: &'a str,
    offset: Offset,
    bytes: usize,
}

/// Where a copy starts on its device, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// After so many bytes.
    FromStart(u64),
    /// So many bytes before the end; never 0.
    FromEnd(u64),
}

impl From<Number> for Offset {
    fn from(number: Number) -> Self {
        if number.negative && number.magnitude > 0 {
            Self::FromEnd(number.magnitude)
        } else {
            Self::FromStart(number.magnitude)
        }
    }
}

impl<'a> Place<'a> {
    /// The device as written in the file; the same one may be written in several ways.
    #[must_use]
    pub fn device(&self) -> &'a str {
        self.device
    }

    /// Where on the device.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// The first byte of the copy on a device of `device_bytes`.
    ///
    /// # Errors
    /// [`Misplaced::Outside`] unless the whole copy is on the device.
    pub fn start(&self, device_bytes: u64) -> Result<u64, Misplaced> {
        let outside = Misplaced::Outside { line: self.line, device_bytes };
        let start = match self.offset {
            Offset::FromStart(bytes) => Some(bytes),
            Offset::FromEnd(bytes) => device_bytes.checked_sub(bytes),
        };
        let start = start.ok_or(outside)?;
        let end = start.checked_add(self.size()).filter(|end| *end <= device_bytes);
        end.map(|_| start).ok_or(outside)
    }

    /// The place on one line; `None` if there is none.
    fn parse(line: usize, text: &'a str) -> Result<Option<Self>, ConfigError> {
        let mut words = text.split_ascii_whitespace().take_while(|word| !word.starts_with('#'));
        let Some(device) = words.next() else {
            return Ok(None);
        };
        let mut number = |field: Field| words.next().map(|word| field.parse(line, word));
        let missing = |field| ConfigError::Missing { line, field };
        let offset = number(Field::Offset).ok_or(missing(Field::Offset))??;
        let size = number(Field::Size).ok_or(missing(Field::Size))??;
        for field in [Field::SectorSize, Field::Sectors] {
            number(field).transpose()?;
        }
        let place = Self { line, device, offset: offset.into(), bytes: bounded(line, size)? };
        match place.offset {
            Offset::FromEnd(bytes) if bytes < place.size() => Err(ConfigError::PastEnd { line }),
            _ => Ok(Some(place)),
        }
    }

    /// The length as the devices count it. It fits: no place is over [`MAX_ENV_BYTES`].
    fn size(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }
}

/// The length of a copy as an index, if it is one that is allowed.
fn bounded(line: usize, asked: Number) -> Result<usize, ConfigError> {
    let bytes = usize::try_from(asked.magnitude).ok().filter(|bytes| *bytes <= MAX_ENV_BYTES);
    bytes.ok_or(ConfigError::TooBig { line, asked: asked.magnitude })
}

/// Where the two copies are: of one size, and not known to overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    first: Place<'a>,
    second: Place<'a>,
}

impl<'a> Pair<'a> {
    fn new(first: Place<'a>, second: Place<'a>) -> Result<Self, ConfigError> {
        if first.bytes != second.bytes {
            let (line, wanted, found) = (second.line, first.bytes, second.bytes);
            return Err(ConfigError::UnequalSizes { line, wanted, found });
        }
        let apart_bytes = match (first.offset, second.offset) {
            (Offset::FromStart(a), Offset::FromStart(b))
            | (Offset::FromEnd(a), Offset::FromEnd(b)) => a.abs_diff(b),
            // From different ends: known once the size of the device is, in `starts`.
            _ => u64::MAX,
        };
        if first.device == second.device && apart_bytes < first.size() {
            return Err(ConfigError::Overlap { first: first.line, second: second.line });
        }
        Ok(Self { first, second })
    }

    /// Where the first copy is.
    #[must_use]
    pub fn first(&self) -> &Place<'a> {
        &self.first
    }

    /// Where the second copy is.
    #[must_use]
    pub fn second(&self) -> &Place<'a> {
        &self.second
    }

    /// The first bytes of both copies on one device of `device_bytes`. For copies on one device
    /// use this and not [`Place::start`], also where the file names the device in two ways.
    ///
    /// # Errors
    /// [`Misplaced`] unless both copies are on the device and apart.
    pub fn starts(&self, device_bytes: u64) -> Result<(u64, u64), Misplaced> {
        let first = self.first.start(device_bytes)?;
        let second = self.second.start(device_bytes)?;
        if first.abs_diff(second) < self.first.size() {
            return Err(Misplaced::Overlap { device_bytes });
        }
        Ok((first, second))
    }
}

/// Why the text is not a place for an environment. Lines count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant says it; the fields are its numbers")]
pub enum ConfigError {
    /// Nothing but comments and empty lines.
    NoEntry,
    /// A third copy.
    TooMany { line: usize },
    /// A line without an offset or a size.
    Missing { line: usize, field: Field },
    /// Not a number, or one too large.
    BadNumber { line: usize, field: Field },
    /// No room for data behind the header.
    TooSmall { line: usize, bytes: usize, header_bytes: usize },
    /// Larger than [`MAX_ENV_BYTES`].
    TooBig { line: usize, asked: u64 },
    /// A copy that starts so near the end of the device that it goes past it.
    PastEnd { line: usize },
    /// Two copies that are not of one size.
    UnequalSizes { line: usize, wanted: usize, found: usize },
    /// Two copies on one device that share bytes: writing one would destroy the other.
    Overlap { first: usize, second: usize },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEntry => f.write_str("no environment: wanted one or two lines, found none"),
            Self::TooMany { line } => write!(f, "line {line}: a third copy, wanted at most two"),
            Self::Missing { line, field } => write!(f, "line {line}: no {field}"),
            Self::BadNumber { line, field } => write!(f, "line {line}: {field} is not a number"),
            Self::TooSmall { line, bytes, header_bytes } => write!(
                f,
                "line {line}: size is {bytes} bytes, wanted more than the header's {header_bytes}"
            ),
            Self::TooBig { line, asked } => write!(
                f,
                "line {line}: size is {asked} bytes, allowed are {MAX_ENV_BYTES}; \
                 sizes are hexadecimal, also without 0x"
            ),
            Self::PastEnd { line } => {
                write!(f, "line {line}: the copy goes past the end of the device")
            }
            Self::UnequalSizes { line, wanted, found } => {
                write!(f, "line {line}: size is {found} bytes, wanted the first copy's {wanted}")
            }
            Self::Overlap { first, second } => {
                write!(f, "the copies of lines {first} and {second} overlap")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

/// Why a place is not one on the device at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant says it; the fields are its numbers")]
pub enum Misplaced {
    /// Not wholly on the device.
    Outside { line: usize, device_bytes: u64 },
    /// The two copies share bytes.
    Overlap { device_bytes: u64 },
}

impl fmt::Display for Misplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { line, device_bytes } => {
                write!(f, "line {line}: the copy is not on the device of {device_bytes} bytes")
            }
            Self::Overlap { device_bytes } => {
                write!(f, "the copies overlap on the device of {device_bytes} bytes")
            }
        }
    }
}

impl core::error::Error for Misplaced {}

#[cfg(test)]
mod tests;

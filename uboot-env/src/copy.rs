//! One copy of the environment as read from the medium: its header, its CRC, its variables.
//! Never knows which of two copies it is, and never passes on bytes whose CRC is wrong.

use core::fmt;

use crate::vars::{self, Entries, Entry, Vars};

/// What stands before the data of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One copy only: the CRC, 4 bytes.
    Single,
    /// One of two copies: the CRC, 4 bytes, and the serial, 1 byte (U-Boot's `flags`).
    Redundant,
}

impl Layout {
    /// The length of the header in bytes (`struct environment_s`, U-Boot
    /// include/env_internal.h).
    #[must_use]
    pub const fn header_bytes(self) -> usize {
        match self {
            Self::Single => 4,
            Self::Redundant => 5,
        }
    }
}

/// A copy whose CRC is right and whose text U-Boot can import. Only [`decode`] makes one.
#[derive(Debug)]
pub struct Decoded<'a> {
    layout: Layout,
    serial: u8,
    data: &'a [u8],
}

/// Decodes a whole copy, `bytes` being exactly U-Boot's `CONFIG_ENV_SIZE`.
///
/// The CRC-32 (zlib's) is stored little-endian and covers the data to its last byte, also what
/// follows the text; it does not cover the serial, so a serial altered on the medium is taken as
/// it is. How the text is read stands at [`Vars`]. Text that reaches the last byte without its
/// NULs is accepted, as U-Boot does (it chooses by the CRC alone and adds the NUL); refusing it
/// here would mean to disagree with U-Boot on which copy is current.
///
/// # Errors
/// [`BadCopy`] says what is wrong with it.
pub fn decode(bytes: &[u8], layout: Layout) -> Result<Decoded<'_>, BadCopy> {
    let header_bytes = layout.header_bytes();
    let too_short = BadCopy::TooShort { wanted: header_bytes + 1, found: bytes.len() };
    let (header, data) = bytes.split_at_checked(header_bytes).ok_or(too_short)?;
    let (crc, serial) = header.split_first_chunk().ok_or(too_short)?;
    if data.is_empty() {
        return Err(too_short);
    }
    let stored = u32::from_le_bytes(*crc);
    let computed = crc32fast::hash(data);
    if stored != computed {
        return Err(BadCopy::Crc { stored, computed });
    }
    if Entries::new(data).any(|entry| entry == Entry::Nameless) {
        return Err(BadCopy::Nameless);
    }
    let serial = serial.first().copied().unwrap_or(0);
    Ok(Decoded { layout, serial, data })
}

impl<'a> Decoded<'a> {
    /// The layout it was decoded by.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The serial, which grows by one with each save, 255 to 0; always 0 in a single copy.
    #[must_use]
    pub fn serial(&self) -> u8 {
        self.serial
    }

    /// The variables, in their order on the medium.
    #[must_use]
    pub fn vars(&self) -> Vars<'a> {
        Vars::new(self.data)
    }

    /// The value of `name` as the bytes on the medium; `None` if U-Boot does not have it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        vars::find(self.data, name.as_bytes())
    }

    /// The length of the whole copy in bytes, with its header.
    #[must_use]
    pub fn copy_bytes(&self) -> usize {
        self.layout.header_bytes() + self.data.len()
    }

    pub(crate) fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// Why a copy cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadCopy {
    /// Not even one byte of data.
    TooShort {
        /// The least number of bytes.
        wanted: usize,
        /// The number of bytes given.
        found: usize,
    },
    /// Torn, erased, never written or of another size than U-Boot's.
    Crc {
        /// What the header says.
        stored: u32,
        /// What the data says.
        computed: u32,
    },
    /// An entry `=value`. U-Boot would choose this copy by its serial, then fail to import it and
    /// run on its defaults; here it counts as bad, so that the next save replaces it.
    Nameless,
}

impl fmt::Display for BadCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { wanted, found } => {
                write!(f, "copy too short: wanted at least {wanted} bytes, found {found}")
            }
            Self::Crc { stored, computed } => {
                write!(f, "wrong CRC: header says {stored:08x}, data is {computed:08x}")
            }
            Self::Nameless => f.write_str("an entry has a value but no name"),
        }
    }
}

impl core::error::Error for BadCopy {}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    /// A copy made by hand, independently of the crate's own writer.
    pub(crate) fn made(layout: Layout, serial: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = crc32fast::hash(data).to_le_bytes().to_vec();
        if layout == Layout::Redundant {
            bytes.push(serial);
        }
        bytes.extend_from_slice(data);
        bytes
    }

    #[test]
    fn a_redundant_copy_gives_its_serial_and_variables() {
        let bytes = made(Layout::Redundant, 9, b"a=1\0b=2\0\0\0");
        let copy = decode(&bytes, Layout::Redundant).unwrap();
        assert_eq!(copy.serial(), 9);
        assert_eq!(copy.copy_bytes(), bytes.len());
        assert_eq!(copy.vars().count(), 2);
        assert_eq!(copy.get("b"), Some(&b"2"[..]));
    }

    #[test]
    fn a_single_copy_has_no_serial_byte() {
        let bytes = made(Layout::Single, 9, b"a=1\0\0");
        let copy = decode(&bytes, Layout::Single).unwrap();
        assert_eq!((copy.serial(), copy.layout()), (0, Layout::Single));
        assert_eq!(copy.get("a"), Some(&b"1"[..]));
        assert!(matches!(decode(&bytes, Layout::Redundant), Err(BadCopy::Crc { .. })));
    }

    #[test]
    fn a_header_alone_is_too_short_and_one_byte_of_data_is_not() {
        for layout in [Layout::Single, Layout::Redundant] {
            let bytes = made(layout, 1, b"\0");
            assert!(decode(&bytes, layout).is_ok());
            for found in 0..=layout.header_bytes() {
                let wanted = layout.header_bytes() + 1;
                let error = decode(&bytes[..found], layout).unwrap_err();
                assert_eq!(error, BadCopy::TooShort { wanted, found });
            }
        }
    }

    #[test]
    fn a_copy_cut_short_anywhere_or_too_long_by_one_is_bad() {
        let mut bytes = made(Layout::Redundant, 1, b"slot=a\0bootcount=0\0\0\0\0");
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length], Layout::Redundant).is_err(), "{length}");
        }
        assert!(decode(&bytes, Layout::Redundant).is_ok());
        bytes.push(0);
        assert!(decode(&bytes, Layout::Redundant).is_err());
    }

    #[test]
    fn every_flipped_bit_is_seen_except_in_the_serial() {
        let good = made(Layout::Redundant, 1, b"slot=a\0bootcount=0\0\0\xff\xff");
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let result = decode(&bytes, Layout::Redundant);
            if bit / 8 == 4 {
                assert_eq!(result.unwrap().get("slot"), Some(&b"a"[..]));
            } else {
                assert!(matches!(result, Err(BadCopy::Crc { .. })), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_copy_that_u_boot_cannot_import_is_bad() {
        for data in [&b"=1\0\0"[..], b"a=1\0=1\0\0", b"a=1\0 =1\0\0"] {
            let bytes = made(Layout::Redundant, 1, data);
            assert_eq!(decode(&bytes, Layout::Redundant).unwrap_err(), BadCopy::Nameless);
        }
        let bytes = made(Layout::Redundant, 1, b"a=1\0\0=1\0");
        assert!(decode(&bytes, Layout::Redundant).is_ok());
    }

    #[test]
    fn erased_media_are_bad_copies() {
        for fill in [0x00, 0xff] {
            let bytes = [fill; 64];
            assert!(decode(&bytes, Layout::Redundant).is_err());
            assert!(decode(&bytes, Layout::Single).is_err());
        }
    }

    #[test]
    fn an_error_says_what_was_wanted_and_what_was_found() {
        let error = decode(b"abc", Layout::Single).unwrap_err().to_string();
        assert_eq!(error, "copy too short: wanted at least 5 bytes, found 3");
        let error = decode(&[0; 6], Layout::Redundant).unwrap_err().to_string();
        assert_eq!(error, "wrong CRC: header says 00000000, data is d202ef8d");
    }
}

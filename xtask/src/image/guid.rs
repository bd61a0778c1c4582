//! Identifiers that are the same whenever an image is made: derived from what they name.

use anyhow::Result;
use sha2::{Digest, Sha256};
use std::fmt;

/// A GUID, in the order of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guid([u8; 16]);

/// Partitions of Linux file systems.
pub(crate) const LINUX: Guid =
    Guid(*b"\x0f\xc6\x3d\xaf\x84\x83\x47\x72\x8e\x79\x3d\x69\xd8\x47\x7d\xe4");

impl Guid {
    /// One for a name made of words: version 8 of RFC 9562, its bits those of a SHA-256.
    pub(crate) fn derived(words: &[&str]) -> Self {
        let mut hash = Sha256::new_with_prefix("twinslot");
        for word in words {
            hash.update([0]);
            hash.update(word);
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.finalize()[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// As a partition table holds it: the first three fields little-endian (UEFI 2.10, appendix A).
    pub(crate) fn stored(self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0;
        let mut stored = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
        stored[8..].copy_from_slice(&rest);
        stored
    }

    /// As it is read from a partition table.
    pub(crate) fn read(stored: &[u8]) -> Result<Self> {
        let stored: [u8; 16] = stored.try_into()?;
        // Turning the fields twice gives what was there.
        Ok(Self(Self(stored).stored()))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let dash = if [4, 6, 8, 10].contains(&index) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_prints_as_tools_print_it_and_is_stored_as_uefi_has_it() {
        assert_eq!(LINUX.to_string(), "0fc63daf-8483-4772-8e79-3d69d8477de4");
        let stored = *b"\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4";
        assert_eq!(LINUX.stored(), stored);
        assert_eq!(Guid::read(&stored).unwrap(), LINUX);
    }

    #[test]
    fn a_derived_guid_depends_on_every_word_and_says_its_version() {
        let guid = Guid::derived(&["a", "b"]);
        assert_eq!(guid, Guid::derived(&["a", "b"]));
        assert_ne!(guid, Guid::derived(&["ab"]));
        assert_ne!(guid, Guid::derived(&["a", "c"]));
        let text = guid.to_string();
        assert_eq!(&text[14..15], "8");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"));
    }
}

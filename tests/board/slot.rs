//! The two slots and where each lies.

use super::loop_device::Loop;
use std::path::PathBuf;
use std::rc::Rc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    A,
    B,
}

impl Slot {
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// The medium of one slot.
pub struct Place {
    pub device: PathBuf,
    /// What mender_boot_part calls it.
    pub number: u32,
    pub disk: Rc<Loop>,
    pub offset: u64,
    pub bytes: u64,
}

impl Place {
    pub fn medium(&self) -> Vec<u8> {
        self.disk.medium(self.offset, self.bytes)
    }
}

/// What a slot holds before anything is installed: no two blocks alike, none zero.
pub fn pattern(bytes: u64) -> Vec<u8> {
    let block = |number: u64| (number | 0xA5 << 56).to_be_bytes().repeat(64);
    (0..bytes / 512).flat_map(block).collect()
}

//! Every large buffer of the program, in one type, claimed once. Relations between the limits
//! are checked at compile time; the linker script holds the sum.

/// Alignment of every buffer and every transfer, in bytes: a page, and a multiple of every
/// logical block size Linux reports for eMMC, SD and loop devices.
pub const ALIGN_BYTES: usize = 4096;

/// One transfer to a slot, in bytes. Larger ones are no faster on eMMC (`ARCHITECTURE.md`).
pub const BLOCK_BYTES: usize = 1 << 20;

/// The part of a slot that makes it startable, in bytes: written last. Holds the superblock of
/// every file system U-Boot can load from (btrfs has the furthest, at 64 KiB).
pub const HEAD_BYTES: usize = 128 << 10;

/// Blocks on their way from the decoder over the digest to the medium: one for each stage.
pub const RING_BLOCKS: usize = 3;

/// A page-aligned array.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Aligned<const N: usize>(pub [u8; N]);

/// One transfer's worth of bytes.
pub type Block = Aligned<BLOCK_BYTES>;

/// The buffers an update needs.
#[derive(Debug)]
#[repr(C, align(4096))]
pub struct Buffers {
    /// Payload on its way to the slot.
    pub ring: [Block; RING_BLOCKS],
    /// What the slot holds: for comparing before a write and for reading back after.
    pub held: Block,
    /// The first bytes of the payload, until the rest is on the medium.
    pub head: Aligned<HEAD_BYTES>,
    /// Both copies of the environment.
    pub environment: [Aligned<{ uboot_env::MAX_ENV_BYTES }>; 2],
    /// What the artifact says of itself.
    pub header: crate::artifact::Texts,
}

const _: () = assert!(BLOCK_BYTES.is_multiple_of(ALIGN_BYTES));
const _: () = assert!(HEAD_BYTES.is_multiple_of(ALIGN_BYTES));
const _: () = assert!(HEAD_BYTES < BLOCK_BYTES);
const _: () = assert!(uboot_env::MAX_ENV_BYTES.is_multiple_of(ALIGN_BYTES));

//! U-Boot's environment as it stands on the medium: decode a copy, choose between two, edit,
//! make the image of the next copy.
//!
//! Every rule here is U-Boot's own, because U-Boot is the reader that decides what boots. Where
//! the Linux tools differ from it, the doc comment says so. The crate works on bytes in memory:
//! it never knows where a copy lives, never reads or writes a device, never allocates, and never
//! invents a default environment.
//!
//! A save under power loss: [`decode`] both copies, [`choose`] the current one, make the next
//! with [`Decoded::write_next`] and write it over [`Chosen::target`] alone. Until that write is
//! complete the current copy stands untouched, and U-Boot takes it.
//!
//! ```
//! use uboot_env::{Layout, Which, choose, decode};
//!
//! let first = *b"\x60\x15\x4f\xb5\x07slot=a\0\0";
//! let second = [0xff; 13];
//! let chosen = choose(
//!     decode(&first, Layout::Redundant),
//!     decode(&second, Layout::Redundant),
//! )?;
//! assert_eq!(chosen.current().get("slot"), Some(&b"a"[..]));
//!
//! let mut next = [0; 13];
//! chosen.current().write_next(&[("slot", Some("b"))], &mut next).unwrap();
//! assert_eq!(chosen.target(), Which::Second);
//! assert_eq!(decode(&next, Layout::Redundant).unwrap().serial(), 8);
//! # Ok::<(), uboot_env::BothBad<uboot_env::BadCopy>>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod choice;
pub mod config;
mod copy;
mod image;
mod vars;

pub use choice::{BothBad, Chosen, Which, choose, newer};
pub use copy::{BadCopy, Decoded, Layout, decode};
pub use image::{Change, EditError, WrongSize};
pub use vars::Vars;

/// The largest copy this crate's [`config`] accepts, in bytes with its header. U-Boot boards use
/// 8 to 128 KiB; the bound lets a caller claim its buffers once.
pub const MAX_ENV_BYTES: usize = 256 * 1024;

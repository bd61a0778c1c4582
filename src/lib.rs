//! twinslot's core: every decision of an update, and no way to touch anything.
//!
//! Artifact bytes in, slot bytes out, environment flip. What has been checked is carried as a
//! value that only the check can make. Linux, memory and the terminal are in the shell
//! (`main.rs`), behind the traits in [`device`], [`stream`], [`journal`] and [`progress`].
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod artifact;
pub mod boot;
pub mod device;
pub mod environment;
pub mod journal;
pub mod json;
pub mod memory;
pub mod progress;
pub mod provides;
pub mod rsa;
pub mod slot;
pub mod stream;
pub mod update;

//! twinslot's core.
#![no_std]
#![forbid(unsafe_code)]

pub mod device;
pub mod stream;

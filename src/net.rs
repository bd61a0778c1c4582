//! The network: HTTPS and the servers an update can come from. Knows bytes and JSON; never names
//! Linux's devices, and never knows what an artifact is.

mod address;
pub(crate) mod backoff;
pub(crate) mod channel;
mod date;
pub(crate) mod download;
pub(crate) mod exchange;
mod failover;
mod fields;
pub(crate) mod http;
pub(crate) mod mender;
#[cfg(test)]
mod script;
pub(crate) mod server;
mod tls;

pub(crate) use address::is_file;

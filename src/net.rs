//! The network: HTTPS and the servers an update can come from. Knows bytes and JSON; never names
//! Linux's devices, and never knows what an artifact is.

mod date;
pub(crate) mod download;
pub(crate) mod exchange;
pub(crate) mod http;
pub(crate) mod server;
mod tls;

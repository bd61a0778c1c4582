//! The network: HTTPS and the servers an update can come from. Knows bytes and JSON; never names
//! Linux's devices, and never knows what an artifact is.

pub(crate) mod exchange;
pub(crate) mod server;

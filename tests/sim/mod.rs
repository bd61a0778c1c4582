//! A board in memory: two slots and U-Boot's environment on a medium that keeps nothing before a
//! flush, records on a data partition, and a model of U-Boot that boots whatever is left. Runs
//! the core that ships, through its seams.

#![allow(dead_code, unreachable_pub, clippy::missing_panics_doc)]

pub mod artifact;
pub mod board;
pub mod campaign;
pub mod device;
pub mod judge;
pub mod loss;
pub mod pool;
pub mod power;
pub mod random;
pub mod scene;
pub mod shell;
pub mod store;
pub mod tape;
pub mod uboot;

//! The seams to everything that can lose power: block devices and the environment's two copies.
//! Never knows a path, a file descriptor or an errno.

/// Why the outside failed, in the shell's words. The core passes it on and never looks inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    /// The shell's own number for the reason (Linux: errno).
    pub code: i32,
    /// The reason for a person.
    pub text: &'static str,
}

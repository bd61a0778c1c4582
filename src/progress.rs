//! What a person or an app sees of an update while it runs.

/// A part of an update that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading and verifying what the artifact says of itself.
    Header,
    /// Payload into the slot.
    Write,
    /// The slot's bytes back from the medium.
    ReadBack,
    /// The environment.
    Arm,
}

impl Phase {
    /// The word of the progress lines.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Write => "write",
            Self::ReadBack => "read-back",
            Self::Arm => "arm",
        }
    }
}

/// Told as the update goes on, from whichever thread does the work.
pub trait Progress: Send {
    /// A phase begins; `total_bytes` is 0 where bytes say nothing.
    fn phase(&mut self, phase: Phase, total_bytes: u64);

    /// `bytes` of the phase are done, `skipped` of them without a write.
    fn advance(&mut self, bytes: u64, skipped: u64);
}

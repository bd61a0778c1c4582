//! The lines that an app reads while an update runs, on standard output or over the socket.
//! Nothing here allocates: payload is on its way.

use std::fmt;

use twinslot::progress::Phase;

use crate::failure::Failure;
use crate::object::Object;

/// A phase began.
pub(crate) struct Began(pub(crate) Phase);

impl fmt::Display for Began {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"event\":\"phase\",\"phase\":\"{}\"}}", self.0.word())
    }
}

/// A phase went on.
pub(crate) struct Went {
    pub(crate) phase: Phase,
    pub(crate) bytes: u64,
    pub(crate) total_bytes: u64,
    pub(crate) skipped: u64,
}

impl fmt::Display for Went {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, bytes, total_bytes, skipped } = self;
        write!(
            f,
            "{{\"event\":\"progress\",\"phase\":\"{}\",\"bytes\":{bytes},\"total\":{total_bytes},\
             \"skipped\":{skipped}}}",
            phase.word(),
        )
    }
}

/// The `error` of a result.
pub(crate) fn error(failure: &Failure) -> Object {
    Object::default().text("code", failure.code).text("message", &failure.message)
}

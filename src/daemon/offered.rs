//! What the server offered last, for whoever asks. Decides nothing.

use std::sync::{Mutex, PoisonError};

use super::policy::Hold;
use crate::check::Prompt;
use crate::object::Object;

/// An offer as an app shows it, and what it waits for.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) prompt: Prompt,
    /// None where it waits for nothing: it is installed next, or not at all.
    pub(crate) hold: Option<Hold>,
}

impl Waiting {
    /// No offer.
    pub(crate) const fn nothing(current: Option<String>) -> Self {
        let prompt = Prompt { current, offered: None, downgrade: None, failed_before: None };
        Self { prompt, hold: None }
    }

    /// What `check --json` tells, and what the daemon knows besides.
    pub(crate) fn fields(&self) -> Object {
        self.prompt.fields().text_or_null("waits_for", self.hold.map(Hold::word))
    }
}

/// The one that waits, shared with the control socket.
#[derive(Debug, Default)]
pub(crate) struct Offered(Mutex<Option<Waiting>>);

impl Offered {
    pub(crate) fn put(&self, waiting: Option<Waiting>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
    }

    pub(crate) fn waiting(&self) -> Option<Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

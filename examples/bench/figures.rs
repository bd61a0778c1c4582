//! Figures of several rounds, as a table and as limits. Never a figure of another machine or time.

use std::fmt;

/// One thing that was measured in every round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(Vec<f64>);

impl Series {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the machine can do: other work on it only ever adds.
    pub(crate) fn least(&self) -> f64 {
        self.0[0]
    }

    pub(crate) fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    pub(crate) fn most(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.2} {:8.2} {:8.2}", self.least(), self.median(), self.most())
    }
}

/// What must hold, and whether it did.
pub(crate) struct Limit {
    pub(crate) what: String,
    pub(crate) found: f64,
    pub(crate) at_most: f64,
}

impl Limit {
    pub(crate) fn holds(&self) -> bool {
        self.found <= self.at_most
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds() { "holds" } else { "FAILED" };
        let Self { what, found, at_most } = self;
        write!(f, "{what:<64} {found:6.2} of {at_most:5.2}  {word}")
    }
}

//! What can go wrong between a client and a file, on demand. Never chooses by chance.

use std::collections::BTreeMap;

/// One way to go wrong. Byte counts are of the body that is on its way.
#[derive(Clone, Debug)]
pub enum Fault {
    /// So many bytes, then nothing more; the connection stays.
    Stall {
        /// After how many bytes.
        at: u64,
    },
    /// So many bytes, then a TCP reset.
    Reset {
        /// After how many bytes.
        at: u64,
    },
    /// So many bytes, then the connection is closed in order, with TLS's goodbye.
    Truncate {
        /// After how many bytes.
        at: u64,
    },
    /// So many bytes, then the connection is closed without TLS's goodbye.
    Drop {
        /// After how many bytes.
        at: u64,
    },
    /// A `Content-Length` that many bytes away from the truth; the body is as it should be.
    WrongLength {
        /// Added to the length.
        by: i64,
    },
    /// A 206 of a range that starts that many bytes later than the one asked for.
    ShiftedRange {
        /// How much later, in bytes.
        by: u64,
    },
    /// A 206 with the right bytes, of a file that is said to be that much longer.
    OtherTotal {
        /// Added to the total.
        by: u64,
    },
    /// The whole file with 200, though a range was asked for.
    IgnoreRange,
    /// A redirect to itself.
    RedirectLoop,
    /// A redirect to somewhere else.
    Redirect {
        /// The Location.
        to: String,
    },
    /// Another status, with a body that says so.
    Status {
        /// Such as 403 or 500.
        status: u16,
        /// `Retry-After`: seconds or an HTTP date.
        retry_after: Option<String>,
    },
    /// So many bytes at a time, with a pause after each.
    Drip {
        /// How many.
        bytes: usize,
        /// The pause.
        every_ms: u64,
    },
    /// A body without a length that never ends: zeros behind the file.
    Endless,
    /// Headers that never end.
    LongHeaders,
    /// Something that is no HTTP.
    Garbage,
    /// The same bytes under another ETag.
    OtherTag,
    /// Other bytes of the same length under another ETag.
    OtherContent,
    /// The same, though `If-Range` says that only the old ones are wanted.
    MixedContent,
    /// Nothing wrong: a body in chunks, without a length.
    Chunked,
}

/// Which requests of a path; the first is number 1.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// All of them.
    Always,
    /// This one.
    Only(u64),
    /// The first ones, up to this one.
    UpTo(u64),
    /// This one and all after it.
    From(u64),
}

impl When {
    fn holds(self, number: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Only(one) => number == one,
            Self::UpTo(last) => number <= last,
            Self::From(first) => number >= first,
        }
    }
}

/// The faults of all paths, and how often each was asked for.
#[derive(Default)]
pub(crate) struct Faults {
    of: BTreeMap<String, Vec<(When, Fault)>>,
    asked: BTreeMap<String, u64>,
}

impl Faults {
    /// Numbers count from here on anew.
    pub(crate) fn add(&mut self, path: &str, when: When, fault: Fault) {
        self.asked.remove(path);
        self.of.entry(path.to_owned()).or_default().push((when, fault));
    }

    pub(crate) fn clear(&mut self, path: &str) {
        self.of.remove(path);
        self.asked.remove(path);
    }

    /// What goes wrong with the request that is here.
    pub(crate) fn next(&mut self, path: &str) -> Option<Fault> {
        let asked = self.asked.entry(path.to_owned()).or_default();
        *asked += 1;
        let of = self.of.get(path)?;
        of.iter().find(|(when, _)| when.holds(*asked)).map(|(_, fault)| fault.clone())
    }
}

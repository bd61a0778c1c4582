//! What a server saw and was told, for a test to look at. Never changes by itself.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http;

/// Everything so far, in its order.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// All requests.
    pub requests: Vec<Seen>,
    /// Devices that were let in.
    pub devices: Vec<Device>,
    /// Status reports that were accepted.
    pub reports: Vec<Report>,
    /// Logs that were accepted.
    pub uploads: Vec<Upload>,
    /// The attributes of each device, by its `id_data`.
    pub inventory: BTreeMap<String, BTreeMap<String, Value>>,
}

/// One request, and how far its answer got.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Such as `GET`.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Behind the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
    /// Of the answer.
    pub status: u16,
    /// Where in the file the answer starts.
    pub start: u64,
    /// How many bytes of the answer's body were handed to the connection.
    pub sent: u64,
}

impl Seen {
    /// A header of the request; names are in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        http::value(&self.headers, name)
    }
}

/// A device, as it introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `id_data`, parsed.
    pub identity: Value,
    /// PEM.
    pub key: String,
}

/// A deployment's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its id.
    pub deployment: String,
    /// Such as `downloading`.
    pub status: String,
    /// For people.
    pub substate: String,
}

/// A deployment's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub deployment: String,
    /// Line by line.
    pub messages: Vec<LogMessage>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// RFC 3339.
    pub timestamp: String,
    /// Such as `error`.
    pub level: String,
    /// The text.
    pub message: String,
}

impl Record {
    /// The statuses of a deployment, in their order.
    #[must_use]
    pub fn statuses(&self, deployment: &str) -> Vec<&str> {
        let of = self.reports.iter().filter(|report| report.deployment == deployment);
        of.map(|report| report.status.as_str()).collect()
    }

    /// How many bytes of bodies went out for a path, over all its requests.
    #[must_use]
    pub fn sent(&self, path: &str) -> u64 {
        self.of(path).map(|seen| seen.sent).sum()
    }

    /// How often a path was asked for.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.of(path).count()
    }

    /// The requests of a path.
    pub fn of(&self, path: &str) -> impl Iterator<Item = &Seen> {
        self.requests.iter().filter(move |seen| seen.path == path)
    }
}

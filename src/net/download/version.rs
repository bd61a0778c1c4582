//! Which version of a file an answer is about, and which part of it (RFC 9110 sections 8.8 and
//! 14). Never reads a body.

use super::fault::Error;
use super::origin::Answer;
use crate::net::exchange;

/// What tells one version of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Version {
    /// A strong one: weak ones do not promise the same bytes.
    etag: Option<String>,
    modified: Option<String>,
}

impl Version {
    pub(super) fn of(answer: &impl Answer) -> Self {
        let text = |name| answer.header(name).map(str::to_owned);
        let etag = text("etag").filter(|tag| tag.starts_with('"'));
        Self { etag, modified: text("last-modified") }
    }

    /// The value of an `If-Range`.
    pub(super) fn condition(&self) -> Option<&str> {
        self.etag.as_deref().or(self.modified.as_deref())
    }

    /// Whether both are the same; `None` where nothing can be compared.
    pub(super) fn same(&self, other: &Self) -> Option<bool> {
        let both = |one: &Option<String>, two: &Option<String>| {
            one.as_ref().zip(two.as_ref()).map(|(one, two)| one == two)
        };
        both(&self.etag, &other.etag).or_else(|| both(&self.modified, &other.modified))
    }
}

/// The part of a file that an answer brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The first byte of the body is this one of the file.
    pub(super) begin: u64,
    /// The whole file's length, where it was told.
    pub(super) total: Option<u64>,
}

impl Part {
    /// What the answer to a request for all bytes from `at` on brings.
    pub(super) fn of(answer: &impl Answer, at: u64) -> Result<Self, Error> {
        let host = answer.host();
        let malformed = |reason| exchange::Error::Malformed { host: answer.host(), reason };
        if let Some(coding) =
            answer.header("content-encoding").filter(|coding| *coding != "identity")
        {
            return Err(malformed(format!("sent {coding}-coded, asked for the plain file")).into());
        }
        match answer.status() {
            200 => Ok(Self { begin: 0, total: answer.length() }),
            206 => {
                let told = answer.header("content-range").unwrap_or_default();
                let part = Self::parse(told).filter(|part| part.begin == at);
                Ok(part.ok_or_else(|| {
                    malformed(format!("asked for bytes from {at} on, sent {told:?}"))
                })?)
            }
            416 => {
                let reason = format!("it ends before byte {at}");
                Err(Error::Changed { host, reason })
            }
            status => {
                let (reason, retry_after) = (String::new(), answer.retry_after());
                Err(exchange::Error::Refused { host, status, reason, retry_after }.into())
            }
        }
    }

    /// `bytes 100-199/200` or `bytes 100-199/*`
    fn parse(told: &str) -> Option<Self> {
        let (range, total) = told.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (begin, end) = range.split_once('-')?;
        let (begin, end) = (begin.parse().ok()?, end.parse::<u64>().ok()?);
        let total = match total {
            "*" => None,
            total => Some(total.parse::<u64>().ok()?),
        };
        let ordered = begin <= end && total.is_none_or(|total| end < total);
        ordered.then_some(Self { begin, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_understood_or_refused() {
        let part = |begin, total| Some(Part { begin, total });
        for (told, expected) in [
            ("bytes 0-0/1", part(0, Some(1))),
            ("bytes 100-199/200", part(100, Some(200))),
            ("bytes 100-199/*", part(100, None)),
            ("bytes 100-200/200", None),
            ("bytes 100-99/200", None),
            ("bytes */200", None),
            ("items 0-0/1", None),
            ("", None),
        ] {
            assert_eq!(Part::parse(told), expected, "{told}");
        }
    }

    #[test]
    fn versions_are_compared_by_etag_else_by_date_else_not() {
        let version = |etag: &str, modified: &str| {
            let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            Version { etag: text(etag), modified: text(modified) }
        };
        let first = version("\"1\"", "Monday");
        assert_eq!(first.same(&version("\"1\"", "Tuesday")), Some(true));
        assert_eq!(first.same(&version("\"2\"", "Monday")), Some(false));
        assert_eq!(first.same(&version("", "Monday")), Some(true));
        assert_eq!(first.same(&version("", "Tuesday")), Some(false));
        assert_eq!(first.same(&version("", "")), None);
        assert_eq!(first.condition(), Some("\"1\""));
        assert_eq!(version("", "Monday").condition(), Some("Monday"));
    }
}

//! What is served: bytes in memory or a file, read piece by piece, and which piece a request
//! asks for. Never sends.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;

use ring::digest::{SHA256, digest};

use crate::fault::Fault;
use crate::http::{self, Request, header};

/// The bytes of a path.
#[derive(Clone)]
pub enum Content {
    /// In memory.
    Bytes(Arc<[u8]>),
    /// In a file, which must not change.
    File(PathBuf),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<PathBuf> for Content {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// Content that is open, with what its ETag stands for.
pub(crate) struct Source {
    kept: Kept,
    pub(crate) length: u64,
    tag: String,
    /// Bytes are other ones.
    other: Other,
}

enum Kept {
    Bytes(Arc<[u8]>),
    File(File),
}

#[derive(PartialEq, Eq)]
enum Other {
    No,
    Yes,
}

impl Source {
    pub(crate) fn open(content: &Content) -> io::Result<Self> {
        match content {
            Content::Bytes(bytes) => {
                let hash = digest(&SHA256, bytes);
                let tag = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                let length = u64::try_from(bytes.len()).map_err(io::Error::other)?;
                Ok(Self { kept: Kept::Bytes(Arc::clone(bytes)), length, tag, other: Other::No })
            }
            Content::File(path) => {
                let (file, metadata) = (File::open(path)?, fs::metadata(path)?);
                let tag = format!("{:x}-{:x}", metadata.len(), metadata.mtime());
                Ok(Self { kept: Kept::File(file), length: metadata.len(), tag, other: Other::No })
            }
        }
    }

    /// The bytes of an answer that is at hand.
    pub(crate) fn of(bytes: Vec<u8>) -> io::Result<Self> {
        let length = u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(Self { kept: Kept::Bytes(bytes.into()), length, tag: String::new(), other: Other::No })
    }

    /// Fills the buffer from there; behind the end there are zeros.
    pub(crate) fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        buffer.fill(0);
        let left = usize::try_from(self.length.saturating_sub(at)).map_err(io::Error::other)?;
        let count = left.min(buffer.len());
        let buffer = &mut buffer[..count];
        match &self.kept {
            Kept::File(file) => file.read_exact_at(buffer, at)?,
            Kept::Bytes(_) if count == 0 => {}
            Kept::Bytes(bytes) => {
                let start = usize::try_from(at).map_err(io::Error::other)?;
                buffer.copy_from_slice(&bytes[start..start + count]);
            }
        }
        if self.other == Other::Yes {
            buffer.iter_mut().for_each(|byte| *byte = !*byte);
        }
        Ok(())
    }

    fn strong_tag(&self) -> String {
        format!("\"{}\"", self.tag)
    }
}

/// What is answered: a status, headers, and a piece of a source.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) source: Source,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl Reply {
    /// Of bytes at hand.
    pub(crate) fn of(
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> io::Result<Self> {
        let source = Source::of(body)?;
        Ok(Self { status, headers, start: 0, length: source.length, source })
    }
}

/// Answers a GET or HEAD of a file.
pub(crate) fn reply(
    request: &Request,
    content: &Content,
    fault: Option<&Fault>,
) -> io::Result<Reply> {
    let mut source = Source::open(content)?;
    match fault {
        Some(Fault::OtherTag) => source.tag.push_str("-other"),
        Some(Fault::OtherContent | Fault::MixedContent) => {
            source.tag.push_str("-other");
            source.other = Other::Yes;
        }
        _ => {}
    }
    if !["GET", "HEAD"].contains(&request.method.as_str()) {
        return Reply::of(405, vec![header("Allow", "GET, HEAD")], Vec::new());
    }
    let tag = source.strong_tag();
    if request.header("if-none-match") == Some(&tag) {
        return Reply::of(304, vec![header("ETag", tag)], Vec::new());
    }
    let mut headers = vec![
        header("Accept-Ranges", "bytes"),
        header("Content-Type", "application/octet-stream"),
        header("ETag", &tag),
    ];
    let total = source.length;
    match asked(request, total, fault, &tag) {
        Asked::Whole => Ok(Reply { status: 200, headers, start: 0, length: total, source }),
        Asked::Nothing => {
            headers.push(header("Content-Range", format!("bytes */{total}")));
            Reply::of(416, headers, Vec::new())
        }
        Asked::Part { first, last } => {
            let (first, said) = match fault {
                Some(Fault::ShiftedRange { by }) => ((first + by).min(last), total),
                Some(Fault::OtherTotal { by }) => (first, total + by),
                _ => (first, total),
            };
            headers.push(header("Content-Range", format!("bytes {first}-{last}/{said}")));
            let length = last - first + 1;
            Ok(Reply { status: 206, headers, start: first, length, source })
        }
    }
}

enum Asked {
    Whole,
    Part { first: u64, last: u64 },
    Nothing,
}

fn asked(request: &Request, total: u64, fault: Option<&Fault>, tag: &str) -> Asked {
    let same = request.header("if-range").is_none_or(|wanted| wanted == tag);
    let heard = same || matches!(fault, Some(Fault::MixedContent));
    if !heard || matches!(fault, Some(Fault::IgnoreRange)) {
        return Asked::Whole;
    }
    match request.header("range").and_then(|range| bounds(range, total)) {
        None => Asked::Whole,
        Some((first, last)) if first > last || first >= total => Asked::Nothing,
        Some((first, last)) => Asked::Part { first, last: last.min(total - 1) },
    }
}

/// One range of bytes; None where there is none, or several, which a server may ignore.
fn bounds(range: &str, total: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    match (first.is_empty(), last.is_empty()) {
        (true, _) => Some((total.saturating_sub(last.parse().ok()?), total.checked_sub(1)?)),
        (false, true) => Some((first.parse().ok()?, u64::MAX)),
        (false, false) => Some((first.parse().ok()?, last.parse().ok()?)),
    }
}

/// `Content-Length`, as the fault has it; none where the body ends with the connection.
pub(crate) fn length_header(length: u64, fault: Option<&Fault>) -> Option<(String, String)> {
    let said = match fault {
        Some(Fault::Endless | Fault::Chunked) => return None,
        Some(Fault::WrongLength { by }) => length.saturating_add_signed(*by),
        _ => length,
    };
    Some(http::header("Content-Length", said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replied(headers: &[(&str, &str)]) -> Reply {
        let headers = headers.iter().map(|(name, value)| header(name, value)).collect();
        let request = Request { method: "GET".to_owned(), headers, ..Request::default() };
        reply(&request, &vec![7; 10].into(), None).unwrap()
    }

    fn part(range: &str) -> (u16, u64, u64) {
        let reply = replied(&[("range", range)]);
        (reply.status, reply.start, reply.length)
    }

    #[test]
    fn a_range_is_answered_with_its_bytes_up_to_the_last() {
        assert_eq!(part("bytes=0-0"), (206, 0, 1));
        assert_eq!(part("bytes=9-"), (206, 9, 1));
        assert_eq!(part("bytes=4-99"), (206, 4, 6));
        assert_eq!(part("bytes=-3"), (206, 7, 3));
        assert_eq!(part("bytes=10-").0, 416);
        assert_eq!(part("bytes=5-4").0, 416);
        assert_eq!(part("bytes=0-1,3-4").0, 200);
    }

    #[test]
    fn a_range_of_something_else_is_answered_with_the_whole() {
        let whole = replied(&[]);
        let tag = http::value(&whole.headers, "ETag").unwrap();
        let status = |tag: &str| replied(&[("range", "bytes=5-"), ("if-range", tag)]).status;
        assert_eq!((status(tag), status("\"x\"")), (206, 200));
    }
}

//! HTTP/1.1 as far as clients of updates speak it: a request read whole, and the head of an
//! answer. Never routes.

use std::io::{self, Read};

const HEAD_MAX_BYTES: usize = 64 << 10;
const BODY_MAX_BYTES: usize = 16 << 20;

/// A request, read whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The next one of a connection, of which `rest` holds what was read too far; None when the
    /// client has no more.
    pub(crate) fn read(wire: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let end = loop {
            if let Some(at) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            // Such as the hello of a client that expects TLS here.
            if rest.first().is_some_and(|first| !first.is_ascii_uppercase()) {
                return Err(invalid("no request line"));
            }
            if rest.len() > HEAD_MAX_BYTES {
                return Err(invalid("a head without end"));
            }
            if !more(wire, rest)? {
                return Ok(None);
            }
        };
        let head = String::from_utf8(rest[..end].to_vec()).map_err(io::Error::other)?;
        rest.drain(..end + 4);
        let mut request = Self::parse(&head)?;
        request.body = match request.header("transfer-encoding") {
            Some(_) => chunks(wire, rest)?,
            None => {
                let length = request.header("content-length").unwrap_or("0");
                take(wire, rest, length.parse().map_err(io::Error::other)?)?
            }
        };
        Ok(Some(request))
    }

    fn parse(head: &str) -> io::Result<Self> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(invalid("no request line"));
        };
        if version != "HTTP/1.1" || !target.starts_with('/') {
            return Err(invalid("no HTTP/1.1 request of a path"));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |line: &str| {
            let (name, value) = line.split_once(':').ok_or_else(|| invalid("no header"))?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Ok(Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: lines.map(header).collect::<io::Result<_>>()?,
            body: Vec::new(),
        })
    }

    /// The value of a header; names are in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// The client wants no further answer on this connection.
    pub(crate) fn last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    pub(crate) fn head_only(&self) -> bool {
        self.method == "HEAD"
    }
}

/// The first header of this name.
pub(crate) fn value<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A body in chunks, without trailers: Mender's Go client sends its reports so.
fn chunks(wire: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let length = u64::from_str_radix(&line(wire, rest)?, 16).map_err(io::Error::other)?;
        body.extend(take(wire, rest, length)?);
        if !line_is_empty(wire, rest)? || body.len() > BODY_MAX_BYTES {
            return Err(invalid("a chunk that is too long"));
        }
        if length == 0 {
            return Ok(body);
        }
    }
}

fn line_is_empty(wire: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<bool> {
    line(wire, rest).map(|line| line.is_empty())
}

/// The next line, without its end.
fn line(wire: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let line = String::from_utf8(rest[..end].to_vec()).map_err(io::Error::other)?;
            rest.drain(..end + 2);
            return Ok(line);
        }
        if rest.len() > HEAD_MAX_BYTES || !more(wire, rest)? {
            return Err(invalid("a line without end"));
        }
    }
}

fn take(wire: &mut impl Read, rest: &mut Vec<u8>, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).ok().filter(|length| *length <= BODY_MAX_BYTES);
    let length = length.ok_or_else(|| invalid("a body that is too long"))?;
    while rest.len() < length {
        if !more(wire, rest)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(rest.drain(..length).collect())
}

/// Whether there was more.
fn more(wire: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0; 16 << 10];
    let count = wire.read(&mut buffer)?;
    rest.extend(&buffer[..count]);
    Ok(count > 0)
}

/// A status line and headers, with the empty line that ends them.
pub(crate) fn head(status: u16, headers: &[(String, String)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A header.
pub(crate) fn header(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Request Entity Too Large",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Other",
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut wire: &[u8]) -> Vec<(String, Vec<u8>)> {
        let (mut rest, mut read) = (Vec::new(), Vec::new());
        while let Some(request) = Request::read(&mut wire, &mut rest).unwrap() {
            read.push((request.path, request.body));
        }
        read
    }

    #[test]
    fn requests_follow_each_other_with_a_length_in_chunks_or_without_a_body() {
        let wire = b"PUT /a?b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
            PUT /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n\
            GET /c HTTP/1.1\r\nHost: x\r\n\r\n";
        let wanted = [("/a", &b"abc"[..]), ("/b", b"def"), ("/c", b"")];
        assert_eq!(read(wire), wanted.map(|(path, body)| (path.to_owned(), body.to_vec())));
    }
}

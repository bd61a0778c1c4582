//! Sends an answer, as well or as badly as it was told to. Never decides what is answered.

use std::io::{self, Write};
use std::time::Duration;

use crate::connection::Shared;
use crate::content::{self, Reply};
use crate::fault::Fault;
use crate::http::{self, Request, header};
use crate::wire::Wire;

const PIECE_BYTES: usize = 64 << 10;
/// More than any client should read of headers.
const LONG_HEADERS_LINES: usize = 1 << 20;
/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// What happens to the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another request may come.
    Request,
    /// It is closed in order.
    Close,
    /// It is closed without TLS's goodbye.
    Drop,
    /// It is reset.
    Reset,
}

pub(crate) struct Sending<'s> {
    pub(crate) shared: &'s Shared,
    /// The request's number in the record.
    pub(crate) number: usize,
    pub(crate) request: &'s Request,
    pub(crate) fault: Option<&'s Fault>,
}

impl Sending<'_> {
    pub(crate) fn send(&self, wire: &mut Wire, reply: &Reply) -> io::Result<Next> {
        self.shared.tell(self.number, |seen| {
            seen.status = reply.status;
            seen.start = reply.start;
        });
        match self.fault {
            Some(Fault::Garbage) => {
                wire.write_all(&[0xA5; 4096])?;
                return Ok(Next::Close);
            }
            Some(Fault::LongHeaders) => return long_headers(wire),
            Some(Fault::Reset { .. }) => wire.narrow()?,
            _ => {}
        }
        wire.write_all(&self.head(reply))?;
        let next = match self.request.head_only() || [204, 304].contains(&reply.status) {
            true => Next::Request,
            false => self.body(wire, reply)?,
        };
        wire.flush()?;
        Ok(if next == Next::Request && self.request.last() { Next::Close } else { next })
    }

    fn head(&self, reply: &Reply) -> Vec<u8> {
        let mut headers = reply.headers.clone();
        if reply.status != 204 {
            headers.extend(content::length_header(reply.length, self.fault));
        }
        if matches!(self.fault, Some(Fault::Chunked)) {
            headers.push(header("Transfer-Encoding", "chunked"));
        }
        if matches!(self.fault, Some(Fault::Endless)) || self.request.last() {
            headers.push(header("Connection", "close"));
        }
        http::head(reply.status, &headers)
    }

    fn body(&self, wire: &mut Wire, reply: &Reply) -> io::Result<Next> {
        let (end, next) = match self.fault {
            Some(Fault::Stall { at } | Fault::Truncate { at }) => (*at, Next::Close),
            Some(Fault::Reset { at }) => (*at, Next::Reset),
            Some(Fault::Drop { at }) => (*at, Next::Drop),
            Some(Fault::Endless) => (u64::MAX, Next::Close),
            // The client waits for more, or has too much: there is no next request.
            Some(Fault::WrongLength { .. }) => (reply.length, Next::Close),
            _ => (reply.length, Next::Request),
        };
        let end =
            if matches!(self.fault, Some(Fault::Endless)) { end } else { end.min(reply.length) };
        self.pieces(wire, reply, end)?;
        if matches!(self.fault, Some(Fault::Stall { .. })) {
            wire.flush()?;
            self.shared.pause(LONG);
        }
        if matches!(self.fault, Some(Fault::Chunked)) {
            wire.write_all(b"0\r\n\r\n")?;
        }
        Ok(next)
    }

    fn pieces(&self, wire: &mut Wire, reply: &Reply, end: u64) -> io::Result<()> {
        let (piece, pause) = match self.fault {
            Some(Fault::Drip { bytes, every_ms }) => {
                ((*bytes).min(PIECE_BYTES), Some(Duration::from_millis(*every_ms)))
            }
            _ => (PIECE_BYTES, None),
        };
        let mut buffer = vec![0; piece];
        let mut sent = 0;
        while sent < end {
            let left = usize::try_from(end - sent).unwrap_or(usize::MAX);
            let piece = &mut buffer[..left.min(piece)];
            reply.source.read_at(reply.start + sent, piece)?;
            self.piece(wire, piece)?;
            sent += u64::try_from(piece.len()).map_err(io::Error::other)?;
            self.shared.tell(self.number, |seen| seen.sent = sent);
            let stopped = match pause {
                Some(pause) => !self.shared.pause(pause),
                None => self.shared.stopping(),
            };
            if stopped {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }

    fn piece(&self, wire: &mut Wire, piece: &[u8]) -> io::Result<()> {
        if !matches!(self.fault, Some(Fault::Chunked)) {
            wire.write_all(piece)?;
            return wire.flush();
        }
        write!(wire, "{:x}\r\n", piece.len())?;
        wire.write_all(piece)?;
        wire.write_all(b"\r\n")
    }
}

fn long_headers(wire: &mut Wire) -> io::Result<Next> {
    wire.write_all(b"HTTP/1.1 200 OK\r\n")?;
    for line in 0..LONG_HEADERS_LINES {
        write!(wire, "X-Header-{line}: {}\r\n", "x".repeat(1000))?;
    }
    Ok(Next::Close)
}

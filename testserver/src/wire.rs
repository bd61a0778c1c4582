//! One connection, with TLS or without, and the ways to end it. Never resumes one.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::libc::linger;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Linger, SndBuf};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What was sent gets time to arrive before a reset, which would overtake it.
const BEFORE_RESET: Duration = Duration::from_millis(30);
/// The kernel keeps twice as much of what was sent and has not arrived.
const NARROW_BYTES: usize = 4 << 10;

pub(crate) enum Wire {
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    Plain(TcpStream),
}

impl Wire {
    /// The handshake happens with the first byte.
    pub(crate) fn new(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let Some(config) = tls else { return Ok(Self::Plain(socket)) };
        let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Tls(stream) => &stream.sock,
            Self::Plain(socket) => socket,
        }
    }

    /// Has the kernel keep little of what was sent: a reset loses that.
    pub(crate) fn narrow(&self) -> io::Result<()> {
        Ok(setsockopt(self.socket(), SndBuf, &NARROW_BYTES)?)
    }

    /// Ends it in order.
    pub(crate) fn close(mut self) -> io::Result<()> {
        if let Self::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
        }
        self.flush()
    }

    /// Ends it without a goodbye; the last handle of the socket must be this one.
    pub(crate) fn reset(self) -> io::Result<()> {
        thread::sleep(BEFORE_RESET);
        setsockopt(self.socket(), Linger, &linger { l_onoff: 1, l_linger: 0 })?;
        Ok(())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.read(buffer),
            Self::Plain(socket) => socket.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => stream.write(buffer),
            Self::Plain(socket) => socket.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.flush(),
            Self::Plain(socket) => socket.flush(),
        }
    }
}

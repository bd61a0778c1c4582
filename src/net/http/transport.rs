//! TLS on ureq's connections. Waits in short turns, so that a request to stop is heard; never
//! decides how long to wait in all.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, time,
};

use super::Stop;

/// How long a request to stop may go unheard.
const TURN: Duration = Duration::from_millis(500);

/// Puts TLS on every connection to an https URL; one to a proxy stays as it is.
pub(super) struct TlsConnector {
    pub(super) config: Arc<ClientConfig>,
    pub(super) stop: Stop,
}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConnector")
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, Tls<In>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let host = details.uri.host().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|_| Error::BadUri("no host name".into()))?;
        let mut connection =
            ClientConnection::new(self.config.clone(), name).map_err(io::Error::other)?;
        let mut socket = Socket { transport, timeout: details.timeout, stop: self.stop.clone() };
        connection.complete_io(&mut socket)?;
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(Tls { buffers, stream: StreamOwned::new(connection, socket) })))
    }
}

/// A connection with TLS on it.
pub(super) struct Tls<In: Transport> {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, Socket<In>>,
}

impl<In: Transport> fmt::Debug for Tls<In> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl<In: Transport> Transport for Tls<In> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.sock.timeout = timeout;
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(self.stream.flush()?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.sock.timeout = timeout;
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// The bytes below TLS.
struct Socket<In> {
    transport: In,
    timeout: NextTimeout,
    stop: Stop,
}

impl<In: Transport> Socket<In> {
    /// Waits until there is input, or the connection ended.
    fn wait(&mut self) -> Result<(), Error> {
        let limit = self.timeout.for_read();
        let begin = Instant::now();
        loop {
            if self.stop.asked() {
                return Err(io::Error::other(super::Stopped).into());
            }
            let left = limit.after.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(Error::Timeout(limit.reason));
            }
            let after = time::Duration::Exact(left.min(TURN));
            let turn = NextTimeout { after, per_read: None, ..limit };
            match self.transport.maybe_await_input(turn) {
                Err(Error::Timeout(_)) => {}
                other => return other.map(|_| ()),
            }
        }
    }
}

impl<In: Transport> Read for Socket<In> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.wait().map_err(Error::into_io)?;
        let buffers = self.transport.buffers();
        let input = buffers.input();
        let len = into.len().min(input.len());
        into[..len].copy_from_slice(&input[..len]);
        buffers.input_consume(len);
        Ok(len)
    }
}

impl<In: Transport> Write for Socket<In> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let output = self.transport.buffers().output();
        let len = bytes.len().min(output.len());
        output[..len].copy_from_slice(&bytes[..len]);
        self.transport.transmit_output(len, self.timeout).map_err(Error::into_io)?;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! HTTPS, asked and answered: ureq over the TLS here. Follows redirects within https, never tries
//! anything again, and never speaks without TLS.

mod fault;
mod transport;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ClientConfig;
use ureq::http::{HeaderMap, Method as Verb, Request as Asked, Response};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, TcpConnector};
use ureq::{Agent, Body, BodyReader};

use super::date;
use super::exchange::{Answer, Error, Exchange, Method, Request};
use super::tls;
pub(crate) use super::tls::SetupError;
use transport::TlsConnector;

/// Redirects that are followed.
const REDIRECTS_MAX: u32 = 10;
/// The longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// Bytes held of what comes in and of what goes out, each twice: below TLS and above.
const INPUT_BYTES: usize = 64 << 10;
const OUTPUT_BYTES: usize = 16 << 10;

/// Whether someone asked to stop; looked at at least once a second while waiting for a server.
#[derive(Clone, Default)]
pub(crate) struct Stop(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Stop {
    /// Asks `asked`, which may answer from any thread.
    pub(crate) fn new(asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(asked)))
    }

    /// Whether someone did.
    pub(crate) fn asked(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| asked())
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

/// The mark of a connection that was given up because someone asked to stop.
#[derive(Debug, thiserror::Error)]
#[error("stopped as asked")]
struct Stopped;

/// How servers are reached.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// PEM; the system's where there are none.
    pub(crate) roots: Option<Vec<u8>>,
    /// The client's own certificates and its key, PEM.
    pub(crate) client: Option<(Vec<u8>, Vec<u8>)>,
    /// How long a server may be silent: before it takes a connection, before it answers, and
    /// between any two bytes.
    pub(crate) silence: Duration,
    pub(crate) stop: Stop,
}

impl Default for Settings {
    fn default() -> Self {
        let silence = Duration::from_secs(30);
        Self { roots: None, client: None, silence, stop: Stop::default() }
    }
}

/// Asks servers.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: Agent,
    config: Arc<ClientConfig>,
    silence: Duration,
    stop: Stop,
}

/// An answer whose body is still to come.
pub(super) struct Incoming {
    pub(super) status: u16,
    head: HeaderMap,
    /// The length of the body, where the server told it.
    pub(super) length: Option<u64>,
    body: BodyReader<'static>,
    url: String,
}

impl Client {
    /// # Errors
    /// The certificates or the key are none.
    pub(crate) fn new(settings: &Settings) -> Result<Self, SetupError> {
        let client = settings.client.as_ref();
        let client = client.map(|(chain, key)| (chain.as_slice(), key.as_slice()));
        let config = tls::config(settings.roots.as_deref(), client)?;
        Ok(Self::with(config, settings.silence, settings.stop.clone()))
    }

    fn with(config: Arc<ClientConfig>, silence: Duration, stop: Stop) -> Self {
        let connector =
            ().chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(TlsConnector { config: config.clone(), stop: stop.clone() });
        let agent = Agent::with_parts(limits(silence), connector, DefaultResolver::default());
        Self { agent, config, silence, stop }
    }

    /// The same with connections of its own, which stop when `stop` says so.
    pub(super) fn stopped_by(&self, stop: Stop) -> Self {
        Self::with(self.config.clone(), self.silence, stop)
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Asks for what is at `url`, and reads no further than the head of the answer.
    pub(super) fn open(&self, url: &str, headers: &[(&str, &str)]) -> Result<Incoming, Error> {
        let request = Request { method: Method::Get, url, headers, body_max_bytes: 0 };
        self.ask(request, None)
    }

    fn ask(&self, request: Request<'_>, in_all: Option<Duration>) -> Result<Incoming, Error> {
        let Request { method, url, headers, .. } = request;
        if !url.starts_with("https://") {
            let reason = "only https is allowed".into();
            return Err(Error::Url { url: fault::shown(url), reason });
        }
        let (verb, body) = match method {
            Method::Get => (Verb::GET, None),
            Method::Post(body) => (Verb::POST, Some(body)),
            Method::Put(body) => (Verb::PUT, Some(body)),
        };
        let mut asked = Asked::builder().method(verb).uri(url);
        for (name, value) in headers {
            asked = asked.header(*name, *value);
        }
        let failed = |error| fault::of(error, url);
        let answered = match body {
            None => asked.body(()).map_err(Into::into).and_then(|asked| self.run(asked, in_all)),
            Some(body) => {
                asked.body(body).map_err(Into::into).and_then(|asked| self.run(asked, in_all))
            }
        };
        Ok(Incoming::new(answered.map_err(failed)?, url))
    }

    fn run<B: ureq::AsSendBody>(
        &self,
        asked: Asked<B>,
        in_all: Option<Duration>,
    ) -> Result<Response<Body>, ureq::Error> {
        let asked = self.agent.configure_request(asked).timeout_global(in_all).build();
        self.agent.run(asked)
    }
}

fn limits(silence: Duration) -> ureq::config::Config {
    Agent::config_builder()
        .https_only(true)
        .http_status_as_error(false)
        .max_redirects(REDIRECTS_MAX)
        .max_redirects_will_error(true)
        .max_response_header_size(HEAD_BYTES_MAX)
        .input_buffer_size(INPUT_BYTES)
        .output_buffer_size(OUTPUT_BYTES)
        .max_idle_connections(2)
        .user_agent(concat!("twinslot/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .timeout_resolve(Some(silence))
        .timeout_connect(Some(silence))
        .timeout_recv_response(Some(silence))
        .timeout_per_read(Some(silence))
        .timeout_per_write(Some(silence))
        .build()
}

impl Incoming {
    fn new(answer: Response<Body>, url: &str) -> Self {
        let (parts, body) = answer.into_parts();
        Self {
            status: parts.status.as_u16(),
            head: parts.headers,
            length: body.content_length(),
            body: body.into_reader(),
            url: url.to_owned(),
        }
    }

    /// A header, where there is one and it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name).and_then(|value| value.to_str().ok())
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        pause(self.header("retry-after")?, now.as_secs())
    }

    /// The next bytes of the body; none where it ends, or the connection does.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        match self.body.read(into) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read.map_err(|error| fault::of_io(error, &self.url)),
        }
    }

    /// The whole body, unless it has more than `max` bytes.
    fn whole(&mut self, max: u64) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        let read = (&mut self.body).take(max.saturating_add(1)).read_to_end(&mut body);
        read.map_err(|error| fault::of_io(error, &self.url))?;
        if u64::try_from(body.len()).unwrap_or(u64::MAX) > max {
            let reason = format!("more than {max} bytes");
            return Err(Error::Malformed { host: self.host(), reason });
        }
        Ok(body)
    }

    /// Who answers, for messages.
    pub(super) fn host(&self) -> String {
        fault::host(&self.url)
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.
fn pause(value: &str, now_s: u64) -> Option<Duration> {
    let seconds = value.trim().parse().ok();
    let seconds = seconds.or_else(|| date::parse(value).map(|at| at.saturating_sub(now_s)));
    seconds.map(Duration::from_secs)
}

impl Exchange for Client {
    fn send(&self, request: Request<'_>) -> Result<Answer, Error> {
        // A server that drips is not silent: the whole has its limit, too.
        let mut incoming = self.ask(request, Some(self.silence * 4))?;
        let retry_after = incoming.retry_after();
        let body = incoming.whole(request.body_max_bytes)?;
        Ok(Answer { status: incoming.status, retry_after, body })
    }
}

#[cfg(test)]
mod tests;

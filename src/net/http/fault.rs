//! What ureq and rustls report, as this program's own errors. Never decides whether to try again.

use std::io;

use ureq::Error as E;

use super::Stopped;
use crate::net::exchange::Error;
use crate::net::tls;

/// The error of a request to `url`.
pub(super) fn of(error: E, url: &str) -> Error {
    let host = host(url);
    let unreachable = |reason: String| Error::Unreachable { host: host.clone(), reason };
    match error {
        E::Io(error) => of_io(error, url),
        E::Timeout(reason) => unreachable(format!("no answer in time ({reason})")),
        E::HostNotFound => unreachable("no such host".into()),
        E::ConnectionFailed => unreachable("no connection".into()),
        E::ConnectProxyFailed(reason) => {
            unreachable(format!("the proxy did not connect: {reason}"))
        }
        E::InvalidProxyUrl => unreachable("the proxy's URL is none".into()),
        E::Tls(reason) => Error::Tls { host, reason: reason.into() },
        E::TlsRequired => Error::Tls { host, reason: "the connection has no TLS".into() },
        E::BadUri(reason) => Error::Url { url: shown(url), reason },
        E::Http(error) => Error::Url { url: shown(url), reason: error.to_string() },
        E::RequireHttpsOnly(found) => {
            Error::Url { url: shown(&found), reason: "only https is allowed".into() }
        }
        E::TooManyRedirects => Error::Malformed { host, reason: "too many redirects".into() },
        other => Error::Malformed { host, reason: other.to_string() },
    }
}

/// The error of a connection, or of reading from it.
pub(super) fn of_io(error: io::Error, url: &str) -> Error {
    let host = host(url);
    if let Some(inner) = error.get_ref() {
        if inner.is::<Stopped>() {
            return Error::Interrupted;
        }
        if let Some(fault) = inner.downcast_ref::<rustls::Error>() {
            return Error::Tls { host, reason: tls::told(fault) };
        }
        if inner.is::<E>() {
            return of(E::from(error), url);
        }
    }
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the connection ended early".into(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no answer in time".into(),
        _ => {
            let told = error.to_string();
            told.split(" (os error").next().unwrap_or_default().to_owned()
        }
    };
    Error::Unreachable { host, reason }
}

/// The host and port of a URL; never a user's name or password.
pub(super) fn host(url: &str) -> String {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_owned()
}

/// A URL for a message: without what may be secret in it.
pub(super) fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match (plain.split_once("://"), plain.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, after))) => format!("{scheme}://{after}"),
        _ => plain.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_host_and_no_secret() {
        assert_eq!(host("https://user:pass@h.example:8443/a?b@c"), "h.example:8443");
        assert_eq!(host("https://[::1]:1/"), "[::1]:1");
        assert_eq!(shown("https://user:pass@h/a?sig=1"), "https://h/a");
        assert_eq!(shown("https://h/a#b"), "https://h/a");
        assert_eq!(shown("nothing"), "nothing");
    }
}

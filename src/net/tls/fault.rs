//! What went wrong in a handshake, for a person. Never decides that something did.

use rustls::{CertificateError, Error};

use super::server;
use crate::calendar::Moment;

/// A clock before 2026 is wrong, in seconds since 1970.
const NOW_MIN_S: u64 = 1_767_225_600;

/// In words that say what to do.
pub(in crate::net) fn told(error: &Error) -> String {
    use CertificateError as C;
    match error {
        error if server::is_authority(error) => {
            "its certificate is an authority's: wanted in ServerCertificate".into()
        }
        Error::InvalidCertificate(certificate) => match certificate {
            C::ExpiredContext { time, not_after } => {
                dated(format_args!("has expired on {}", Moment(not_after.as_secs()).day()), time)
            }
            C::NotValidYetContext { time, not_before } => {
                let begin = Moment(not_before.as_secs()).day();
                dated(format_args!("is not valid before {begin}"), time)
            }
            C::Expired => "its certificate has expired".into(),
            C::NotValidYet => "its certificate is not valid yet".into(),
            C::UnknownIssuer => "its certificate leads to no authority that is trusted".into(),
            other => format!("its certificate is refused: {other}"),
        },
        Error::AlertReceived(alert) => format!("it broke the handshake off: {alert:?}"),
        other => other.to_string(),
    }
}

/// A clock that cannot be right is the likelier reason.
fn dated(what: std::fmt::Arguments<'_>, now: &rustls::pki_types::UnixTime) -> String {
    let now = now.as_secs();
    let today = Moment(now).day();
    if now < NOW_MIN_S {
        format!("its certificate {what}, but this system's clock is wrong: it says {today}")
    } else {
        format!("its certificate {what}, and today is {today}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::pki_types::UnixTime;

    use super::*;

    #[test]
    fn a_clock_that_is_plainly_wrong_is_named() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let early = |time| {
            let not_before = at(NOW_MIN_S + 86_400);
            told(&CertificateError::NotValidYetContext { time: at(time), not_before }.into())
        };
        let begin = "its certificate is not valid before 2026-01-02, ";
        let wrong = "but this system's clock is wrong: it says 1970-01-01";
        assert_eq!(early(5), format!("{begin}{wrong}"));
        assert_eq!(early(NOW_MIN_S), format!("{begin}and today is 2026-01-01"));
    }
}

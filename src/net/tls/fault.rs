//! What went wrong in a handshake, for a person. Never decides that something did.

use rustls::{CertificateError, Error};

use crate::net::date;

/// A clock before 2026 is wrong, in seconds since 1970.
const NOW_MIN_S: u64 = 1_767_225_600;

/// In words that say what to do.
pub(in crate::net) fn told(error: &Error) -> String {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(certificate) => match certificate {
            C::ExpiredContext { time, not_after } => {
                dated(format_args!("has expired on {}", date::day(not_after.as_secs())), time)
            }
            C::NotValidYetContext { time, not_before } => {
                let begin = date::day(not_before.as_secs());
                dated(format_args!("is not valid before {begin}"), time)
            }
            C::UnknownIssuer => "its certificate leads to no authority that is trusted".into(),
            other => format!("its certificate is refused: {other}"),
        },
        Error::AlertReceived(alert) => format!("it broke the handshake off: {alert:?}"),
        other => other.to_string(),
    }
}

fn dated(what: std::fmt::Arguments<'_>, now: &rustls::pki_types::UnixTime) -> String {
    let now = now.as_secs();
    let today = date::day(now);
    if now < NOW_MIN_S {
        format!("its certificate {what}, but this system's clock is wrong: it says {today}")
    } else {
        format!("its certificate {what}, and today is {today}")
    }
}

//! The control socket's protocol: one JSON object a line, in both directions. What an app or its
//! middleware asks, and the shape of the answers. Never does what is asked.

use twinslot::json;

use crate::events;
use crate::failure::{Exit, Failure};
use crate::object::Object;

pub(crate) mod socket;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Status,
    Check,
    Install(Wanted),
    Progress,
    Cancel,
    Why,
    Commit,
    Rollback,
}

/// What is to be installed, and what its owner takes into the bargain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Where the artifact is; none is what the server offers.
    pub(crate) url: Option<String>,
    /// Reboot into it when it is armed.
    pub(crate) reboot: bool,
    /// Also a version that failed here before.
    pub(crate) retry: bool,
    /// Also one that is older than what runs.
    pub(crate) downgrade: bool,
}

impl Request {
    /// # Errors
    /// The line is no JSON object, or asks what nobody knows.
    pub(crate) fn parse(line: &[u8]) -> Result<Self, Failure> {
        let object = json::parse(line).map_err(|error| usage(format!("no JSON: {error}")))?;
        let object = object.to_object().ok_or_else(|| usage("wanted a JSON object"))?;
        let word = object.get("do").and_then(json::Value::to_text);
        let word = word.ok_or_else(|| usage(format!("no \"do\": wanted one of {WORDS}")))?;
        Ok(match word.to_string().as_str() {
            "status" => Self::Status,
            "check" => Self::Check,
            "install" => Self::Install(Wanted::parse(object)?),
            "progress" => Self::Progress,
            "cancel" => Self::Cancel,
            "why" => Self::Why,
            "commit" => Self::Commit,
            "rollback" => Self::Rollback,
            _ => return Err(usage(format!("cannot do {word}: wanted one of {WORDS}"))),
        })
    }
}

const WORDS: &str = "status, check, install, progress, cancel, why, commit, rollback";

impl Wanted {
    fn parse(object: json::Object<'_>) -> Result<Self, Failure> {
        let flag = |key| match object.get(key) {
            None => Ok(false),
            Some(value) => {
                value.to_bool().ok_or_else(|| usage(format!("{key}: wanted true or false")))
            }
        };
        let url = match object.get("url") {
            None => None,
            Some(url) => {
                Some(url.to_text().ok_or_else(|| usage("url: wanted a string"))?.to_string())
            }
        };
        Ok(Self {
            url,
            reboot: flag("reboot")?,
            retry: flag("retry")?,
            downgrade: flag("downgrade")?,
        })
    }
}

fn usage(message: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, "usage", message)
}

/// What a client is answered.
pub(crate) type Answer = Result<Object, Failure>;

/// The line of an answer.
pub(crate) fn line(answer: &Answer) -> String {
    match answer {
        Ok(fields) => Object::default().raw("ok", true).and(fields).to_string(),
        Err(failure) => {
            Object::default().raw("ok", false).raw("error", events::error(failure)).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        Request::parse(line.as_bytes()).map_err(|failure| failure.message)
    }

    #[test]
    fn a_line_says_what_to_do_and_what_belongs_to_it() {
        assert_eq!(parsed(r#"{"do":"status"}"#), Ok(Request::Status));
        assert_eq!(parsed(r#"{"do":"install"}"#), Ok(Request::Install(Wanted::default())));
        let wanted =
            Wanted { url: Some("https://x/a".into()), reboot: true, retry: false, downgrade: true };
        let line = r#"{"do":"install","url":"https:\/\/x\/a","reboot":true,"downgrade":true}"#;
        assert_eq!(parsed(line), Ok(Request::Install(wanted)));
    }

    #[test]
    fn a_line_that_nobody_understands_is_told_why() {
        let said = |line: &str| parsed(line).unwrap_err();
        assert!(said("status").starts_with("no JSON: "));
        assert_eq!(said("[]"), "wanted a JSON object");
        assert!(said("{}").starts_with("no \"do\": wanted one of status, check"));
        assert!(said(r#"{"do":"reboot"}"#).starts_with("cannot do reboot: wanted one of"));
        assert_eq!(said(r#"{"do":"install","reboot":1}"#), "reboot: wanted true or false");
        assert_eq!(said(r#"{"do":"install","url":1}"#), "url: wanted a string");
    }

    #[test]
    fn an_answer_says_first_whether_it_is_one() {
        let done = line(&Ok(Object::default().raw("n", 1)));
        assert_eq!(done, r#"{"ok":true,"n":1}"#);
        assert_eq!(line(&Ok(Object::default())), r#"{"ok":true}"#);
        let failed = line(&Err(usage("x")));
        assert_eq!(failed, r#"{"ok":false,"error":{"code":"usage","message":"x"}}"#);
    }
}

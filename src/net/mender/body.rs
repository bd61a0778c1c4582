//! What Mender's server is sent: JSON as its device API wants it (mender-server
//! backend/docs/api/*/devices_v1.yaml), within its bounds. Sends nothing.

use twinslot::json::Escaped;

use crate::calendar::Moment;
use crate::object::{Object, array};

use super::super::server::{Attributes, LogLine, Stage};

/// The longest substate, in characters.
const SUBSTATE_CHARS: usize = 200;

/// A log has fewer bytes: the server takes 1 MiB, Mender's own client sends a million.
const LOG_BYTES: usize = 1_000_000;

/// The longest message of a log line, in characters.
const MESSAGE_CHARS: usize = 8192;

/// What may be added to a deployment's log line that is JSON, in bytes: a comma.
const COMMA_BYTES: usize = 1;

/// `{"device_provides": ...}`; of a name that is repeated, the first value counts.
pub(super) fn provides(provides: &Attributes) -> String {
    let mut object = Object::default();
    for (index, (name, value)) in provides.iter().enumerate() {
        if provides[..index].iter().all(|(earlier, _)| earlier != name) {
            object = object.text(name, value);
        }
    }
    Object::default().raw("device_provides", object).to_string()
}

/// How far a deployment is.
pub(super) fn status(stage: Stage, substate: &str) -> String {
    let substate: String = substate.chars().take(SUBSTATE_CHARS).collect();
    let object = Object::default().text("status", word(stage));
    if substate.is_empty() {
        object.to_string()
    } else {
        object.text("substate", substate).to_string()
    }
}

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Downloading => "downloading",
        Stage::Installing => "installing",
        Stage::Rebooting => "rebooting",
        Stage::Success => "success",
        Stage::Failure => "failure",
        Stage::AlreadyInstalled => "already-installed",
    }
}

/// The newest of `lines` that fit; none if there is nothing to tell.
pub(super) fn log(lines: &[LogLine]) -> Option<String> {
    let mut kept = Vec::new();
    let mut bytes = r#"{"messages":[]}"#.len();
    for line in lines.iter().rev().filter(|line| !line.message.is_empty()) {
        let line = message(line).to_string();
        bytes += line.len() + COMMA_BYTES;
        if bytes >= LOG_BYTES {
            break;
        }
        kept.push(line);
    }
    kept.reverse();
    let body = || Object::default().raw("messages", array(&kept)).to_string();
    (!kept.is_empty()).then(body)
}

fn message(line: &LogLine) -> Object {
    let message: String = line.message.chars().take(MESSAGE_CHARS).collect();
    Object::default()
        .text("timestamp", Moment(line.at_s).rfc3339())
        .text("level", line.level)
        .text("message", message)
}

/// `[{"name": ..., "value": ...}]`; a name that is repeated has a list of values.
pub(super) fn inventory(attributes: &Attributes) -> String {
    let mut objects: Vec<Object> = Vec::new();
    for (index, (name, value)) in attributes.iter().enumerate() {
        if attributes[..index].iter().any(|(earlier, _)| earlier == name) {
            continue;
        }
        let object = Object::default().text("name", name);
        let same = attributes[index..].iter().filter(|(other, _)| other == name);
        let values: Vec<_> = same.map(|(_, value)| Escaped(value)).collect();
        objects.push(match values.len() {
            1 => object.text("value", value),
            _ => object.raw("value", array(values)),
        });
    }
    array(objects)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Attributes {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn provides_are_a_flat_object_with_each_name_once() {
        let body = provides(&pairs(&[
            ("device_type", "x"),
            ("artifact_name", "a\"b"),
            ("device_type", "y"),
        ]));
        assert_eq!(body, r#"{"device_provides":{"device_type":"x","artifact_name":"a\"b"}}"#);
    }

    #[test]
    fn a_stage_has_the_servers_word_and_a_substate_of_up_to_200_characters() {
        assert_eq!(status(Stage::AlreadyInstalled, ""), r#"{"status":"already-installed"}"#);
        let long = status(Stage::Failure, &"ä".repeat(201));
        assert_eq!(long, format!(r#"{{"status":"failure","substate":"{}"}}"#, "ä".repeat(200)));
    }

    fn line(at_s: u64, message: String) -> LogLine {
        LogLine { at_s, level: "info", message }
    }

    #[test]
    fn a_log_has_the_three_fields_that_the_server_wants() {
        let body = log(&[line(1_795_487_400, "began".into()), line(0, String::new())]);
        let said = concat!(
            r#"{"messages":[{"timestamp":"2026-11-24T02:30:00Z","#,
            r#""level":"info","message":"began"}]}"#,
        );
        assert_eq!(body.as_deref(), Some(said));
        assert_eq!(log(&[]), None);
        assert_eq!(log(&[line(0, String::new())]), None);
    }

    #[test]
    fn of_a_log_that_is_too_long_the_newest_lines_are_sent() {
        let lines: Vec<_> =
            (0..2000).map(|at| line(at, format!("{at} {}", "x".repeat(999)))).collect();
        let body = log(&lines).unwrap();
        assert!(body.len() < LOG_BYTES && body.len() > LOG_BYTES - 2000, "{}", body.len());
        assert!(body.contains(r#""message":"1999 x"#) && !body.contains(r#""message":"1 x"#));
        assert!(twinslot::json::parse(body.as_bytes()).is_ok());
        let one = log(&[line(0, "\u{1}".repeat(2_000_000))]).unwrap();
        assert!(one.len() < LOG_BYTES, "{}", one.len());
    }

    #[test]
    fn an_attribute_that_is_repeated_has_a_list_of_values() {
        let body = inventory(&pairs(&[("a", "1"), ("b", "x"), ("a", "2")]));
        assert_eq!(body, r#"[{"name":"a","value":["1","2"]},{"name":"b","value":"x"}]"#);
        assert_eq!(inventory(&Vec::new()), "[]");
    }
}

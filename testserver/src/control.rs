//! The server's handle as lines of JSON, for those who run it as a program: one object in, one
//! out. Never knows more than the handle does.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::{Admission, Deployment, Edition, Fault, Record, Server, When};

/// Does what a line says: an object with one key, the command.
///
/// `{"serve":{"path":P,"file":F}}` ·
/// `{"deploy":{"id":I,"artifact_name":N,"uri":U,"device_types":[T]}}` · `{"abort":{}}` ·
/// `{"fault":{"path":P,"kind":K,"only":1,"at":N}}`, with a kind such as `reset` or `other-tag`, and
/// its own fields; `only`, `up-to` or `from` name requests · `{"heal":{"path":P}}` ·
/// `{"admit":"accept"|"pend"|"reject"}` · `{"edition":"open-source"|"enterprise"}` ·
/// `{"tenant":T}` · `{"expire-tokens":{}}` · `{"record":{}}`, which is answered with the record.
///
/// # Errors
/// What is wrong with the line.
pub fn obey(server: &Server, line: &str) -> Result<Value, String> {
    let line: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let commands = line.as_object().filter(|object| object.len() == 1);
    let (command, with) = commands.and_then(|object| object.iter().next()).ok_or("no command")?;
    match command.as_str() {
        "serve" => server.serve(text(with, "path")?, PathBuf::from(text(with, "file")?)),
        "deploy" => server.deploy(deployment(with)?),
        "abort" => server.abort(),
        "fault" => server.fault(text(with, "path")?, when(with), fault(with)?),
        "heal" => server.heal(text(with, "path")?),
        "admit" => server.admit(admission(with)?),
        "edition" => server.edition(edition(with)?),
        "tenant" => server.require_tenant(with.as_str().ok_or("no token")?),
        "expire-tokens" => server.expire_tokens(),
        "record" => return Ok(record(&server.record())),
        _ => return Err(format!("{command}: no such command")),
    }
    Ok(json!({}))
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, String> {
    value[name].as_str().ok_or_else(|| format!("{name}: not there, or no text"))
}

fn number(value: &Value, name: &str) -> Result<u64, String> {
    value[name].as_u64().ok_or_else(|| format!("{name}: not there, or no number"))
}

fn deployment(with: &Value) -> Result<Deployment, String> {
    let types = with["device_types"].as_array().ok_or("device_types: not there, or no list")?;
    Ok(Deployment {
        id: text(with, "id")?.to_owned(),
        artifact_name: text(with, "artifact_name")?.to_owned(),
        uri: text(with, "uri")?.to_owned(),
        device_types: types.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

fn admission(with: &Value) -> Result<Admission, String> {
    match with.as_str() {
        Some("accept") => Ok(Admission::Accept),
        Some("pend") => Ok(Admission::Pend),
        Some("reject") => Ok(Admission::Reject),
        _ => Err("admit: accept, pend or reject".to_owned()),
    }
}

fn edition(with: &Value) -> Result<Edition, String> {
    match with.as_str() {
        Some("open-source") => Ok(Edition::OpenSource),
        Some("enterprise") => Ok(Edition::Enterprise),
        _ => Err("edition: open-source or enterprise".to_owned()),
    }
}

fn when(with: &Value) -> When {
    let named = |name: &str| with[name].as_u64();
    let only = named("only").map(When::Only);
    only.or(named("up-to").map(When::UpTo))
        .or(named("from").map(When::From))
        .unwrap_or(When::Always)
}

fn fault(with: &Value) -> Result<Fault, String> {
    let at = || number(with, "at");
    let by = || number(with, "by");
    Ok(match text(with, "kind")? {
        "stall" => Fault::Stall { at: at()? },
        "reset" => Fault::Reset { at: at()? },
        "truncate" => Fault::Truncate { at: at()? },
        "drop" => Fault::Drop { at: at()? },
        "wrong-length" => Fault::WrongLength { by: with["by"].as_i64().ok_or("by: no number")? },
        "shifted-range" => Fault::ShiftedRange { by: by()? },
        "other-total" => Fault::OtherTotal { by: by()? },
        "ignore-range" => Fault::IgnoreRange,
        "redirect-loop" => Fault::RedirectLoop,
        "redirect" => Fault::Redirect { to: text(with, "to")?.to_owned() },
        "status" => status(with)?,
        "drip" => drip(with)?,
        "endless" => Fault::Endless,
        "long-headers" => Fault::LongHeaders,
        "garbage" => Fault::Garbage,
        "other-tag" => Fault::OtherTag,
        "other-content" => Fault::OtherContent,
        "mixed-content" => Fault::MixedContent,
        "chunked" => Fault::Chunked,
        kind => return Err(format!("{kind}: no such fault")),
    })
}

fn status(with: &Value) -> Result<Fault, String> {
    let status = u16::try_from(number(with, "status")?).map_err(|error| error.to_string())?;
    Ok(Fault::Status { status, retry_after: with["retry-after"].as_str().map(str::to_owned) })
}

fn drip(with: &Value) -> Result<Fault, String> {
    let bytes = usize::try_from(number(with, "bytes")?).map_err(|error| error.to_string())?;
    Ok(Fault::Drip { bytes, every_ms: number(with, "every-ms")? })
}

fn record(record: &Record) -> Value {
    let requests = record.requests.iter().map(|seen| {
        json!({
            "method": seen.method, "path": seen.path, "query": seen.query,
            "status": seen.status, "start": seen.start, "sent": seen.sent,
        })
    });
    let reports = record.reports.iter().map(|report| {
        json!({
            "deployment": report.deployment, "status": report.status, "substate": report.substate,
        })
    });
    let uploads = record.uploads.iter().map(|upload| {
        let lines = upload.messages.iter().map(|line| {
            json!({ "timestamp": line.timestamp, "level": line.level, "message": line.message })
        });
        json!({ "deployment": upload.deployment, "messages": lines.collect::<Value>() })
    });
    json!({
        "requests": requests.collect::<Value>(),
        "devices": record.devices.iter().map(|one| one.identity.clone()).collect::<Value>(),
        "reports": reports.collect::<Value>(),
        "uploads": uploads.collect::<Value>(),
        "inventory": record.inventory,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_obeyed_or_answered_with_what_is_wrong_with_it() {
        let server = Server::start().unwrap();
        let obeyed = |line: &str| obey(&server, line);
        assert_eq!(obeyed(r#"{"fault":{"path":"/a","kind":"reset","at":5}}"#), Ok(json!({})));
        assert_eq!(
            obeyed(r#"{"fault":{"path":"/a","kind":"reset"}}"#).unwrap_err(),
            "at: not there, or no number"
        );
        assert_eq!(obeyed(r#"{"fly":{}}"#).unwrap_err(), "fly: no such command");
        assert_eq!(obeyed(r#"{"record":{}}"#).unwrap()["requests"], json!([]));
    }
}

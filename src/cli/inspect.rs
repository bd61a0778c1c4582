//! `inspect`: what an artifact says of itself, verified.

use std::ffi::OsStr;
use std::fmt::{Display, Write as _};

use twinslot::artifact::header::{Header, PassOver};
use twinslot::artifact::{Opened, Room, open};
use twinslot::json::Escaped;
use twinslot::stream::digest::Digest;

use super::Report;
use super::args::Common;
use super::input::Input;
use crate::decode::HeapDecoders;
use crate::failure::Failure;
use crate::object::{Object, array};
use crate::{session, trust};

/// Verifies the artifact at `source` and describes it.
pub(crate) fn run(source: &OsStr, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common.config.as_deref())?;
    let keys = trust::keys(&config)?;
    let buffers = session::buffers()?;
    let mut decoders = HeapDecoders { memory_max: config.memory_max_bytes };
    let room =
        Room { scratch: &mut buffers.held.0, texts: &mut buffers.header, scripts: &mut PassOver };
    let input = Input::open(source, &config)?;
    let told = input.told();
    let opened = open(input, &keys, room, &mut decoders);
    Ok(describe(&opened.map_err(|error| told.reason(error.into()))?))
}

fn describe<R>(opened: &Opened<'_, R>) -> Report {
    let header = opened.header();
    let key = Digest(*opened.manifest().key()).to_string();
    let payload = opened.manifest().payload();
    let payload = payload.map(|(name, digest)| (name.to_string(), digest.to_string()));
    let fields = Object::default()
        .text("artifact_name", header.artifact_name())
        .text_or_null("artifact_group", header.artifact_group())
        .text("key", &key)
        .raw("device_types", array(header.device_types().map(Escaped)))
        .raw("depends", depends(&header))
        .raw("provides", provides(&header))
        .raw(
            "payload",
            payload.as_ref().map_or("null".to_owned(), |(name, digest)| {
                Object::default().text("name", name).text("sha256", digest).to_string()
            }),
        )
        .raw("scripts", header.scripts());
    let fields = match header.clears() {
        Some(clears) => fields.raw("clears", array(clears.map(Escaped))),
        None => fields.raw("clears", "null"),
    };
    Report::done(text(&header, &key, payload.as_ref()), fields)
}

fn text(header: &Header<'_>, key: &str, payload: Option<&(String, String)>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn Display| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name:<13} {value}");
    };
    line("artifact", &header.artifact_name());
    line("signed by", &key);
    match payload {
        Some((name, digest)) => line("payload", &format_args!("{name} sha256:{digest}")),
        None => line("payload", &"none"),
    }
    if let Some(group) = header.artifact_group() {
        line("group", &group);
    }
    for (key, values) in header.depends() {
        let values: Vec<String> = values.map(|value| value.to_string()).collect();
        line("depends", &format_args!("{key} = {}", values.join(" | ")));
    }
    for (key, value) in header.provides() {
        line("provides", &format_args!("{key} = {value}"));
    }
    for pattern in header.clears().into_iter().flatten() {
        line("clears", &pattern);
    }
    if header.scripts() > 0 {
        line("scripts", &header.scripts());
    }
    text
}

fn depends(header: &Header<'_>) -> Object {
    header.depends().fold(Object::default(), |object, (key, values)| {
        object.raw(&key.to_string(), array(values.map(Escaped)))
    })
}

fn provides(header: &Header<'_>) -> Object {
    header
        .provides()
        .fold(Object::default(), |object, (key, value)| object.text(&key.to_string(), value))
}

//! `inspect`: what an artifact says of itself, verified; and what `install` needs to open one.

use std::ffi::OsStr;
use std::fmt::{Display, Write as _};
use std::path::Path;

use twinslot::artifact::header::Header;
use twinslot::artifact::key::PublicKey;
use twinslot::artifact::trust::Keys;
use twinslot::artifact::{Opened, Room, open};
use twinslot::json::Escaped;
use twinslot::memory::Buffers;
use twinslot::stream::digest::Digest;

use super::args::Common;
use super::exit::{Exit, Failure};
use super::input::Input;
use super::object::{Object, array};
use super::{Report, session};
use crate::config::Config;
use crate::decode::HeapDecoders;
use crate::sys::{pool, store};

/// The longest PEM file, in bytes.
const KEY_BYTES: u64 = 16 << 10;

/// The keys that may sign an artifact for this device.
///
/// # Errors
/// None is configured, or one cannot be read.
pub(crate) fn keys(config: &Config) -> Result<Keys, Failure> {
    let mut keys: Option<Keys> = None;
    for path in &config.verify_keys {
        let key = key(path)?;
        match &mut keys {
            None => keys = Some(Keys::new(key)),
            Some(keys) => keys.add(key).map_err(|error| unusable(path, &error))?,
        }
    }
    keys.ok_or_else(|| {
        let message = "the configuration has no ArtifactVerifyKey: nothing could be trusted";
        Failure::new(Exit::Usage, "no-verify-key", message)
    })
}

fn key(path: &Path) -> Result<PublicKey, Failure> {
    let pem = store::read_bounded(path, KEY_BYTES).map_err(|error| unusable(path, &error))?;
    let pem = pem.ok_or_else(|| unusable(path, &"no such file"))?;
    PublicKey::from_pem(&pem).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, "verify-key", format!("{}: {error}", path.display()))
}

/// The pool, which nobody else has claimed yet.
pub(crate) fn buffers() -> Result<&'static mut Buffers, Failure> {
    pool::claim().ok_or_else(|| Failure::new(Exit::Failed, "internal", "buffers claimed twice"))
}

/// Verifies the artifact at `source` and describes it.
pub(crate) fn run(source: &OsStr, common: &Common) -> Result<Report, Failure> {
    let config = session::configuration(common)?;
    let keys = keys(&config)?;
    let buffers = buffers()?;
    let mut decoders = HeapDecoders { memory_max: config.memory_max_bytes };
    let room = Room { scratch: &mut buffers.held.0, texts: &mut buffers.header };
    let opened = open(Input::open(source)?, &keys, room, &mut decoders)?;
    Ok(describe(&opened))
}

fn describe<R>(opened: &Opened<'_, R>) -> Report {
    let header = opened.header();
    let key = hex(opened.manifest().key());
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
        line("scripts", &format_args!("{} (not run)", header.scripts()));
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

/// A key's id as people compare it.
pub(crate) fn hex(id: &[u8; 32]) -> String {
    Digest(*id).to_string()
}

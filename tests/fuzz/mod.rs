//! Bodies of the fuzz targets: each takes any bytes, and panics where a promise is broken. The
//! corpora are replayed by `tests/corpus.rs`, and grow by `cargo xtask fuzz`.

#![allow(dead_code, unreachable_pub, clippy::missing_panics_doc)]

mod answers;
mod archive;
mod decoder;
mod environment;
mod key;
mod settings;
mod text;
mod update;

#[path = "../../src"]
mod shell {
    pub(crate) mod config;
    pub(crate) mod decode;
}

#[path = "../../src/net"]
mod net {
    pub(crate) mod address;
    pub(crate) mod exchange;
    pub(crate) mod fields;
    pub(crate) mod server;

    pub(crate) mod channel {
        pub(crate) mod file;
    }

    pub(crate) mod mender {
        pub(crate) mod deployment;
    }
}

/// What a person is told: one line, not empty, and nothing that a terminal takes for a command.
fn said(what: impl std::fmt::Display) {
    let text = what.to_string();
    assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
}

/// A target's name, and what is done with its bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them; each has a directory below `tests/data/corpus`.
pub const TARGETS: &[Target] = &[
    ("artifact", archive::artifact),
    ("channel", answers::channel),
    ("configuration", settings::configuration),
    ("decoder", decoder::decode),
    ("deployment", answers::deployment),
    ("environment", environment::copies),
    ("fw_env_config", settings::fw_env_config),
    ("header", archive::header),
    ("header_texts", archive::header_texts),
    ("journal", text::journal),
    ("json", text::json),
    ("key", key::key_and_signature),
    ("manifest", archive::manifest),
    ("provides", text::provides),
    ("tar", archive::tar),
    ("update", update::operations),
];

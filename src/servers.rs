//! The configured servers, connected: Mender's device API, or channel files on plain web servers.
//! Puts configuration, identity, keys and network together; asks nobody anything.

use twinslot::artifact::compat::DEVICE_TYPE;
use twinslot::artifact::key::Signature;
use twinslot::artifact::trust::Keys;
use twinslot::provides::{ARTIFACT_NAME, Provides};

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::net::channel::{Channel, Voucher};
use crate::net::http::Stop;
use crate::net::is_file;
use crate::net::mender::Mender;
use crate::net::server::{Attributes, Server};
use crate::{identity, installer, session, trust};

/// What a system is called that does not know its name, as Mender's client has it.
const UNNAMED: &str = "unknown";

/// The servers that are configured; `stop` ends whatever they are asked.
///
/// # Errors
/// None is configured, or something that it needs cannot be used.
pub(crate) fn connect(config: &Config, stop: Stop) -> Result<Box<dyn Server + Send>, Failure> {
    let urls = &config.server.urls;
    let kind = Kind::of(urls)?;
    let client = session::client(config, stop)?;
    Ok(match kind {
        Kind::Mender => Box::new(Mender::new(client, identity::identity(config)?, urls)),
        Kind::Channel => Box::new(Channel::new(client, Enrolled::of(config), urls)),
    })
}

/// How servers are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mender,
    Channel,
}

impl Kind {
    fn of(urls: &[String]) -> Result<Self, Failure> {
        let files = urls.iter().filter(|url| is_file(url)).count();
        match (files, urls.len()) {
            (_, 0) => {
                let message = "the configuration has no ServerURL: there is nobody to ask";
                Err(Failure::new(Exit::Usage, "no-server", message))
            }
            (0, _) => Ok(Self::Mender),
            (files, all) if files == all => Ok(Self::Channel),
            _ => {
                let message = "Servers: wanted channel files (.json) only, or none among them";
                Err(Failure::new(Exit::Usage, "configuration", message))
            }
        }
    }
}

/// What this device provides, as servers are told: its type, its artifact's name, and the rest.
///
/// # Errors
/// The device type is unknown.
pub(crate) fn provides(config: &Config, running: &Provides) -> Result<Attributes, Failure> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let device_type = installer::device_type(config)?;
    let name = running.get(ARTIFACT_NAME).unwrap_or(UNNAMED);
    let mut provides = vec![pair(DEVICE_TYPE, &device_type), pair(ARTIFACT_NAME, name)];
    let rest = running.iter().filter(|(name, _)| *name != ARTIFACT_NAME);
    provides.extend(rest.map(|(name, value)| pair(name, value)));
    Ok(provides)
}

/// The owner's keys, or nobody's.
struct Enrolled(Option<Keys>);

impl Enrolled {
    /// Without a key that can be used nothing is vouched for, and nothing could be installed;
    /// that something is offered may still be said.
    fn of(config: &Config) -> Self {
        let keys = trust::keys(config).inspect_err(|failure| log::warn!("{}", failure.message));
        Self(keys.ok())
    }
}

impl Voucher for Enrolled {
    fn vouches(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let mut keys = self.0.iter().flat_map(Keys::iter);
        let signature = Signature::from_base64(signature);
        signature.is_ok_and(|signature| keys.any(|key| key.signed(bytes, &signature).is_ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn urls(urls: &[&str]) -> Vec<String> {
        urls.iter().map(|url| (*url).to_owned()).collect()
    }

    #[test]
    fn servers_are_all_menders_or_all_files() {
        let kind = |list: &[&str]| Kind::of(&urls(list)).map_err(|failure| failure.code);
        assert_eq!(kind(&["https://hosted.mender.io"]), Ok(Kind::Mender));
        assert_eq!(kind(&["https://a/stable.json", "https://b/x.json?t"]), Ok(Kind::Channel));
        assert_eq!(kind(&["https://a", "https://b/x.json"]), Err("configuration"));
        assert_eq!(kind(&[]), Err("no-server"));
    }

    #[test]
    fn servers_are_told_type_name_and_all_that_is_provided() {
        let config = Config { device_type: Some("x".into()), ..Config::default() };
        let mut running = Provides::new();
        running.set("a.version", "1").unwrap();
        let told = |running: &Provides| {
            let pairs = provides(&config, running).unwrap();
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
        };
        assert_eq!(told(&running), ["device_type=x", "artifact_name=unknown", "a.version=1"]);
        running.set(ARTIFACT_NAME, "release-1").unwrap();
        assert_eq!(told(&running), ["device_type=x", "artifact_name=release-1", "a.version=1"]);
    }

    const MANIFEST: &[u8] = include_bytes!("../tests/data/keys/p256.manifest");
    const SIGNATURE: &[u8] = include_bytes!("../tests/data/keys/p256.sig");

    #[test]
    fn an_enrolled_key_vouches_for_what_it_signed_and_for_nothing_else() {
        let enrolled = |key: &str| {
            let verify_keys = vec![PathBuf::from(key)];
            Enrolled::of(&Config { verify_keys, ..Config::default() })
        };
        let owners = enrolled("tests/data/keys/p256.pub");
        assert!(owners.vouches(MANIFEST, SIGNATURE));
        assert!(!owners.vouches(&MANIFEST[1..], SIGNATURE));
        assert!(!owners.vouches(MANIFEST, &SIGNATURE[1..]));
        assert!(!owners.vouches(MANIFEST, b""));
        assert!(!enrolled("tests/data/keys/other.pub").vouches(MANIFEST, SIGNATURE));
        assert!(!enrolled("/no/such/key").vouches(MANIFEST, SIGNATURE));
    }
}

//! The keys that the owner enrolled, read from where the configuration says. Never decides what
//! an artifact without their signature is worth.

use std::path::Path;

use twinslot::artifact::key::PublicKey;
use twinslot::artifact::trust::Keys;

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::sys::store;

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

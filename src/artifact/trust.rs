//! Whether an enrolled key signed this manifest. What leaves here is a [`VerifiedManifest`], and
//! nothing else makes one: no flag, no default, no way around. Never reads a line of a manifest
//! before its signature is verified over the exact bytes.

use heapless::Vec;

use super::key::{PublicKey, Signature, SignatureError};
use super::manifest::{self, Manifest};
use super::tar::Name;
use crate::stream::decode::Coding;
use crate::stream::digest::Digest;

/// How many keys may be enrolled.
pub const KEYS_MAX: usize = 8;

/// The keys an owner enrolled: one at least, each once.
///
/// ```compile_fail,E0423
/// let none = twinslot::artifact::trust::Keys(Default::default());
/// ```
/// ```compile_fail,E0599
/// let none = twinslot::artifact::trust::Keys::default();
/// ```
#[derive(Debug)]
pub struct Keys {
    /// Never empty.
    keys: Vec<PublicKey, KEYS_MAX>,
}

/// Another key than those held does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found more than {KEYS_MAX} different keys")]
pub struct TooManyKeys;

impl Keys {
    /// Trust in one key.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        let mut keys = Vec::new();
        keys.extend([key]);
        Self { keys }
    }

    /// Trust in one key more; one that is held already changes nothing.
    ///
    /// # Errors
    /// [`TooManyKeys`].
    pub fn add(&mut self, key: PublicKey) -> Result<(), TooManyKeys> {
        if self.keys.contains(&key) {
            return Ok(());
        }
        self.keys.push(key).map_err(|_| TooManyKeys)
    }

    /// The keys, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter()
    }
}

/// Why nothing is trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature.
    #[error("the artifact is not signed, expected manifest.sig")]
    Missing,
    /// A signature that no key could have made.
    #[error("malformed signature: {0}")]
    Malformed(SignatureError),
    /// None of the enrolled keys made it over this manifest.
    #[error("none of the {keys} enrolled keys signed this manifest")]
    Unknown {
        /// How many keys were tried.
        keys: usize,
    },
    /// Signed, and yet no manifest.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
}

/// A manifest that an enrolled key signed.
///
/// ```compile_fail,E0451
/// use twinslot::artifact::trust::VerifiedManifest;
/// fn forge(manifest: VerifiedManifest) -> VerifiedManifest {
///     VerifiedManifest { key: [0; 32], ..manifest }
/// }
/// ```
/// ```compile_fail,E0616
/// fn bend(manifest: &mut twinslot::artifact::trust::VerifiedManifest) {
///     manifest.key = [0; 32];
/// }
/// ```
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<twinslot::artifact::trust::VerifiedManifest>();
/// ```
/// ```compile_fail,E0277
/// fn empty<T: Default>() {}
/// empty::<twinslot::artifact::trust::VerifiedManifest>();
/// ```
#[derive(Debug)]
pub struct VerifiedManifest {
    manifest: Manifest,
    key: [u8; 32],
}

impl VerifiedManifest {
    /// [`PublicKey::id`] of the key that signed.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Digest of the member `version`.
    #[must_use]
    pub fn version(&self) -> Digest {
        self.manifest.version
    }

    /// Digest of the member `header.tar*`, compressed as it is stored.
    #[must_use]
    pub fn header(&self) -> Digest {
        self.manifest.header
    }

    /// How the header is compressed, by the suffix of its name.
    #[must_use]
    pub fn header_coding(&self) -> Coding {
        self.manifest.header_coding
    }

    /// File name and digest of the payload, decoded; none where the artifact has no payload.
    #[must_use]
    pub fn payload(&self) -> Option<(&Name, Digest)> {
        self.manifest.payload.as_ref().map(|(name, digest)| (name, *digest))
    }
}

/// Verifies that one of `keys` made the signature in `signature_text` (`manifest.sig`) over the
/// bytes of `manifest`, then parses these.
///
/// # Errors
/// All of [`Refusal`] but [`Refusal::Missing`].
pub fn verify(
    manifest: &[u8],
    signature_text: &[u8],
    keys: &Keys,
) -> Result<VerifiedManifest, Refusal> {
    let signature = Signature::from_base64(signature_text).map_err(Refusal::Malformed)?;
    let signed = |key: &&PublicKey| key.signed(manifest, &signature).is_ok();
    let key = keys.iter().find(signed).ok_or(Refusal::Unknown { keys: keys.keys.len() })?;
    Ok(VerifiedManifest { manifest: Manifest::parse(manifest)?, key: *key.id() })
}

#[cfg(test)]
mod tests;

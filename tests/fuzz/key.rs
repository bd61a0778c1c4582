//! Public keys in PEM, and signatures in base64.

use twinslot::artifact::key::PublicKey;
use twinslot::artifact::key::{RAW_BYTES_MAX, Signature};
use twinslot::artifact::trust::KEYS_MAX;

use super::said;
use crate::sim::artifact::{Signer256, keys};

/// A PEM text, and behind a NUL a signature. No signature fits a message that nobody signed.
pub fn key_and_signature(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (pem, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let signature = Signature::from_base64(text);
    match &signature {
        Ok(_) => assert!(text.len() <= RAW_BYTES_MAX.div_ceil(3) * 4),
        Err(error) => said(error),
    }
    let owners = Signature::from_base64(&Signer256::Owner.sign(MESSAGE)).unwrap();
    let key = match PublicKey::from_pem(pem) {
        Ok(key) => key,
        Err(error) => return said(error),
    };
    assert_eq!(PublicKey::from_pem(pem).unwrap(), key);
    said(key.kind());
    said(format!("{key:?}"));
    trusted(&key);
    for signature in [signature.ok(), Some(owners)].into_iter().flatten() {
        said(key.signed(MESSAGE, &signature).unwrap_err());
    }
}

/// A key is enrolled once, however often it is named, and only so many are.
fn trusted(key: &PublicKey) {
    let mut keys = keys();
    let before = keys.iter().filter(|known| *known != key).count();
    for _ in 0..KEYS_MAX {
        keys.add(key.clone()).unwrap();
    }
    assert_eq!(keys.iter().count(), before + 1);
}

const MESSAGE: &[u8] = b"signed by the owner alone";

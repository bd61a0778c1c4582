//! `X-MEN-Signature`: did the holder of this key sign this body? As Mender's deviceauth checks
//! it, with another library than the product's. Never signs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::RawPublicKeyEntity;
use webpki::ring::{ECDSA_P256_SHA256, ED25519, RSA_PKCS1_2048_8192_SHA256};

/// What deviceauth takes: RSA PKCS#1 v1.5, P-256 as DER, Ed25519 over the body itself.
const ALGORITHMS: [&dyn SignatureVerificationAlgorithm; 3] =
    [RSA_PKCS1_2048_8192_SHA256, ECDSA_P256_SHA256, ED25519];

/// Why a signature counts for nothing.
pub(crate) fn verify(pem: &str, body: &[u8], signature: &str) -> Result<(), String> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| format!("cannot decode public key: {error}"))?;
    let key = RawPublicKeyEntity::try_from(&key)
        .map_err(|error| format!("cannot decode public key: {error}"))?;
    let signature =
        STANDARD.decode(signature).map_err(|error| format!("cannot decode signature: {error}"))?;
    let verified = |algorithm: &&dyn SignatureVerificationAlgorithm| {
        key.verify_signature(*algorithm, body, &signature).is_ok()
    };
    if ALGORITHMS.iter().any(verified) {
        Ok(())
    } else {
        Err("signature verification failed".to_owned())
    }
}

//! ECDSA on P-256 over SHA-256 (FIPS 186-5 section 6.4.2).

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};

use super::{KeyError, KeyKind, SignatureError};

/// r || s, both big-endian with leading zeros, in bytes: what `mender-artifact` writes.
const RAW_BYTES: usize = 64;
/// 04 || x || y, in bytes (SEC 1 section 2.3.3).
const POINT_BYTES: usize = 65;

#[derive(Clone)]
pub(super) struct Key(VerifyingKey);

impl Key {
    /// Takes the uncompressed form only: it is what OpenSSL writes unless told otherwise, the
    /// only one `mender-artifact` reads, and one form a key keeps the key's id unique.
    pub(super) fn from_point(point: &[u8]) -> Result<Self, KeyError> {
        let error = KeyError::Point { bytes: point.len() };
        if point.len() != POINT_BYTES {
            return Err(error);
        }
        VerifyingKey::from_sec1_bytes(point).map(Self).map_err(|_| error)
    }

    /// Takes r || s as `mender-artifact` signs, and the DER of `ECDSA-Sig-Value` (RFC 3279
    /// section 2.2.3) as its PKCS#11 and cloud signers do. A few DER signatures are 64 bytes
    /// long too, so these are tried as both. A high s is as good as a low one, as in Go and
    /// OpenSSL.
    pub(super) fn signed(&self, digest: &[u8; 32], raw: &[u8]) -> Result<(), SignatureError> {
        let pair = if raw.len() == RAW_BYTES { Signature::from_slice(raw).ok() } else { None };
        let der = Signature::from_der(raw).ok();
        if pair.is_none() && der.is_none() {
            return Err(SignatureError::Form { bytes: raw.len() });
        }
        let made = |signature| self.0.verify_prehash(digest, &signature).is_ok();
        if pair.is_some_and(made) || der.is_some_and(made) {
            Ok(())
        } else {
            Err(SignatureError::Other { kind: KeyKind::P256 })
        }
    }
}

//! RSASSA-PKCS1-v1_5 over SHA-256, verification only (RFC 8017 section 8.2.2). What the key must
//! have signed is built whole and compared whole; nothing a signer wrote is ever parsed.

use sha2::{Digest, Sha256};

use crate::rsa::{self, PublicKey, SHA256_INFO, pkcs1};

pub use crate::rsa::{MODULUS_BITS_MAX, MODULUS_BITS_MIN};

use super::{KeyError, KeyKind, SignatureError};

#[derive(Clone)]
pub(super) struct Key(PublicKey);

impl Key {
    /// From the DER of an RSAPublicKey (RFC 8017 A.1.1).
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        PublicKey::from_pkcs1(der).map(Self).map_err(|error| match error {
            rsa::Error::Der => KeyError::Der { expected: "an RSAPublicKey" },
            rsa::Error::Modulus { bits } => KeyError::Modulus { bits },
            rsa::Error::Even => KeyError::EvenModulus,
            rsa::Error::Exponent { found } => KeyError::Exponent { found },
        })
    }

    pub(super) fn bits(&self) -> u32 {
        self.0.bits()
    }

    pub(super) fn signed(&self, digest: &[u8; 32], raw: &[u8]) -> Result<(), SignatureError> {
        let kind = KeyKind::Rsa { bits: self.bits() };
        let (bytes, expected) = (raw.len(), self.0.bytes());
        if bytes != expected {
            return Err(SignatureError::Length { bytes, expected, kind });
        }
        let encoded = pkcs1(&SHA256_INFO, digest, expected);
        if self.0.recover(raw) == Some(encoded) {
            Ok(())
        } else {
            Err(SignatureError::Other { kind })
        }
    }
}

/// The digest of the SubjectPublicKeyInfo that holds this RSAPublicKey, already accepted:
/// between 259 and 65511 bytes long, so that both lengths around it have two bytes.
pub(super) fn spki_digest(pkcs1: &[u8]) -> [u8; 32] {
    let len = |more: usize| u16::try_from(pkcs1.len() + more).unwrap_or(u16::MAX).to_be_bytes();
    Sha256::new()
        .chain_update([0x30, 0x82])
        .chain_update(len(20))
        .chain_update([0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d])
        .chain_update([0x01, 0x01, 0x01, 0x05, 0x00, 0x03, 0x82])
        .chain_update(len(1))
        .chain_update([0x00])
        .chain_update(pkcs1)
        .finalize()
        .into()
}

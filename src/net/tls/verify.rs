//! Signatures of certificates and handshakes, checked: ECDSA on P-256 and P-384, RSA with both
//! paddings. Public keys alone, so time may depend on what is read; never signs.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use twinslot::rsa::{PublicKey, SHA256_INFO, SHA384_INFO, SHA512_INFO, pkcs1};

use super::pss;

/// A signature algorithm with its keys' kind.
#[derive(Debug)]
struct Algorithm {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    /// Whether this key (`.0`) signed this message (`.1`) with this signature (`.2`).
    signed: fn(&[u8], &[u8], &[u8]) -> bool,
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        (self.signed)(public_key, message, signature).then_some(()).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

macro_rules! ecdsa {
    ($name:ident, $curve:ident, $key:ident, $hash:ident, $id:ident) => {
        static $name: Algorithm = Algorithm {
            key: alg_id::$key,
            signature: alg_id::$id,
            signed: |key, message, signature| {
                use $curve::ecdsa::{DerSignature, VerifyingKey};
                let key = VerifyingKey::from_sec1_bytes(key);
                let signature = DerSignature::try_from(signature);
                let (Ok(key), Ok(signature)) = (key, signature) else { return false };
                key.verify_prehash(&$hash::digest(message), &signature).is_ok()
            },
        };
    };
}

macro_rules! rsa {
    ($name:ident, $signed:ident, $hash:ident, $id:ident) => {
        static $name: Algorithm = Algorithm {
            key: alg_id::RSA_ENCRYPTION,
            signature: alg_id::$id,
            signed: $signed::<$hash>,
        };
    };
}

ecdsa!(P256_SHA256, p256, ECDSA_P256, Sha256, ECDSA_SHA256);
ecdsa!(P256_SHA384, p256, ECDSA_P256, Sha384, ECDSA_SHA384);
ecdsa!(P384_SHA256, p384, ECDSA_P384, Sha256, ECDSA_SHA256);
ecdsa!(P384_SHA384, p384, ECDSA_P384, Sha384, ECDSA_SHA384);
rsa!(PKCS1_SHA256, pkcs1_signed, Sha256, RSA_PKCS1_SHA256);
rsa!(PKCS1_SHA384, pkcs1_signed, Sha384, RSA_PKCS1_SHA384);
rsa!(PKCS1_SHA512, pkcs1_signed, Sha512, RSA_PKCS1_SHA512);
rsa!(PSS_SHA256, pss_signed, Sha256, RSA_PSS_SHA256);
rsa!(PSS_SHA384, pss_signed, Sha384, RSA_PSS_SHA384);
rsa!(PSS_SHA512, pss_signed, Sha512, RSA_PSS_SHA512);

pub(super) static ALL: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        &P256_SHA256,
        &P256_SHA384,
        &P384_SHA256,
        &P384_SHA384,
        &PKCS1_SHA256,
        &PKCS1_SHA384,
        &PKCS1_SHA512,
        &PSS_SHA256,
        &PSS_SHA384,
        &PSS_SHA512,
    ],
    // TLS 1.2 does not tie a hash to a curve, TLS 1.3 takes the first of a line alone.
    mapping: &[
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[&P256_SHA256, &P384_SHA256]),
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[&P384_SHA384, &P256_SHA384]),
        (SignatureScheme::RSA_PSS_SHA256, &[&PSS_SHA256]),
        (SignatureScheme::RSA_PSS_SHA384, &[&PSS_SHA384]),
        (SignatureScheme::RSA_PSS_SHA512, &[&PSS_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[&PKCS1_SHA256]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[&PKCS1_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[&PKCS1_SHA512]),
    ],
};

/// A hash with its DigestInfo.
trait Named: Digest {
    const INFO: [u8; 19];
}

impl Named for Sha256 {
    const INFO: [u8; 19] = SHA256_INFO;
}

impl Named for Sha384 {
    const INFO: [u8; 19] = SHA384_INFO;
}

impl Named for Sha512 {
    const INFO: [u8; 19] = SHA512_INFO;
}

fn pkcs1_signed<D: Named>(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = PublicKey::from_pkcs1(key) else { return false };
    let expected = pkcs1(&D::INFO, &D::digest(message), key.bytes());
    key.recover(signature) == Some(expected)
}

fn pss_signed<D: Digest>(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = PublicKey::from_pkcs1(key) else { return false };
    let recovered = key.recover(signature);
    recovered.is_some_and(|recovered| pss::made_of::<D>(&recovered, key.bits(), message))
}

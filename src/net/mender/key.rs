//! The key by which a server knows this device: ECDSA on P-256. Makes none and keeps none: where
//! its numbers come from and where they are stored is the caller's.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use p256::SecretKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;

/// Length of the secret number, in bytes.
pub(crate) const SECRET_BYTES: usize = 32;

/// The longest PEM text of a key, in bytes.
pub(crate) const PEM_BYTES: u64 = 16 << 10;

/// `PrivateKeyInfo` (RFC 5208) of a P-256 key up to the secret number.
const PRIVATE_HEAD: [u8; 36] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
    0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02,
    0x01, 0x01, 0x04, 0x20,
];
/// Between the secret number and the public point.
const PRIVATE_MIDDLE: [u8; 5] = [0xa1, 0x44, 0x03, 0x42, 0x00];
/// `SubjectPublicKeyInfo` (RFC 5480) of a P-256 key up to the public point.
const PUBLIC_HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why a text is no key for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("found no block -----BEGIN PRIVATE KEY----- or -----BEGIN EC PRIVATE KEY-----")]
    NoBlock,
    #[error("found an encrypted private key, wanted one without a password")]
    Encrypted,
    #[error("found a damaged PEM block")]
    Damaged,
    #[error("found a private key that is not on the curve P-256")]
    Other,
    #[error("found a secret number that makes no P-256 key")]
    Number,
}

/// A device's key.
pub(crate) struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The key of this secret number; all but one in 2^32 numbers make one.
    ///
    /// # Errors
    /// [`KeyError::Number`].
    pub(crate) fn from_secret(secret: &[u8; SECRET_BYTES]) -> Result<Self, KeyError> {
        SigningKey::from_slice(secret).map(Self).map_err(|_| KeyError::Number)
    }

    /// The key in the first block of `pem` that is a private key: PKCS#8, or SEC 1 as
    /// `openssl ecparam -genkey` writes it.
    ///
    /// # Errors
    /// What was found in place of one.
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let text = str::from_utf8(pem).map_err(|_| KeyError::NoBlock)?;
        if text.contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let secret = if let Some(der) = block(text, "EC PRIVATE KEY") {
            SecretKey::from_sec1_der(&der?).map_err(|_| KeyError::Other)
        } else if let Some(der) = block(text, "PRIVATE KEY") {
            SecretKey::from_pkcs8_der(&der?).map_err(|_| KeyError::Other)
        } else {
            Err(KeyError::NoBlock)
        }?;
        Ok(Self(secret.into()))
    }

    /// The key as PKCS#8 in PEM, as OpenSSL writes it.
    pub(crate) fn to_pem(&self) -> String {
        let secret = self.0.to_bytes();
        let der = [&PRIVATE_HEAD[..], secret.as_slice(), &PRIVATE_MIDDLE, &self.point()].concat();
        pem("PRIVATE KEY", &der)
    }

    /// The public key in PEM.
    pub(crate) fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &[&PUBLIC_HEAD[..], &self.point()].concat())
    }

    /// A signature over SHA-256 of `message`, in DER: the form of the device API, which is not
    /// that of artifacts (mender-server backend/services/deviceauth/utils/crypto.go).
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_der().as_bytes().to_vec()
    }

    fn point(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey")
    }
}

/// The bytes in the first block of `text` that has this label.
fn block(text: &str, label: &str) -> Option<Result<Vec<u8>, KeyError>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let Some((inside, _)) = rest.split_once(&format!("-----END {label}-----")) else {
        return Some(Err(KeyError::Damaged));
    };
    let chars: String = inside.split_ascii_whitespace().collect();
    let mut der = vec![0; chars.len()];
    Some(Base64::decode(chars, &mut der).map(<[u8]>::to_vec).map_err(|_| KeyError::Damaged))
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = base64(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = next;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// `bytes` in base64 with the standard alphabet, padded.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut room = vec![0; bytes.len().div_ceil(3) * 4];
    // The room is the encoding's exact length.
    Base64::encode(bytes, &mut room).map(str::to_owned).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl ecparam -name prime256v1 -genkey -out sec1.pem`
    const SEC1: &str = include_str!("../../../tests/data/net/device-sec1.pem");
    /// `openssl pkcs8 -topk8 -nocrypt -in sec1.pem`
    const PKCS8: &str = include_str!("../../../tests/data/net/device-pkcs8.pem");
    /// `openssl pkey -in sec1.pem -pubout`
    const PUBLIC: &str = include_str!("../../../tests/data/net/device-public.pem");

    #[test]
    fn keys_that_openssl_wrote_are_read_in_both_forms_and_written_as_it_does() {
        for pem in [SEC1, PKCS8] {
            let key = DeviceKey::from_pem(pem.as_bytes()).unwrap();
            assert_eq!(key.to_pem(), PKCS8);
            assert_eq!(key.public_pem(), PUBLIC);
        }
    }

    #[test]
    fn a_signature_is_one_of_the_public_key_in_der() {
        use p256::ecdsa::signature::Verifier as _;
        let key = DeviceKey::from_secret(&[7; 32]).unwrap();
        let signature = Signature::from_der(&key.sign(b"message")).unwrap();
        assert!(key.0.verifying_key().verify(b"message", &signature).is_ok());
        assert!(key.0.verifying_key().verify(b"massage", &signature).is_err());
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        let read = |pem: &str| DeviceKey::from_pem(pem.as_bytes()).map(|_| ());
        assert_eq!(read(PUBLIC), Err(KeyError::NoBlock));
        assert_eq!(read(&PKCS8[..100]), Err(KeyError::Damaged));
        let other = PKCS8.replace("PRIVATE", "ENCRYPTED PRIVATE");
        assert_eq!(read(&other), Err(KeyError::Encrypted));
        let as_other_form = PKCS8.replace("PRIVATE", "EC PRIVATE");
        assert_eq!(read(&as_other_form), Err(KeyError::Other));
        assert_eq!(read(&PKCS8.replace("MIGH", "M?GH")), Err(KeyError::Damaged));
        assert_eq!(DeviceKey::from_secret(&[0; 32]).map(|_| ()), Err(KeyError::Number));
        assert_eq!(DeviceKey::from_secret(&[0xff; 32]).map(|_| ()), Err(KeyError::Number));
    }
}

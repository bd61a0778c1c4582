//! A signature as `manifest.sig` holds it. Says nothing about who made it.

use base64ct::{Base64, Encoding};

use super::KeyKind;

/// The longest signature, in bytes: that of an RSA-4096 key.
pub const RAW_BYTES_MAX: usize = 512;

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Nothing there.
    #[error("found an empty signature, expected base64")]
    Empty,
    /// More text than any signature has.
    #[error(
        "found a signature of {chars} base64 characters, expected at most {RAW_BYTES_MAX} bytes"
    )]
    TooLong {
        /// Length of the text, in characters.
        chars: usize,
    },
    /// Not the one base64 text for these bytes.
    #[error("found {chars} characters that are not padded canonical base64 without line ends")]
    Base64 {
        /// Length of the text, in characters.
        chars: usize,
    },
    /// Another length than the modulus has.
    #[error("found a signature of {bytes} bytes, expected the {expected} of {kind}")]
    Length {
        /// Its length, in bytes.
        bytes: usize,
        /// The length of the modulus, in bytes.
        expected: usize,
        /// The sort of key asked.
        kind: KeyKind,
    },
    /// Two numbers in neither form, or out of range.
    #[error("found {bytes} bytes that are no P-256 signature, expected r || s or its DER")]
    Form {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// Well formed, and not of this key over these bytes.
    #[error("found a signature that this {kind} key did not make over these bytes")]
    Other {
        /// The sort of key asked.
        kind: KeyKind,
    },
}

/// A signature, not yet checked against any key.
#[derive(Clone, Debug)]
pub struct Signature {
    raw: [u8; RAW_BYTES_MAX],
    len: usize,
}

impl Signature {
    /// The signature in the text of `manifest.sig`: base64 with the standard alphabet, padded,
    /// without line ends, as `mender-artifact` writes it, and no other text for the same bytes.
    ///
    /// # Errors
    /// [`SignatureError::Empty`], [`SignatureError::TooLong`], [`SignatureError::Base64`].
    pub fn from_base64(text: &[u8]) -> Result<Self, SignatureError> {
        let chars = text.len();
        if chars == 0 {
            return Err(SignatureError::Empty);
        }
        let mut raw = [0; RAW_BYTES_MAX];
        match Base64::decode(text, &mut raw).map(<[u8]>::len) {
            Ok(len) => Ok(Self { raw, len }),
            Err(base64ct::Error::InvalidLength) => Err(SignatureError::TooLong { chars }),
            Err(base64ct::Error::InvalidEncoding) => Err(SignatureError::Base64 { chars }),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.raw[..self.len]
    }
}

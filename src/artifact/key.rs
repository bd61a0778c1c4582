//! An enrolled public key, and whether it signed these bytes: ECDSA on P-256 or RSA PKCS#1 v1.5,
//! both over SHA-256, the two that `mender-artifact` writes. Holds keys by value in fixed arrays.
//! Never sees a private key, so its time may depend on what it reads; never decides which keys
//! are enrolled.

mod oid;
mod p256;
mod pem;
mod rsa;
mod signature;

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Reader, SliceReader};
use sha2::{Digest, Sha256};

pub use oid::Oid;
pub use rsa::{MODULUS_BITS_MAX, MODULUS_BITS_MIN};
pub use signature::{RAW_BYTES_MAX, Signature, SignatureError};

/// Why a key cannot be enrolled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No line begins a PEM block.
    #[error("found no PEM block, expected a line -----BEGIN PUBLIC KEY-----")]
    NoBlock,
    /// No PEM block holds a public key.
    #[error("found the PEM label {found}, expected PUBLIC KEY or RSA PUBLIC KEY")]
    Label {
        /// The first block's label, where it is a known one.
        found: &'static str,
    },
    /// The block does not end, or ends as another.
    #[error("found no line -----END {label}----- where the base64 ends")]
    NoEnd {
        /// The label it began with.
        label: &'static str,
    },
    /// More text than any accepted key has.
    #[error("found more than {allowed} base64 characters, a key has fewer")]
    TooLong {
        /// The bound, in characters.
        allowed: usize,
    },
    /// The text between the lines.
    #[error("found other characters than padded base64 between the BEGIN and END lines")]
    Base64,
    /// The bytes are not what the label says, or something follows.
    #[error("the bytes are not the DER of {expected}")]
    Der {
        /// The ASN.1 type.
        expected: &'static str,
    },
    /// A key for another algorithm.
    #[error("found a key for {found}, expected P-256 or RSA")]
    Algorithm {
        /// The algorithm's identifier.
        found: Oid,
    },
    /// An elliptic curve key on another curve.
    #[error("found the curve {found}, expected P-256")]
    Curve {
        /// The curve's identifier.
        found: Oid,
    },
    /// The algorithm's parameters are absent or of another form.
    #[error("found other parameters of the algorithm, expected {expected}")]
    Parameters {
        /// What they must be.
        expected: &'static str,
    },
    /// Not 04 || x || y of a point on the curve.
    #[error(
        "found {bytes} bytes that are no uncompressed point on P-256, \
         expected 65 that begin with 04"
    )]
    Point {
        /// Length of the point's encoding, in bytes.
        bytes: usize,
    },
    /// An RSA modulus too short to trust or too long to hold.
    #[error(
        "found an RSA key of {bits} bits, expected {MODULUS_BITS_MIN} to {MODULUS_BITS_MAX} bits"
    )]
    Modulus {
        /// Its length, in bits.
        bits: u32,
    },
    /// An RSA modulus that is no product of two odd primes.
    #[error("found an even RSA modulus, expected an odd one")]
    EvenModulus,
    /// An RSA exponent that makes no signature, or that no tool makes.
    #[error("found the RSA exponent {found}, expected an odd one from 3 to 4294967295")]
    Exponent {
        /// Its value; `u64::MAX` stands for that and all above.
        found: u64,
    },
}

/// What sort of key it is; prints as `P-256` or `RSA-3072`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on NIST's curve P-256.
    P256,
    /// RSA PKCS#1 v1.5.
    Rsa {
        /// Length of the modulus, in bits.
        bits: u32,
    },
}

impl core::fmt::Display for KeyKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::P256 => f.write_str("P-256"),
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
        }
    }
}

/// A public key that artifacts may be signed with.
#[derive(Clone)]
pub struct PublicKey {
    id: [u8; 32],
    algorithm: Algorithm,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "without an allocator a key is held by value")]
enum Algorithm {
    P256(p256::Key),
    Rsa(rsa::Key),
}

impl PublicKey {
    /// The first key among the PEM blocks of `pem`: a `PUBLIC KEY` (RFC 7468 section 13) as
    /// `mender-artifact` needs it, or an `RSA PUBLIC KEY` (RFC 8017 A.1.1) as OpenSSL 3 reads
    /// too. As there, text around the block, CRLF and lines of any length do not matter.
    ///
    /// # Errors
    /// What was found and what was expected; see [`KeyError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let mut room = [0; pem::DER_BYTES_MAX];
        let (label, der) = pem::decode(pem, &mut room)?;
        match label {
            pem::Label::PublicKey => Self::from_spki(der),
            pem::Label::RsaPublicKey => Self::from_pkcs1(der),
        }
    }

    /// SHA-256 of the DER of its SubjectPublicKeyInfo, however it was written: what
    /// `openssl pkey -pubin -in KEY -outform DER | sha256sum` prints.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Its sort, for a person.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        match &self.algorithm {
            Algorithm::P256(_) => KeyKind::P256,
            Algorithm::Rsa(key) => KeyKind::Rsa { bits: key.bits() },
        }
    }

    /// Whether this key made `signature` over exactly the bytes of `message`, which is hashed
    /// here.
    ///
    /// # Errors
    /// [`SignatureError::Form`] or [`SignatureError::Length`] where no key of this sort makes
    /// such a signature, [`SignatureError::Other`] where another key, or this one over other
    /// bytes, did.
    pub fn signed(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let digest = Sha256::digest(message).into();
        match &self.algorithm {
            Algorithm::P256(key) => key.signed(&digest, signature.bytes()),
            Algorithm::Rsa(key) => key.signed(&digest, signature.bytes()),
        }
    }

    /// RFC 5280 section 4.1. Every key accepted here has one encoding only (the point
    /// uncompressed, the parameters as the RFCs demand them), so the digest of `der` names it.
    fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let spki = Spki::from_der(der)
            .map_err(|_| KeyError::Der { expected: "a SubjectPublicKeyInfo" })?;
        let algorithm = match spki.algorithm {
            oid::EC => Algorithm::P256(spki.p256()?),
            oid::RSA => Algorithm::Rsa(spki.rsa()?),
            found => return Err(KeyError::Algorithm { found: Oid(found) }),
        };
        Ok(Self { id: Sha256::digest(der).into(), algorithm })
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let key = rsa::Key::from_pkcs1(der)?;
        Ok(Self { id: rsa::spki_digest(der), algorithm: Algorithm::Rsa(key) })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for PublicKey {}

impl core::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ", self.kind())?;
        self.id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A SubjectPublicKeyInfo, taken apart.
struct Spki<'a> {
    algorithm: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
    key: &'a [u8],
}

impl<'a> Spki<'a> {
    fn from_der(der: &'a [u8]) -> der::Result<Self> {
        let mut outer = SliceReader::new(der)?;
        let spki = outer.sequence(|spki| {
            let (algorithm, parameters) = spki.sequence(|algorithm| {
                Ok::<_, der::Error>((
                    ObjectIdentifier::decode(algorithm)?,
                    Option::<AnyRef<'a>>::decode(algorithm)?,
                ))
            })?;
            let key = BitStringRef::decode(spki)?.as_bytes();
            let key = key.ok_or(der::ErrorKind::Length { tag: der::Tag::BitString })?;
            Ok::<_, der::Error>(Self { algorithm, parameters, key })
        })?;
        outer.finish()?;
        Ok(spki)
    }

    /// RFC 5480 section 2.1.1: the parameters name the curve.
    fn p256(&self) -> Result<p256::Key, KeyError> {
        let curve = self.parameters.and_then(|any| any.decode_as::<ObjectIdentifier>().ok());
        match curve {
            Some(oid::P256) => p256::Key::from_point(self.key),
            Some(found) => Err(KeyError::Curve { found: Oid(found) }),
            None => Err(KeyError::Parameters { expected: "the name of the curve P-256" }),
        }
    }

    /// RFC 8017 A.1: the parameters are NULL, and present.
    fn rsa(&self) -> Result<rsa::Key, KeyError> {
        if self.parameters.is_some_and(AnyRef::is_null) {
            rsa::Key::from_pkcs1(self.key)
        } else {
            Err(KeyError::Parameters { expected: "NULL" })
        }
    }
}

#[cfg(test)]
mod tests;

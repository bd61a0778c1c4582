//! RSASSA-PKCS1-v1_5 over SHA-256, verification only (RFC 8017 section 8.2.2). What the key must
//! have signed is built whole and compared whole; nothing a signer wrote is ever parsed.

use crypto_bigint::{Odd, U4096};
use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};
use sha2::{Digest, Sha256};

use super::{KeyError, KeyKind, SignatureError};

/// The shortest modulus accepted, in bits (NIST SP 800-131A).
pub const MODULUS_BITS_MIN: u32 = 2048;
/// The longest modulus accepted, in bits.
pub const MODULUS_BITS_MAX: u32 = 4096;

const BYTES_MAX: usize = 512;
const _: () = assert!(U4096::BITS == MODULUS_BITS_MAX);

/// DigestInfo of SHA-256 up to the digest (RFC 8017 section 9.2, note 1).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

#[derive(Clone)]
pub(super) struct Key {
    modulus: Odd<U4096>,
    bits: u32,
    exponent: u32,
}

impl Key {
    /// From the DER of an RSAPublicKey (RFC 8017 A.1.1). The exponent may be any odd number
    /// from 3 that has 32 bits: small ones are sound where the padding is compared whole, and
    /// Go and OpenSSL accept them.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        let (modulus, exponent) =
            numbers(der).map_err(|_| KeyError::Der { expected: "an RSAPublicKey" })?;
        let bits = bits(modulus.as_bytes());
        if !(MODULUS_BITS_MIN..=MODULUS_BITS_MAX).contains(&bits) {
            return Err(KeyError::Modulus { bits });
        }
        let modulus = number(modulus.as_bytes()).ok_or(KeyError::Modulus { bits })?;
        let modulus = modulus.to_odd().into_option().ok_or(KeyError::EvenModulus)?;
        Ok(Self { modulus, bits, exponent: odd_exponent(exponent.as_bytes())? })
    }

    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    pub(super) fn signed(&self, digest: &[u8; 32], raw: &[u8]) -> Result<(), SignatureError> {
        let kind = KeyKind::Rsa { bits: self.bits };
        let expected = self.bytes();
        let signature = number(raw).filter(|_| raw.len() == expected);
        let bytes = raw.len();
        let signature = signature.ok_or(SignatureError::Length { bytes, expected, kind })?;
        let encoded = U4096::from_be_slice(&encode(digest, expected));
        if signature < *self.modulus && self.power(&signature) == encoded {
            Ok(())
        } else {
            Err(SignatureError::Other { kind })
        }
    }

    /// Length of the modulus and of every signature, in bytes.
    fn bytes(&self) -> usize {
        self.bits.div_ceil(8).try_into().unwrap_or(BYTES_MAX)
    }

    /// `base` to the exponent, modulo the modulus: square and multiply from the highest bit.
    fn power(&self, base: &U4096) -> U4096 {
        let modulus = self.modulus.as_nz_ref();
        let mut power = *base;
        for bit in (0..self.exponent.ilog2()).rev() {
            power = power.square_mod_vartime(modulus);
            if self.exponent >> bit & 1 == 1 {
                power = power.mul_mod_vartime(base, modulus);
            }
        }
        power
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

fn numbers(der: &[u8]) -> der::Result<(UintRef<'_>, UintRef<'_>)> {
    let mut outer = SliceReader::new(der)?;
    let numbers = outer
        .sequence(|key| Ok::<_, der::Error>((UintRef::decode(key)?, UintRef::decode(key)?)))?;
    outer.finish()?;
    Ok(numbers)
}

/// The bits of a big-endian number without leading zero bytes.
fn bits(bytes: &[u8]) -> u32 {
    let all = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_mul(8);
    bytes.first().map_or(0, |first| all - first.leading_zeros())
}

fn odd_exponent(bytes: &[u8]) -> Result<u32, KeyError> {
    let push = |value: u64, &byte: &u8| value.checked_mul(256).map(|high| high | u64::from(byte));
    let found = bytes.iter().try_fold(0, push).unwrap_or(u64::MAX);
    let odd = u32::try_from(found).ok().filter(|value| *value >= 3 && value % 2 == 1);
    odd.ok_or(KeyError::Exponent { found })
}

/// A big-endian number of at most 4096 bits.
fn number(bytes: &[u8]) -> Option<U4096> {
    let mut wide = [0; BYTES_MAX];
    let start = BYTES_MAX.checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(U4096::from_be_slice(&wide))
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) of `bytes` bytes, at the end of the array: 00 01 FF..
/// 00 DigestInfo. The modulus has at least 2048 bits, so the FFs are never fewer than eight.
fn encode(digest: &[u8; 32], bytes: usize) -> [u8; BYTES_MAX] {
    let mut encoded = [0; BYTES_MAX];
    let info = BYTES_MAX - DIGEST_INFO.len() - digest.len();
    let start = BYTES_MAX - bytes;
    encoded[start + 1] = 0x01;
    encoded[start + 2..info - 1].fill(0xff);
    encoded[info..info + DIGEST_INFO.len()].copy_from_slice(&DIGEST_INFO);
    encoded[info + DIGEST_INFO.len()..].copy_from_slice(digest);
    encoded
}

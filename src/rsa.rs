//! RSA, the public half: what a signature was made from (RFC 8017). What a key must have signed
//! is built whole and compared whole by the caller; nothing a signer wrote is ever parsed. Never
//! sees a private key, so its time may depend on what it reads.

use crypto_bigint::{Odd, U4096};
use der::asn1::UintRef;
use der::{Decode, Reader, SliceReader};

/// The shortest modulus accepted, in bits (NIST SP 800-131A).
pub const MODULUS_BITS_MIN: u32 = 2048;
/// The longest modulus accepted, in bits.
pub const MODULUS_BITS_MAX: u32 = 4096;
/// The longest modulus and signature, in bytes.
pub const BYTES_MAX: usize = 512;

const _: () = assert!(U4096::BITS == MODULUS_BITS_MAX);

/// DigestInfo of SHA-256 up to the digest (RFC 8017 section 9.2, note 1).
pub const SHA256_INFO: [u8; 19] = info(1, 32);
/// DigestInfo of SHA-384 up to the digest.
pub const SHA384_INFO: [u8; 19] = info(2, 48);
/// DigestInfo of SHA-512 up to the digest.
pub const SHA512_INFO: [u8; 19] = info(3, 64);

const fn info(algorithm: u8, digest_bytes: u8) -> [u8; 19] {
    [
        0x30,
        17 + digest_bytes,
        0x30,
        0x0d,
        0x06,
        0x09,
        0x60,
        0x86,
        0x48,
        0x01,
        0x65,
        0x03,
        0x04,
        0x02,
        algorithm,
        0x05,
        0x00,
        0x04,
        digest_bytes,
    ]
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes are not the DER of an RSAPublicKey, or something follows.
    Der,
    /// A modulus too short to trust or too long to hold.
    Modulus {
        /// Its length, in bits.
        bits: u32,
    },
    /// A modulus that is no product of two odd primes.
    Even,
    /// An exponent that makes no signature, or that no tool makes.
    Exponent {
        /// Its value; `u64::MAX` stands for that and all above.
        found: u64,
    },
}

/// A public key.
#[derive(Clone)]
pub struct PublicKey {
    modulus: Odd<U4096>,
    bits: u32,
    exponent: u32,
}

impl PublicKey {
    /// From the DER of an RSAPublicKey (RFC 8017 A.1.1). The exponent may be any odd number
    /// from 3 that has 32 bits: small ones are sound where the padding is compared whole, and
    /// Go and OpenSSL accept them.
    ///
    /// # Errors
    /// It is none, or of a size that is not accepted.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, Error> {
        let (modulus, exponent) = numbers(der).map_err(|_| Error::Der)?;
        let bits = bits(modulus.as_bytes());
        if !(MODULUS_BITS_MIN..=MODULUS_BITS_MAX).contains(&bits) {
            return Err(Error::Modulus { bits });
        }
        let modulus = number(modulus.as_bytes()).ok_or(Error::Modulus { bits })?;
        let modulus = modulus.to_odd().into_option().ok_or(Error::Even)?;
        Ok(Self { modulus, bits, exponent: odd_exponent(exponent.as_bytes())? })
    }

    /// Length of the modulus, in bits.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Length of the modulus and of every signature, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bits.div_ceil(8).try_into().unwrap_or(BYTES_MAX)
    }

    /// What `signature` was made from (RSAVP1), at the end of the array; `None` where it cannot
    /// be a signature of this key.
    #[must_use]
    pub fn recover(&self, signature: &[u8]) -> Option<[u8; BYTES_MAX]> {
        let signature = number(signature).filter(|_| signature.len() == self.bytes())?;
        if signature >= *self.modulus {
            return None;
        }
        let mut recovered = [0; BYTES_MAX];
        recovered.copy_from_slice(self.power(&signature).to_be_bytes().as_ref());
        Some(recovered)
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

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) of `bytes` bytes, at the end of the array: 00 01 FF..
/// 00 DigestInfo. The modulus has at least 2048 bits, so the FFs are never fewer than eight.
#[must_use]
pub fn pkcs1(info: &[u8; 19], digest: &[u8], bytes: usize) -> [u8; BYTES_MAX] {
    let mut encoded = [0; BYTES_MAX];
    let info_at = BYTES_MAX - info.len() - digest.len();
    let start = BYTES_MAX - bytes;
    encoded[start + 1] = 0x01;
    encoded[start + 2..info_at - 1].fill(0xff);
    encoded[info_at..info_at + info.len()].copy_from_slice(info);
    encoded[info_at + info.len()..].copy_from_slice(digest);
    encoded
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

fn odd_exponent(bytes: &[u8]) -> Result<u32, Error> {
    let push = |value: u64, &byte: &u8| value.checked_mul(256).map(|high| high | u64::from(byte));
    let found = bytes.iter().try_fold(0, push).unwrap_or(u64::MAX);
    let odd = u32::try_from(found).ok().filter(|value| *value >= 3 && value % 2 == 1);
    odd.ok_or(Error::Exponent { found })
}

/// A big-endian number of at most 4096 bits.
fn number(bytes: &[u8]) -> Option<U4096> {
    let mut wide = [0; BYTES_MAX];
    let start = BYTES_MAX.checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(U4096::from_be_slice(&wide))
}

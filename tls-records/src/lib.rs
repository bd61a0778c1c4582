//! TLS's records sealed and opened: AES-GCM and ChaCha20-Poly1305 as TLS 1.3 (RFC 8446 section
//! 5.2) and TLS 1.2 (RFC 5288, RFC 7905) use them. Never makes a key or a nonce of its own.
//!
//! A crate of its own for its speed alone: generic code is compiled as that crate is which gives
//! it its types, and the program as a whole is compiled to be small.

#![forbid(unsafe_code)]

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInOut, Key, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::ChaCha20Poly1305;
use rustls::crypto::cipher::{
    AeadKey, BorrowedPayload, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape,
    MessageDecrypter, MessageEncrypter, NONCE_LEN, Nonce, OutboundOpaqueMessage,
    OutboundPlainMessage, PrefixedPayload, Tls12AeadAlgorithm, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls12_aad, make_tls13_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

const TAG_BYTES: usize = 16;
/// The longest content of a record (RFC 8446 section 5.1).
const CONTENT_BYTES_MAX: usize = 1 << 14;

/// AES-128-GCM in TLS 1.3.
pub static TLS13_AES_128: Tls13 = Tls13::of::<Aes128Gcm>();
/// AES-256-GCM in TLS 1.3.
pub static TLS13_AES_256: Tls13 = Tls13::of::<Aes256Gcm>();
/// ChaCha20-Poly1305 in TLS 1.3.
pub static TLS13_CHACHA: Tls13 = Tls13::of::<ChaCha20Poly1305>();
/// AES-128-GCM in TLS 1.2.
pub static TLS12_AES_128: Tls12 = Tls12::of::<Aes128Gcm, 8>();
/// AES-256-GCM in TLS 1.2.
pub static TLS12_AES_256: Tls12 = Tls12::of::<Aes256Gcm, 8>();
/// ChaCha20-Poly1305 in TLS 1.2.
pub static TLS12_CHACHA: Tls12 = Tls12::of::<ChaCha20Poly1305, 0>();

/// An AEAD with the sizes of TLS.
trait Cipher: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static {}

impl<A> Cipher for A where
    A: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static
{
}

type Sealer = Box<dyn MessageEncrypter>;
type Opener = Box<dyn MessageDecrypter>;

/// How TLS 1.3 uses an AEAD. Functions and not a type of its own, or the crate that names the type
/// would compile it.
pub struct Tls13 {
    key_bytes: fn() -> usize,
    encrypter: fn(AeadKey, Iv) -> Sealer,
    decrypter: fn(AeadKey, Iv) -> Opener,
}

impl Tls13 {
    const fn of<A: Cipher>() -> Self {
        Self {
            key_bytes: A::key_size,
            encrypter: |key, iv| Box::new(Keyed13::<A> { aead: keyed(&key), iv }),
            decrypter: |key, iv| Box::new(Keyed13::<A> { aead: keyed(&key), iv }),
        }
    }
}

/// How TLS 1.2 uses an AEAD; the same.
pub struct Tls12 {
    key_bytes: fn() -> usize,
    /// Of the nonce, in each record.
    explicit_bytes: usize,
    encrypter: fn(AeadKey, &[u8], &[u8]) -> Sealer,
    decrypter: fn(AeadKey, &[u8]) -> Opener,
}

impl Tls12 {
    const fn of<A: Cipher, const EXPLICIT: usize>() -> Self {
        Self {
            key_bytes: A::key_size,
            explicit_bytes: EXPLICIT,
            encrypter: |key, iv, extra| Box::new(Keyed12::<A, EXPLICIT>::new(&key, iv, extra)),
            decrypter: |key, iv| Box::new(Keyed12::<A, EXPLICIT>::new(&key, iv, &[])),
        }
    }
}

fn keyed<A: Cipher>(key: &AeadKey) -> A {
    match <&Key<A>>::try_from(key.as_ref()) {
        Ok(key) => A::new(key),
        Err(_) => unreachable!("a key has the length that key_len() asks for"),
    }
}

/// Encrypts in place, and appends the tag.
fn seal<A: Cipher>(
    aead: &A,
    (nonce, aad): (Nonce, &[u8]),
    payload: &mut PrefixedPayload,
    from: usize,
) -> Result<(), Error> {
    let content = &mut payload.as_mut()[from..];
    let tag = aead.encrypt_inout_detached(&nonce.0.into(), aad, content.into());
    payload.extend_from_slice(&tag.map_err(|_| Error::EncryptError)?);
    Ok(())
}

/// Decrypts the content behind the first `from` bytes in place, and leaves out the tag. All
/// decoding begins with the check of the tag.
fn open<A: Cipher>(
    aead: &A,
    (nonce, aad): (Nonce, &[u8]),
    payload: &mut BorrowedPayload<'_>,
    from: usize,
) -> Result<(), Error> {
    let (content, tag) = payload[from..].split_last_chunk_mut().ok_or(Error::DecryptError)?;
    let tag: &[u8; TAG_BYTES] = tag;
    aead.decrypt_inout_detached(&nonce.0.into(), aad, content.into(), tag.into())
        .map_err(|_| Error::DecryptError)?;
    let end = payload.len() - TAG_BYTES;
    payload.truncate(end);
    Ok(())
}

struct Keyed13<A> {
    aead: A,
    iv: Iv,
}

impl Tls13AeadAlgorithm for Tls13 {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        (self.encrypter)(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        (self.decrypter)(key, iv)
    }

    fn key_len(&self) -> usize {
        (self.key_bytes)()
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl<A: Cipher> MessageEncrypter for Keyed13<A> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let total = self.encrypted_payload_len(message.payload.len());
        let mut payload = PrefixedPayload::with_capacity(total);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&message.typ.to_array());
        let nonce = Nonce::new(&self.iv, seq);
        seal(&self.aead, (nonce, &make_tls13_aad(total)), &mut payload, 0)?;
        let (typ, version) = (ContentType::ApplicationData, ProtocolVersion::TLSv1_2);
        Ok(OutboundOpaqueMessage::new(typ, version, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG_BYTES
    }
}

impl<A: Cipher> MessageDecrypter for Keyed13<A> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let aad = make_tls13_aad(message.payload.len());
        open(&self.aead, (Nonce::new(&self.iv, seq), &aad), &mut message.payload, 0)?;
        message.into_tls13_unpadded_message()
    }
}

struct Keyed12<A, const EXPLICIT: usize> {
    aead: A,
    /// Where the record tells the last bytes, they are zero when receiving.
    iv: [u8; NONCE_LEN],
}

impl<A: Cipher, const EXPLICIT: usize> Keyed12<A, EXPLICIT> {
    fn new(key: &AeadKey, fixed: &[u8], explicit: &[u8]) -> Self {
        let mut iv = [0; NONCE_LEN];
        for (iv, byte) in iv.iter_mut().zip(fixed.iter().chain(explicit)) {
            *iv = *byte;
        }
        Self { aead: keyed(key), iv }
    }
}

impl Tls12AeadAlgorithm for Tls12 {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        (self.encrypter)(key, iv, extra)
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        (self.decrypter)(key, iv)
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: (self.key_bytes)(),
            fixed_iv_len: NONCE_LEN - self.explicit_bytes,
            explicit_nonce_len: self.explicit_bytes,
        }
    }

    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

impl<A: Cipher, const EXPLICIT: usize> MessageEncrypter for Keyed12<A, EXPLICIT> {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let len = message.payload.len();
        let nonce = Nonce::new(&Iv::new(self.iv), seq);
        let mut payload = PrefixedPayload::with_capacity(self.encrypted_payload_len(len));
        payload.extend_from_slice(&nonce.0[NONCE_LEN - EXPLICIT..]);
        payload.extend_from_chunks(&message.payload);
        let aad = make_tls12_aad(seq, message.typ, message.version, len);
        seal(&self.aead, (nonce, &aad), &mut payload, EXPLICIT)?;
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        EXPLICIT + payload_len + TAG_BYTES
    }
}

impl<A: Cipher, const EXPLICIT: usize> MessageDecrypter for Keyed12<A, EXPLICIT> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let overhead = EXPLICIT + TAG_BYTES;
        let len = message.payload.len().checked_sub(overhead).ok_or(Error::DecryptError)?;
        if len > CONTENT_BYTES_MAX {
            return Err(Error::PeerSentOversizedRecord);
        }
        let nonce = if EXPLICIT == 0 {
            Nonce::new(&Iv::new(self.iv), seq)
        } else {
            let mut nonce = self.iv;
            nonce[NONCE_LEN - EXPLICIT..].copy_from_slice(&message.payload[..EXPLICIT]);
            Nonce(nonce)
        };
        let aad = make_tls12_aad(seq, message.typ, message.version, len);
        open(&self.aead, (nonce, &aad), &mut message.payload, EXPLICIT)?;
        let end = message.payload.len();
        Ok(message.into_plain_message_range(EXPLICIT..end))
    }
}

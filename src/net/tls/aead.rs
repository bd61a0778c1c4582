//! Records sealed and opened: AES-GCM and ChaCha20-Poly1305 as TLS 1.3 (RFC 8446 section 5.2)
//! and TLS 1.2 (RFC 5288, RFC 7905) use them. Never makes a key or a nonce of its own.

use std::marker::PhantomData;

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInOut, Key, KeyInit};
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

/// An AEAD with the sizes of TLS.
pub(super) trait Cipher:
    AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static
{
}

impl<A> Cipher for A where
    A: AeadInOut<NonceSize = U12, TagSize = U16> + KeyInit + Send + Sync + 'static
{
}

/// How TLS 1.3 uses `A`.
pub(super) struct Tls13<A>(PhantomData<fn() -> A>);

/// How TLS 1.2 uses `A`, with so many bytes of the nonce in each record.
pub(super) struct Tls12<A, const EXPLICIT: usize>(PhantomData<fn() -> A>);

impl<A> Tls13<A> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<A, const EXPLICIT: usize> Tls12<A, EXPLICIT> {
    pub(super) const NEW: Self = Self(PhantomData);
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

impl<A: Cipher> Tls13AeadAlgorithm for Tls13<A> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Keyed13::<A> { aead: keyed(&key), iv })
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Keyed13::<A> { aead: keyed(&key), iv })
    }

    fn key_len(&self) -> usize {
        A::key_size()
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

impl<A: Cipher, const EXPLICIT: usize> Tls12AeadAlgorithm for Tls12<A, EXPLICIT> {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Keyed12::<A, EXPLICIT>::new(&key, iv, extra))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Keyed12::<A, EXPLICIT>::new(&key, iv, &[]))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: A::key_size(),
            fixed_iv_len: NONCE_LEN - EXPLICIT,
            explicit_nonce_len: EXPLICIT,
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

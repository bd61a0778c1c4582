//! SHA-2 and HMAC in the form that rustls asks for. Never sees a key that it keeps.

use std::marker::PhantomData;

use hmac::digest::{Digest, FixedOutput, KeyInit, OutputSizeUser};
use hmac::{EagerHash, Hmac, Mac};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{self as keyed, Key, Tag};
use sha2::{Sha256, Sha384};

/// A SHA-2 that TLS's suites use.
pub(super) trait Sha2: Digest + EagerHash + Clone + Send + Sync + 'static {
    const ALGORITHM: HashAlgorithm;
}

impl Sha2 for Sha256 {
    const ALGORITHM: HashAlgorithm = HashAlgorithm::SHA256;
}

impl Sha2 for Sha384 {
    const ALGORITHM: HashAlgorithm = HashAlgorithm::SHA384;
}

/// The hash and the HMAC over it.
pub(super) struct Of<D>(PhantomData<fn() -> D>);

impl<D> Of<D> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<D: Sha2> Hash for Of<D> {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running(D::new()))
    }

    fn hash(&self, data: &[u8]) -> Output {
        Output::new(&D::digest(data))
    }

    fn output_len(&self) -> usize {
        <D as Digest>::output_size()
    }

    fn algorithm(&self) -> HashAlgorithm {
        D::ALGORITHM
    }
}

struct Running<D>(D);

impl<D: Sha2> Context for Running<D> {
    fn fork_finish(&self) -> Output {
        Output::new(&self.0.clone().finalize())
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self(self.0.clone()))
    }

    fn finish(self: Box<Self>) -> Output {
        Output::new(&self.0.finalize())
    }

    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }
}

impl<D: Sha2> keyed::Hmac for Of<D>
where
    Hmac<D>: Mac + KeyInit + Clone + Send + Sync,
{
    fn with_key(&self, key: &[u8]) -> Box<dyn Key> {
        match <Hmac<D> as KeyInit>::new_from_slice(key) {
            Ok(hmac) => Box::new(Keyed(hmac)),
            Err(_) => unreachable!("HMAC takes keys of any length"),
        }
    }

    fn hash_output_len(&self) -> usize {
        <D as Digest>::output_size()
    }
}

struct Keyed<M>(M);

impl<M> Key for Keyed<M>
where
    M: Mac + FixedOutput + OutputSizeUser + Clone + Send + Sync,
{
    fn sign_concat(&self, first: &[u8], middle: &[&[u8]], last: &[u8]) -> Tag {
        let mut mac = self.0.clone();
        Mac::update(&mut mac, first);
        for part in middle {
            Mac::update(&mut mac, part);
        }
        Mac::update(&mut mac, last);
        Tag::new(&mac.finalize_fixed())
    }

    fn tag_len(&self) -> usize {
        M::output_size()
    }
}

//! Key agreement: X25519, P-256 and P-384, each with a key that is used once. Never keeps one.

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use p256::elliptic_curve::Generate;
use p256::elliptic_curve::sec1::ToSec1Point;
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};

pub(super) static ALL: [&dyn SupportedKxGroup; 3] = [&X25519, &P256, &P384];

fn refused() -> Error {
    PeerMisbehaved::InvalidKeyShare.into()
}

/// RFC 7748.
#[derive(Debug)]
struct X25519;

struct X25519Running {
    secret: x25519_dalek::StaticSecret,
    public: x25519_dalek::PublicKey,
}

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut bytes = [0; 32];
        SysRng.try_fill_bytes(&mut bytes).map_err(|_| GetRandomFailed)?;
        let secret = x25519_dalek::StaticSecret::from(bytes);
        bytes.fill(0);
        let public = (&secret).into();
        Ok(Box::new(X25519Running { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl ActiveKeyExchange for X25519Running {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = <[u8; 32]>::try_from(peer).map_err(|_| refused())?;
        let shared = self.secret.diffie_hellman(&peer.into());
        // RFC 7748 section 6.1: a point of small order would let the peer choose the secret.
        if !shared.was_contributory() {
            return Err(refused());
        }
        Ok(shared.as_bytes().as_slice().into())
    }

    fn pub_key(&self) -> &[u8] {
        self.public.as_bytes()
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// One of NIST's curves: SEC 1, uncompressed points alone (RFC 8446 section 4.2.8.2).
macro_rules! nist {
    ($group:ident, $running:ident, $curve:ident, $name:ident) => {
        #[derive(Debug)]
        struct $group;

        struct $running {
            secret: $curve::ecdh::EphemeralSecret,
            public: Vec<u8>,
        }

        impl SupportedKxGroup for $group {
            fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
                let secret = $curve::ecdh::EphemeralSecret::try_generate_from_rng(&mut SysRng)
                    .map_err(|_| GetRandomFailed)?;
                let public = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
                Ok(Box::new($running { secret, public }))
            }

            fn name(&self) -> NamedGroup {
                NamedGroup::$name
            }
        }

        impl ActiveKeyExchange for $running {
            fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
                if peer.first() != Some(&0x04) {
                    return Err(refused());
                }
                let peer = $curve::PublicKey::from_sec1_bytes(peer).map_err(|_| refused())?;
                let shared = self.secret.diffie_hellman(&peer);
                Ok(shared.raw_secret_bytes().as_slice().into())
            }

            fn pub_key(&self) -> &[u8] {
                &self.public
            }

            fn group(&self) -> NamedGroup {
                NamedGroup::$name
            }
        }
    };
}

nist!(P256, P256Running, p256, secp256r1);
nist!(P384, P384Running, p384, secp384r1);

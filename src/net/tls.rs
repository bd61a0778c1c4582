//! TLS 1.2 and 1.3 for a client: rustls over RustCrypto, without C. Never accepts a server whose
//! certificate is not for the name that was asked for, or neither leads to a root nor is one.

mod agree;
mod fault;
mod hash;
mod identity;
mod pss;
mod roots;
mod server;
mod suites;
mod verify;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;

pub(super) use fault::told;

/// Why nothing can be asked of any server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SetupError {
    /// The roots that were given.
    #[error("ServerCertificate: {0}")]
    Roots(String),
    /// There are none in the usual places.
    #[error("no certificates of authorities on this system, wanted ServerCertificate or /etc/ssl")]
    NoRoots,
    /// The client's certificate or key.
    #[error("HttpsClient: {0}")]
    Client(String),
}

/// What a connection is made with: `roots` in PEM or the system's, and the client's own chain and
/// key in PEM.
pub(super) fn config(
    roots: Option<&[u8]>,
    client: Option<(&[u8], &[u8])>,
) -> Result<Arc<ClientConfig>, SetupError> {
    let broken = |error: rustls::Error| SetupError::Client(error.to_string());
    let provider = Arc::new(provider());
    let verifier = server::Verifier::new(roots::load(roots)?, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            builder.with_client_auth_cert(certificates(chain)?, private(key)?).map_err(broken)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain.map_err(|error| SetupError::Client(format!("Certificate: {error}")))
}

fn private(pem: &[u8]) -> Result<PrivateKeyDer<'static>, SetupError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| SetupError::Client(format!("Key: {error}")))
}

fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: suites::all(),
        kx_groups: agree::ALL.to_vec(),
        signature_verification_algorithms: verify::ALL,
        secure_random: &System,
        key_provider: &System,
    }
}

/// The kernel's random numbers; keys that are files.
#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(bytes).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for System {
    fn load_private_key(
        &self,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        identity::load(&key)
    }
}

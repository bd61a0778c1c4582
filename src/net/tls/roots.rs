//! The certificates that a server's own must lead to. Never trusts one that nobody put there.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::SetupError;

/// Where distributions keep the roots of all, in one file.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The longest file of roots, in bytes; Debian's has 220 KiB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What is trusted.
pub(super) struct Roots {
    /// Authorities.
    pub(super) store: RootCertStore,
    /// Those that the owner named: none where they are the system's.
    pub(super) given: Vec<CertificateDer<'static>>,
}

/// The roots of `pem`, or the system's.
pub(super) fn load(pem: Option<&[u8]>) -> Result<Roots, SetupError> {
    match pem {
        Some(pem) => ours(pem),
        None => Ok(Roots { store: system(&SYSTEM.map(Path::new))?, given: Vec::new() }),
    }
}

/// Each of these must be one, as somebody meant it.
fn ours(pem: &[u8]) -> Result<Roots, SetupError> {
    let (mut store, mut given) = (RootCertStore::empty(), Vec::new());
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| SetupError::Roots(error.to_string()))?;
        store.add(certificate.clone()).map_err(|error| SetupError::Roots(error.to_string()))?;
        given.push(certificate);
    }
    if given.is_empty() {
        return Err(SetupError::Roots("no certificate in it".into()));
    }
    Ok(Roots { store, given })
}

/// Those that are understood of the first file that has any.
fn system(files: &[&Path]) -> Result<RootCertStore, SetupError> {
    for file in files {
        let mut pem = Vec::new();
        let Ok(file) = File::open(file) else { continue };
        if file.take(FILE_BYTES_MAX).read_to_end(&mut pem).is_err() {
            continue;
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).flatten());
        if !store.is_empty() {
            return Ok(store);
        }
    }
    Err(SetupError::NoRoots)
}

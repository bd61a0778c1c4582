//! Certificates made at run time: an authority, servers it stands for, rightly or not, and
//! clients. Never leaves a key on a disk.

use std::io;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A certificate authority.
#[derive(Clone)]
pub struct Authority(Arc<CertifiedIssuer<'static, KeyPair>>);

/// A certificate and its key, both as PEM.
pub struct Pair {
    /// The certificate, without its authority's.
    pub certificate: String,
    /// PKCS#8.
    pub key: String,
}

/// A certificate and its key, as rustls takes them.
pub(crate) type Der = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl Authority {
    /// A new one, with a P-256 key, that nobody knows yet.
    ///
    /// # Errors
    /// No randomness.
    pub fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        // No two have the same name: a client must not mistake one for a forgery of the other.
        let tag: String =
            key.public_key_raw()[1..5].iter().map(|byte| format!("{byte:02x}")).collect();
        params.distinguished_name.push(DnType::CommonName, format!("authority {tag} for tests"));
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        Ok(Self(Arc::new(issuer)))
    }

    /// What a client is given as its root.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A certificate for a client.
    ///
    /// # Errors
    /// No randomness.
    pub fn client(&self, name: &str) -> io::Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let (certificate, key) = self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A certificate for another server of these names and addresses.
    ///
    /// # Errors
    /// No randomness, or a name is none.
    pub fn pair(&self, names: &[&str]) -> io::Result<Pair> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let params = CertificateParams::new(names).map_err(io::Error::other)?;
        let (certificate, key) = self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)?;
        Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
    }

    /// A certificate for a server of these names and addresses.
    pub(crate) fn server(&self, names: Vec<String>) -> io::Result<Der> {
        self.der_for(CertificateParams::new(names).map_err(io::Error::other)?)
    }

    /// The same, out of date for years.
    pub(crate) fn expired(&self, names: Vec<String>) -> io::Result<Der> {
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.der_for(params)
    }

    fn der_for(&self, params: CertificateParams) -> io::Result<Der> {
        let (certificate, key) = self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((certificate.der().clone(), key.into()))
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> io::Result<(rcgen::Certificate, KeyPair)> {
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok((certificate, key))
    }
}

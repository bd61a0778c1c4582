//! The cipher suites that are offered: forward secret, authenticated, over the AEADs here. Never
//! more than TLS 1.2 and 1.3.

use rustls::crypto::cipher::Tls12AeadAlgorithm;
use rustls::crypto::hash::Hash;
use rustls::crypto::tls12::{Prf, PrfUsingHmac};
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::crypto::{CipherSuiteCommon, KeyExchangeAlgorithm};
use rustls::{
    CipherSuite, SignatureScheme, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite,
};
use sha2::{Sha256, Sha384};
use tls_records::{
    TLS12_AES_128, TLS12_AES_256, TLS12_CHACHA, TLS13_AES_128, TLS13_AES_256, TLS13_CHACHA,
};

use super::hash::Of;

/// After so many records a key is replaced (RFC 8446 section 5.5), in records.
const GCM_RECORDS_MAX: u64 = 1 << 24;

static SHA256: Of<Sha256> = Of::NEW;
static SHA384: Of<Sha384> = Of::NEW;
static HKDF_SHA256: HkdfUsingHmac<'_> = HkdfUsingHmac(&SHA256);
static HKDF_SHA384: HkdfUsingHmac<'_> = HkdfUsingHmac(&SHA384);
static PRF_SHA256: PrfUsingHmac<'_> = PrfUsingHmac(&SHA256);
static PRF_SHA384: PrfUsingHmac<'_> = PrfUsingHmac(&SHA384);

const ECDSA: &[SignatureScheme] =
    &[SignatureScheme::ECDSA_NISTP384_SHA384, SignatureScheme::ECDSA_NISTP256_SHA256];
const RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA256,
];

const fn common(
    suite: CipherSuite,
    hash_provider: &'static dyn Hash,
    confidentiality_limit: u64,
) -> CipherSuiteCommon {
    CipherSuiteCommon { suite, hash_provider, confidentiality_limit }
}

/// TLS 1.2 with ECDHE.
const fn tls12(
    common: CipherSuiteCommon,
    sign: &'static [SignatureScheme],
    (prf_provider, aead_alg): Old,
) -> Tls12CipherSuite {
    Tls12CipherSuite { common, prf_provider, kx: KeyExchangeAlgorithm::ECDHE, sign, aead_alg }
}

static AES_128: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_AES_128_GCM_SHA256, &SHA256, GCM_RECORDS_MAX),
    hkdf_provider: &HKDF_SHA256,
    aead_alg: &TLS13_AES_128,
    quic: None,
};
static AES_256: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_AES_256_GCM_SHA384, &SHA384, GCM_RECORDS_MAX),
    hkdf_provider: &HKDF_SHA384,
    aead_alg: &TLS13_AES_256,
    quic: None,
};
static CHACHA: Tls13CipherSuite = Tls13CipherSuite {
    common: common(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, &SHA256, u64::MAX),
    hkdf_provider: &HKDF_SHA256,
    aead_alg: &TLS13_CHACHA,
    quic: None,
};

/// What a suite of TLS 1.2 makes its keys with, and what it does with them.
type Old = (&'static dyn Prf, &'static dyn Tls12AeadAlgorithm);
const AES_128_OLD: Old = (&PRF_SHA256, &TLS12_AES_128);
const AES_256_OLD: Old = (&PRF_SHA384, &TLS12_AES_256);
const CHACHA_OLD: Old = (&PRF_SHA256, &TLS12_CHACHA);
static ECDSA_AES_128: Tls12CipherSuite = tls12(
    common(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, &SHA256, GCM_RECORDS_MAX),
    ECDSA,
    AES_128_OLD,
);
static ECDSA_AES_256: Tls12CipherSuite = tls12(
    common(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, &SHA384, GCM_RECORDS_MAX),
    ECDSA,
    AES_256_OLD,
);
static ECDSA_CHACHA: Tls12CipherSuite = tls12(
    common(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, &SHA256, u64::MAX),
    ECDSA,
    CHACHA_OLD,
);
static RSA_AES_128: Tls12CipherSuite = tls12(
    common(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, &SHA256, GCM_RECORDS_MAX),
    RSA,
    AES_128_OLD,
);
static RSA_AES_256: Tls12CipherSuite = tls12(
    common(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, &SHA384, GCM_RECORDS_MAX),
    RSA,
    AES_256_OLD,
);
static RSA_CHACHA: Tls12CipherSuite = tls12(
    common(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, &SHA256, u64::MAX),
    RSA,
    CHACHA_OLD,
);

/// In the order of preference: AES first where the processor has it, as it is the faster one
/// there and by far the slower one elsewhere.
pub(super) fn all() -> Vec<SupportedCipherSuite> {
    let mut suites = vec![
        SupportedCipherSuite::Tls13(&AES_128),
        SupportedCipherSuite::Tls13(&AES_256),
        SupportedCipherSuite::Tls13(&CHACHA),
        SupportedCipherSuite::Tls12(&ECDSA_AES_128),
        SupportedCipherSuite::Tls12(&ECDSA_AES_256),
        SupportedCipherSuite::Tls12(&ECDSA_CHACHA),
        SupportedCipherSuite::Tls12(&RSA_AES_128),
        SupportedCipherSuite::Tls12(&RSA_AES_256),
        SupportedCipherSuite::Tls12(&RSA_CHACHA),
    ];
    if !has_aes() {
        suites.sort_by_key(|suite| !format!("{:?}", suite.suite()).contains("CHACHA"));
    }
    suites
}

/// Whether the processor has instructions for AES-GCM.
fn has_aes() -> bool {
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("aes") && is_x86_feature_detected!("pclmulqdq");
    #[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
    false
}

//! The PEM block in a key file, found as tolerantly as OpenSSL finds it. Knows no keys.

use base64ct::{Base64, Encoding};

use super::KeyError;

/// Room for the DER of a key, in bytes: an RSA-8192 key has 1062, so that a key twice too large
/// is still refused by its size.
pub(super) const DER_BYTES_MAX: usize = 1152;
const TEXT_CHARS_MAX: usize = DER_BYTES_MAX / 3 * 4;

/// What some editors put in front (U+FEFF).
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What a block may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// SubjectPublicKeyInfo, RFC 7468 section 13.
    PublicKey,
    /// RSAPublicKey, RFC 8017 A.1.1; OpenSSL's own label.
    RsaPublicKey,
}

/// Labels that people enrol by mistake (OpenSSL's pem.h and OpenSSH's).
const OTHERS: [&str; 8] = [
    "CERTIFICATE",
    "CERTIFICATE REQUEST",
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "EC PRIVATE KEY",
    "RSA PRIVATE KEY",
    "OPENSSH PRIVATE KEY",
    "EC PARAMETERS",
];

impl Label {
    fn find(text: &[u8]) -> Result<Self, KeyError> {
        let known = [Self::PublicKey, Self::RsaPublicKey];
        let same = |label: &Self| label.text().as_bytes() == text;
        known.into_iter().find(same).ok_or_else(|| KeyError::Label {
            found: OTHERS
                .into_iter()
                .find(|other| other.as_bytes() == text)
                .unwrap_or("of something else"),
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::PublicKey => "PUBLIC KEY",
            Self::RsaPublicKey => "RSA PUBLIC KEY",
        }
    }
}

/// The first block of `pem` with either label, its bytes put into `der`. Only that one counts,
/// as in OpenSSL; what stands around it is not looked at.
pub(super) fn decode<'a>(
    pem: &[u8],
    der: &'a mut [u8; DER_BYTES_MAX],
) -> Result<(Label, &'a [u8]), KeyError> {
    let pem = pem.strip_prefix(BYTE_ORDER_MARK).unwrap_or(pem);
    let mut lines = pem.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
    let begins = lines.by_ref().filter_map(|line| boundary(line, b"-----BEGIN "));
    let mut labels = begins.map(Label::find);
    let first = labels.next().ok_or(KeyError::NoBlock)?;
    let label = first.or_else(|error| labels.find_map(Result::ok).ok_or(error))?;
    let mut text = Text { chars: [0; TEXT_CHARS_MAX], len: 0 };
    for line in lines {
        if line.starts_with(b"-----") {
            let same = boundary(line, b"-----END ") == Some(label.text().as_bytes());
            let end = if same { Ok(()) } else { Err(KeyError::NoEnd { label: label.text() }) };
            return end.and_then(|()| Ok((label, text.decode(der)?)));
        }
        text.push(line)?;
    }
    Err(KeyError::NoEnd { label: label.text() })
}

/// The label in a line that begins with `edge`.
fn boundary<'a>(line: &'a [u8], edge: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(edge)?.strip_suffix(b"-----")
}

/// The base64 of a block, blanks taken out.
struct Text {
    chars: [u8; TEXT_CHARS_MAX],
    len: usize,
}

impl Text {
    fn push(&mut self, line: &[u8]) -> Result<(), KeyError> {
        for &char in line.iter().filter(|char| !char.is_ascii_whitespace()) {
            let end = self.chars.get_mut(self.len);
            *end.ok_or(KeyError::TooLong { allowed: TEXT_CHARS_MAX })? = char;
            self.len += 1;
        }
        Ok(())
    }

    fn decode(self, der: &mut [u8; DER_BYTES_MAX]) -> Result<&[u8], KeyError> {
        Base64::decode(&self.chars[..self.len], der).map_err(|_| KeyError::Base64)
    }
}

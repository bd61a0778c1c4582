//! A channel file: which version is the newest, and where it is. Fetches nothing.
//!
//! ```json
//! {"version": "release-2", "url": "release-2.mender", "size": 103809024, "sha256": "...",
//!  "notes": "What is new.", "severity": "security", "device_type": ["rockpro64"]}
//! ```
//! `version` is the artifact's name; it and `url` must be there. `url` may be a list, and
//! relative to the file's own; keys that are not listed here do not matter.

use super::super::address;
use super::super::fields::{Fields, NAME_BYTES, URL_BYTES};
use super::super::server::{Attributes, Offer};

/// The longest notes, in bytes.
const NOTES_BYTES: usize = 16 << 10;

/// The longest word of severity, in bytes.
const SEVERITY_BYTES: usize = 64;

/// What a channel file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Newest {
    version: String,
    urls: Vec<String>,
    size_bytes: Option<u64>,
    digest: Option<[u8; 32]>,
    notes: Option<String>,
    severity: Option<String>,
    /// Empty: for all.
    device_types: Vec<String>,
}

/// What the file `body` says.
pub(crate) fn parse(body: &[u8]) -> Result<Newest, String> {
    let fields = Fields::of(body)?;
    let urls = fields.words("url", URL_BYTES)?;
    if urls.is_empty() {
        return Err("url is missing".to_owned());
    }
    Ok(Newest {
        version: fields.word("version", NAME_BYTES)?,
        urls,
        size_bytes: fields.number("size")?,
        digest: fields.digest("sha256")?,
        notes: fields.prose("notes", NOTES_BYTES)?,
        severity: fields.word_if_any("severity", SEVERITY_BYTES)?,
        device_types: fields.words("device_type", NAME_BYTES)?,
    })
}

impl Newest {
    /// The offer that this is, in the file at `url`, to a device that provides this; none if it
    /// is for others, or is what runs here. Nobody vouches for it yet.
    pub(crate) fn offer(self, url: &str, provides: &Attributes) -> Option<Offer> {
        let provides = |name: &str, value: &str| {
            provides.iter().any(|(key, found)| key == name && found == value)
        };
        let types = &self.device_types;
        let is_ours = types.is_empty() || types.iter().any(|one| provides("device_type", one));
        let waits = is_ours && !provides("artifact_name", &self.version);
        waits.then(|| Offer {
            deployment: None,
            artifact_name: self.version,
            urls: self.urls.iter().map(|target| address::join(url, target)).collect(),
            size_bytes: self.size_bytes,
            digest: self.digest,
            notes: self.notes,
            severity: self.severity,
            vouched: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"version":"release-2","url":["release-2.mender","https://b/r"],
        "size":7,"sha256":"000000000000000000000000000000000000000000000000000000000000000a",
        "notes":"one\ntwo","severity":"security","device_type":"rockpro64","colour":{"red":1}}"#;

    fn provides(device_type: &str, artifact_name: &str) -> Attributes {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![pair("device_type", device_type), pair("artifact_name", artifact_name)]
    }

    fn offer(file: &str, provides: &Attributes) -> Option<Offer> {
        parse(file.as_bytes()).unwrap().offer("https://a/stable/rock.json", provides)
    }

    #[test]
    fn a_file_is_an_offer_to_its_device_types_and_to_no_other() {
        let offered = offer(FILE, &provides("rockpro64", "release-1")).unwrap();
        assert_eq!(offered.artifact_name, "release-2");
        assert_eq!(offered.urls, ["https://a/stable/release-2.mender", "https://b/r"]);
        assert_eq!((offered.size_bytes, offered.digest.unwrap()[31]), (Some(7), 10));
        assert_eq!(offered.notes.as_deref(), Some("one\ntwo"));
        assert_eq!(offered.severity.as_deref(), Some("security"));
        assert_eq!((offered.deployment, offered.vouched), (None, false));
        assert_eq!(offer(FILE, &provides("rockpro65", "release-1")), None);
        let several = FILE.replace(r#""rockpro64""#, r#"["x","rockpro65"]"#);
        assert!(offer(&several, &provides("rockpro65", "release-1")).is_some());
        let all = FILE.replace("device_type", "type");
        assert!(offer(&all, &provides("anything", "release-1")).is_some());
    }

    #[test]
    fn what_runs_already_is_no_offer() {
        assert_eq!(offer(FILE, &provides("rockpro64", "release-2")), None);
    }

    #[test]
    fn a_file_cut_anywhere_is_none() {
        for end in 0..FILE.len() {
            assert!(parse(&FILE.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn a_field_of_the_wrong_kind_is_named() {
        for (from, to, said) in [
            (r#""version":"#, r#""v":"#, "version is missing"),
            (r#""release-2","#, "2,", "version: wanted a text of one line"),
            (r#""url":"#, r#""uri":"#, "url is missing"),
            (r#"["release-2.mender","https://b/r"]"#, "[]", "url is missing"),
            (r#"["release-2.mender","https://b/r"]"#, "{}", "url: wanted a text of one line"),
            (r#""size":7"#, r#""size":-7"#, "size: wanted a whole number"),
            (r#""size":7"#, r#""size":"7""#, "size: wanted a whole number"),
            ("00000a", "00000x", "sha256: wanted 64 hexadecimal digits"),
            (r#""one\ntwo""#, "[1]", "notes: wanted a string"),
            (r#""security""#, "[1]", "severity: wanted a text of one line"),
            (r#""rockpro64""#, "[[1]]", "device_type: wanted a text of one line"),
        ] {
            let file = FILE.replacen(from, to, 1);
            assert_ne!(file, FILE, "{from}");
            assert_eq!(parse(file.as_bytes()), Err(said.into()));
        }
    }
}

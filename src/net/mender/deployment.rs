//! What Mender's server answers when it is asked for an update (mender-server
//! backend/docs/api/deployments/devices_v1.yaml, `DeploymentInstructions`). Asks nothing.

use super::super::fields::{Fields, NAME_BYTES, URL_BYTES};
use super::super::server::Offer;

/// The longest name of a deployment, in bytes: a UUID has 36.
const ID_BYTES: usize = 128;

/// The update that `body` describes.
pub(crate) fn parse(body: &[u8]) -> Result<Offer, String> {
    let fields = Fields::of(body)?;
    let artifact = fields.inside("artifact")?;
    let source = artifact.inside("source")?;
    Ok(Offer {
        deployment: Some(fields.word("id", ID_BYTES)?),
        artifact_name: artifact.word("artifact_name", NAME_BYTES)?,
        urls: vec![source.word("uri", URL_BYTES)?],
        size_bytes: None,
        digest: None,
        notes: None,
        severity: None,
        // The server knows this device, and was told to.
        vouched: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"id":"w81s4fae-7dec-11d0-a765-00a0c91e6bf6","type":"software",
        "artifact":{"id":"x","artifact_name":"release-2",
        "source":{"uri":"https://s3.example/a?X-Sig=1\u0026e=2","expire":"2026-11-26T00:00:00Z"},
        "device_types_compatible":["rockpro64"]}}"#;

    #[test]
    fn a_deployment_is_read_with_its_number_name_and_link() {
        let offer = parse(BODY.as_bytes()).unwrap();
        assert_eq!(offer.deployment.as_deref(), Some("w81s4fae-7dec-11d0-a765-00a0c91e6bf6"));
        assert_eq!(offer.artifact_name, "release-2");
        assert_eq!(offer.urls, ["https://s3.example/a?X-Sig=1&e=2"]);
        assert!(offer.vouched);
    }

    #[test]
    fn a_deployment_cut_anywhere_is_none() {
        for end in 0..BODY.len() {
            assert!(parse(&BODY.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn each_field_that_is_needed_is_named_when_it_is_missing_or_of_another_kind() {
        for (field, said) in [
            ("\"id\":\"w81", "id is missing"),
            ("\"artifact\":", "artifact is missing"),
            ("\"artifact_name\"", "artifact_name is missing"),
            ("\"source\"", "source is missing"),
            ("\"uri\"", "uri is missing"),
        ] {
            let body = BODY.replacen(field, &field.replacen('"', "\"no_", 1), 1);
            assert_eq!(parse(body.as_bytes()), Err(said.into()));
        }
        let body = BODY.replace("\"release-2\"", "[\"release-2\"]");
        assert_eq!(parse(body.as_bytes()), Err("artifact_name: wanted a text of one line".into()));
        let body = BODY.replace("release-2", &"x".repeat(257));
        let said = "artifact_name has 257 bytes, at most 256 are allowed";
        assert_eq!(parse(body.as_bytes()), Err(said.into()));
    }
}

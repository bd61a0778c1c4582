//! `auth_requests`: who is let in, and with which token. Never looks into a token again.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{Admission, Answer, Answered, DeviceApi, body, text};
use crate::http::{Request, header};
use crate::record::{Device, Record};
use crate::signature;

const LIFETIME_S: i64 = 7 * 24 * 3600;

impl DeviceApi {
    pub(super) fn authenticate(&mut self, request: &Request, record: &mut Record) -> Answered {
        if request.method != "POST" {
            return Err(Answer::empty(405));
        }
        let signature = request.header("x-men-signature").filter(|value| !value.is_empty());
        let signature =
            signature.ok_or_else(|| Answer::error(400, "missing request signature header"))?;
        let asked = body(request)?;
        let (id_data, key) = (text(&asked, "id_data")?, text(&asked, "pubkey")?);
        let identity: Value = serde_json::from_str(id_data)
            .map_err(|_| Answer::error(400, "id_data: not a JSON object"))?;
        if !identity.is_object() {
            return Err(Answer::error(400, "id_data: not a JSON object"));
        }
        signature::verify(key, &request.body, signature)
            .map_err(|error| Answer::error(401, error))?;
        self.admit(&asked)?;
        let device = Device { identity, key: key.to_owned() };
        if !record.devices.contains(&device) {
            record.devices.push(device);
        }
        let token = token(id_data)?;
        self.tokens.insert(token.clone(), id_data.to_owned());
        let headers = vec![header("Content-Type", "application/jwt")];
        Ok(Answer { status: 200, headers, body: token.into_bytes() })
    }

    fn admit(&self, asked: &Value) -> Result<(), Answer> {
        let given = asked["tenant_token"].as_str().unwrap_or_default();
        if self.tenant_token.as_ref().is_some_and(|wanted| wanted != given) {
            return Err(Answer::error(401, "dev auth: unauthorized: bad tenant token"));
        }
        match self.admission {
            Admission::Accept => Ok(()),
            Admission::Pend | Admission::Reject => {
                Err(Answer::error(401, "dev auth: unauthorized"))
            }
        }
    }
}

/// Looks like the server's own; nobody but this server can read anything into it.
fn token(subject: &str) -> Result<String, Answer> {
    let mut random = [0; 32];
    SystemRandom::new().fill(&mut random).map_err(|_| Answer::error(500, "no randomness"))?;
    let expiry = OffsetDateTime::now_utc().unix_timestamp() + LIFETIME_S;
    let claims = json!({ "sub": subject, "exp": expiry, "mender.device": true });
    let header = json!({ "alg": "none of yours", "typ": "JWT" });
    let [header, claims] =
        [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string().as_bytes()));
    Ok(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(random)))
}

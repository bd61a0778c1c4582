//! One server of Mender's, and what we are to it: whether it knows us, and which of its calls it
//! has. Never asks another server in its place.

use super::super::address::{Encoded, host};
use super::super::exchange::{Answer, Error, Exchange, Method, Request};
use super::super::fields::said;
use super::super::server::Attributes;
use super::body;
use super::key::{DeviceKey, base64};
use crate::object::Object;

/// The most that is read of an answer, in bytes.
const ANSWER_BYTES: u64 = 64 << 10;

/// The longest token, in bytes.
const TOKEN_BYTES: usize = 16 << 10;

/// Who we are not, or no longer.
const UNAUTHORIZED: u16 = 401;

const NOT_FOUND: u16 = 404;

/// Who this device is.
#[derive(Debug)]
pub(crate) struct Identity {
    /// What tells it from others, such as `mac`: names and values.
    pub(crate) names: Attributes,
    pub(crate) key: DeviceKey,
    /// Whose device it is, on a server of several owners.
    pub(crate) tenant_token: Option<String>,
}

impl Identity {
    /// The body of a request for a token: `id_data` is JSON in a string.
    fn claim(&self) -> String {
        let names = &self.names;
        let id = names.iter().fold(Object::default(), |id, (name, value)| id.text(name, value));
        let object = Object::default().text("id_data", id).text("pubkey", self.key.public_pem());
        match self.tenant_token.as_deref() {
            None | Some("") => object.to_string(),
            Some(token) => object.text("tenant_token", token).to_string(),
        }
    }
}

/// How a server is asked, and by whom.
#[derive(Debug)]
pub(super) struct Link<E> {
    pub(super) exchange: E,
    pub(super) identity: Identity,
}

/// A server.
#[derive(Debug)]
pub(super) struct Peer {
    /// Without a slash at its end.
    url: String,
    token: Option<String>,
    deployments: Deployments,
}

/// How a server is asked for a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deployments {
    /// With all that the device provides; hosted servers.
    V2,
    /// With name and type; those of one's own.
    V1,
}

impl Peer {
    pub(super) fn new(url: &str) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Self { url, token: None, deployments: Deployments::V2 }
    }

    /// For a message.
    pub(super) fn host(&self) -> String {
        host(&self.url)
    }

    /// Asks as the device that we are. A token that is no good any more is replaced, once.
    pub(super) fn ask<E: Exchange>(
        &mut self,
        link: &Link<E>,
        (method, path): (Method<'_>, &str),
    ) -> Result<Answer, Error> {
        let answer = self.ask_once(link, (method, path))?;
        if answer.status != UNAUTHORIZED {
            return Ok(answer);
        }
        self.ask_once(link, (method, path))
    }

    /// Asks for a deployment, in the newest way that the server has.
    pub(super) fn next<E: Exchange>(
        &mut self,
        link: &Link<E>,
        provides: &Attributes,
    ) -> Result<Answer, Error> {
        if self.deployments == Deployments::V2 {
            let body = body::provides(provides);
            let path = "v2/deployments/device/deployments/next";
            let answer = self.ask(link, (Method::Post(body.as_bytes()), path))?;
            if answer.status != NOT_FOUND {
                return Ok(answer);
            }
            self.deployments = Deployments::V1;
        }
        let value = |name: &str| {
            let found = provides.iter().find(|(key, _)| key == name);
            found.map_or("", |(_, value)| value.as_str())
        };
        let path = format!(
            "v1/deployments/device/deployments/next?artifact_name={}&device_type={}",
            Encoded(value("artifact_name")),
            Encoded(value("device_type"))
        );
        self.ask(link, (Method::Get, &path))
    }

    fn ask_once<E: Exchange>(
        &mut self,
        link: &Link<E>,
        (method, path): (Method<'_>, &str),
    ) -> Result<Answer, Error> {
        let token = match self.token.take() {
            Some(token) => token,
            None => self.authenticate(link)?,
        };
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let headers = if method == Method::Get { &headers[..1] } else { &headers[..] };
        let url = format!("{}/api/devices/{path}", self.url);
        let request = Request { method, url: &url, headers, body_max_bytes: ANSWER_BYTES };
        let answer = link.exchange.send(request);
        if !matches!(&answer, Ok(answer) if answer.status == UNAUTHORIZED) {
            self.token = Some(token);
        }
        answer
    }

    /// Gets a token: says who we are, signed with the device's key.
    fn authenticate<E: Exchange>(&self, link: &Link<E>) -> Result<String, Error> {
        let body = link.identity.claim();
        let signature = base64(&link.identity.key.sign(body.as_bytes()));
        let request = Request {
            method: Method::Post(body.as_bytes()),
            url: &format!("{}/api/devices/v1/authentication/auth_requests", self.url),
            headers: &[
                ("Content-Type", "application/json"),
                ("X-MEN-Signature", signature.as_str()),
            ],
            body_max_bytes: ANSWER_BYTES,
        };
        let answer = link.exchange.send(request)?;
        match answer.status {
            200 => token(&answer.body).ok_or_else(|| Error::Malformed {
                host: self.host(),
                reason: "the token of this device is no token".to_owned(),
            }),
            UNAUTHORIZED => Err(self.refused(&answer, NOT_ACCEPTED)),
            _ => Err(self.refused(&answer, "")),
        }
    }

    /// The error of an answer that is no success, with the server's own words.
    pub(super) fn refused(&self, answer: &Answer, what: &str) -> Error {
        let said = said(&answer.body);
        let reason = match (what.is_empty(), said.is_empty()) {
            (false, false) => format!("{what} ({said})"),
            (false, true) => what.to_owned(),
            (true, _) => said,
        };
        let (status, retry_after) = (answer.status, answer.retry_after);
        Error::Refused { host: self.host(), status, reason, retry_after }
    }
}

/// What 401 means for one who asks for a token: pending, rejected and unknown are one to it.
const NOT_ACCEPTED: &str = "this device is not accepted yet";

/// A JWT is three words of base64 (RFC 7519), and goes into a header as it is.
fn token(body: &[u8]) -> Option<String> {
    let text = str::from_utf8(body).ok()?.trim();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.=+/".contains(&byte);
    let fits = !text.is_empty() && text.len() <= TOKEN_BYTES && text.bytes().all(is_plain);
    fits.then(|| text.to_owned())
}

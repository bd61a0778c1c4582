//! Mender's device API as the open-source server answers it: authentication, deployments,
//! inventory. What devices said is kept in a record. Never installs, and never trusts a device
//! that did not sign.

mod authentication;
mod deployments;
mod inventory;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(crate) use deployments::Fleet as Deployments;

use crate::http::{Request, header};
use crate::record::Record;

/// The server takes no larger body.
const BODY_MAX_BYTES: usize = 1 << 20;

/// What a device that asks to be let in is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// A token.
    #[default]
    Accept,
    /// 401 until someone accepts it.
    Pend,
    /// 401.
    Reject,
}

/// Which of Mender's servers this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edition {
    /// Knows no v2 of the API: 404.
    #[default]
    OpenSource,
    /// Has v2, too.
    Enterprise,
}

/// A deployment of one artifact to whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// A UUID on real servers.
    pub id: String,
    /// What the artifact says it is called.
    pub artifact_name: String,
    /// Where it is: a whole URL.
    pub uri: String,
    /// Device types it is for.
    pub device_types: Vec<String>,
}

/// The server's side of the API.
#[derive(Default)]
pub(crate) struct DeviceApi {
    pub(crate) admission: Admission,
    pub(crate) tenant_token: Option<String>,
    pub(crate) edition: Edition,
    pub(crate) deployments: Deployments,
    /// Tokens that count, and whose they are.
    pub(crate) tokens: BTreeMap<String, String>,
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    fn json(status: u16, value: &Value) -> Self {
        let headers = vec![header("Content-Type", "application/json")];
        Self { status, headers, body: value.to_string().into_bytes() }
    }

    fn error(status: u16, text: impl Into<String>) -> Self {
        let request_id = "00000000-0000-4000-8000-000000000000";
        Self::json(status, &json!({ "error": text.into(), "request_id": request_id }))
    }
}

/// A refusal is an answer too.
type Answered = Result<Answer, Answer>;

impl DeviceApi {
    /// None where the path is not one of the API.
    pub(crate) fn answer(&mut self, request: &Request, record: &mut Record) -> Option<Answer> {
        let path = request.path.strip_prefix("/api/devices/")?;
        if request.body.len() > BODY_MAX_BYTES {
            return Some(Answer::error(413, "http: request body too large"));
        }
        let answered = match path.split_once('/') {
            Some(("v1", "authentication/auth_requests")) => self.authenticate(request, record),
            Some((version, rest)) => match rest.split_once("/device/") {
                Some(("deployments", rest)) => self.deploy((version, rest), request, record),
                Some(("inventory", "attributes")) => self.inventory(request, record),
                _ => Err(Answer::error(404, "not found")),
            },
            None => Err(Answer::error(404, "not found")),
        };
        Some(answered.unwrap_or_else(|refusal| refusal))
    }

    /// The device whose token the request bears.
    fn device(&self, request: &Request) -> Result<String, Answer> {
        let bearer =
            request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let known = bearer.and_then(|token| self.tokens.get(token));
        known.cloned().ok_or_else(|| Answer::error(401, "unauthorized"))
    }
}

/// The body as JSON.
fn body(request: &Request) -> Result<Value, Answer> {
    let parsed = serde_json::from_slice(&request.body);
    parsed.map_err(|error| Answer::error(400, format!("failed to decode request body: {error}")))
}

/// A text in an object, that must be there and not empty.
fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, Answer> {
    let text = value[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| Answer::error(400, format!("{name}: cannot be blank")))
}

//! What devices say of themselves. Never interprets it.

use serde_json::Value;

use super::{Answer, Answered, DeviceApi, body, text};
use crate::http::Request;
use crate::record::Record;

impl DeviceApi {
    pub(super) fn inventory(&mut self, request: &Request, record: &mut Record) -> Answered {
        let device = self.device(request)?;
        if !["PUT", "PATCH"].contains(&request.method.as_str()) {
            return Err(Answer::empty(405));
        }
        let attributes = body(request)?;
        let attributes = attributes.as_array().ok_or_else(|| Answer::error(400, "no array"))?;
        let pairs = attributes.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
        let kept = record.inventory.entry(device).or_default();
        if request.method == "PUT" {
            kept.clear();
        }
        kept.extend(pairs);
        Ok(Answer::empty(200))
    }
}

fn pair(attribute: &Value) -> Result<(String, Value), Answer> {
    let name = text(attribute, "name")?;
    let value = &attribute["value"];
    let scalar = |value: &Value| value.is_string() || value.is_number();
    let list = || value.as_array().is_some_and(|list| list.iter().all(scalar));
    if scalar(value) || list() {
        Ok((name.to_owned(), value.clone()))
    } else {
        Err(Answer::error(400, format!("{name}: unsupported value type")))
    }
}

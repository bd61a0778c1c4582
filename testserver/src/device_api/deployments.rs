//! Deployments: what is offered to whom, how far each came, and what was told of it. Never
//! offers twice what has ended.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{Answer, Answered, Deployment, DeviceApi, Edition, body, text};
use crate::http::Request;
use crate::record::{LogMessage, Record, Report, Upload};

/// How long a link to an artifact is said to be good.
const LINK: Duration = Duration::hours(24);
const SUBSTATE_MAX_CHARS: usize = 200;
const STATUSES: [&str; 9] = [
    "downloading",
    "pause_before_installing",
    "installing",
    "pause_before_rebooting",
    "rebooting",
    "pause_before_committing",
    "success",
    "failure",
    "already-installed",
];

/// All deployments, the oldest first, and what became of them.
#[derive(Default)]
pub(crate) struct Fleet {
    all: Vec<Deployment>,
    /// By deployment and device.
    courses: BTreeMap<(String, String), Course>,
}

/// One deployment on one device.
#[derive(Default)]
struct Course {
    status: String,
    /// What the device said when it asked first.
    request: Option<Value>,
}

impl Course {
    fn over(&self) -> bool {
        ["success", "failure", "already-installed", "aborted"].contains(&self.status.as_str())
    }
}

impl Fleet {
    pub(crate) fn add(&mut self, deployment: Deployment) {
        self.all.push(deployment);
    }

    /// Aborts all that have not ended, on all devices.
    pub(crate) fn abort(&mut self) {
        let open = self.courses.values_mut().filter(|course| !course.over());
        open.for_each(|course| "aborted".clone_into(&mut course.status));
        let begun = |one: &Deployment| self.courses.keys().any(|(id, _)| *id == one.id);
        self.all = self.all.iter().filter(|one| begun(one)).cloned().collect();
    }

    fn course(&mut self, deployment: &str, device: &str) -> &mut Course {
        self.courses.entry((deployment.to_owned(), device.to_owned())).or_default()
    }

    /// The oldest deployment that has not ended for a device with these provides.
    fn next(&mut self, device: &str, provides: &Value) -> Answered {
        let (name, kind) = (text(provides, "artifact_name")?, text(provides, "device_type")?);
        let over = |one: &&Deployment| {
            let key = (one.id.clone(), device.to_owned());
            self.courses.get(&key).is_some_and(Course::over)
        };
        let Some(deployment) = self.all.iter().find(|one| !over(one)).cloned() else {
            return Ok(Answer::empty(204));
        };
        let course = self.course(&deployment.id, device);
        if course.request.as_ref().is_some_and(|first| first != provides) {
            "failure".clone_into(&mut course.status);
            return Err(Answer::error(409, "conflicting request data"));
        }
        course.request = Some(provides.clone());
        if !deployment.device_types.iter().any(|known| known == kind) {
            "failure".clone_into(&mut course.status);
            return Ok(Answer::empty(204));
        }
        if course.status.is_empty() && deployment.artifact_name == name {
            "already-installed".clone_into(&mut course.status);
            return Ok(Answer::empty(204));
        }
        offer(&deployment)
    }

    fn report(&mut self, id: &str, device: &str, status: &str) -> Result<(), Answer> {
        let course = self.courses.get_mut(&(id.to_owned(), device.to_owned()));
        let course = course.ok_or_else(|| Answer::error(404, "resource not found"))?;
        if course.status == "aborted" {
            return Err(Answer::error(409, "deployment aborted"));
        }
        status.clone_into(&mut course.status);
        Ok(())
    }
}

fn offer(deployment: &Deployment) -> Answered {
    let expire = (OffsetDateTime::now_utc() + LINK).format(&Rfc3339);
    let expire = expire.map_err(|error| Answer::error(500, error.to_string()))?;
    Ok(Answer::json(
        200,
        &json!({
            "id": deployment.id,
            "artifact": {
                "id": "11111111-1111-4111-8111-111111111111",
                "artifact_name": deployment.artifact_name,
                "source": { "uri": deployment.uri, "expire": expire },
                "device_types_compatible": deployment.device_types,
            },
        }),
    ))
}

impl DeviceApi {
    /// Everything below `deployments/device/`.
    pub(super) fn deploy(
        &mut self,
        (version, path): (&str, &str),
        request: &Request,
        record: &mut Record,
    ) -> Answered {
        let device = self.device(request)?;
        let parts: Vec<&str> = path.split('/').collect();
        match (version, request.method.as_str(), &parts[..]) {
            ("v1", "GET", ["deployments", "next"]) => {
                self.deployments.next(&device, &queried(&request.query))
            }
            ("v1", "POST", ["deployments", "next"]) => {
                self.deployments.next(&device, &body(request)?)
            }
            ("v2", "POST", ["deployments", "next"]) if self.edition == Edition::Enterprise => {
                self.deployments.next(&device, &body(request)?["device_provides"])
            }
            ("v1", "PUT", ["deployments", id, "status"]) => {
                let report = reported(id, &body(request)?)?;
                self.deployments.report(id, &device, &report.status)?;
                record.reports.push(report);
                Ok(Answer::empty(204))
            }
            ("v1", "PUT", ["deployments", id, "log"]) => {
                let upload = uploaded(id, &body(request)?)?;
                if !self.deployments.courses.contains_key(&((*id).to_owned(), device)) {
                    return Err(Answer::error(404, "resource not found"));
                }
                record.uploads.push(upload);
                Ok(Answer::empty(204))
            }
            _ => Err(Answer::error(404, "not found")),
        }
    }
}

/// The query as provides; names and versions need no escapes but these.
fn queried(query: &str) -> Value {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let plain = |text: &str| text.replace('+', " ").replace("%20", " ").replace("%2B", "+");
    let map: Map<_, _> =
        pairs.map(|(name, value)| (name.to_owned(), plain(value).into())).collect();
    Value::Object(map)
}

fn reported(deployment: &str, report: &Value) -> Result<Report, Answer> {
    let status = text(report, "status")?;
    if !STATUSES.contains(&status) {
        return Err(Answer::error(400, "status: unknown"));
    }
    let substate = report["substate"].as_str().unwrap_or_default();
    if substate.chars().count() > SUBSTATE_MAX_CHARS {
        return Err(Answer::error(400, "substate: the length must be no more than 200"));
    }
    Ok(Report {
        deployment: deployment.to_owned(),
        status: status.to_owned(),
        substate: substate.to_owned(),
    })
}

fn uploaded(deployment: &str, log: &Value) -> Result<Upload, Answer> {
    let messages = log["messages"].as_array().ok_or_else(|| Answer::error(400, "no messages"))?;
    if messages.is_empty() {
        return Err(Answer::error(400, "messages: cannot be blank"));
    }
    let message = |message: &Value| {
        let timestamp = text(message, "timestamp")?;
        OffsetDateTime::parse(timestamp, &Rfc3339)
            .map_err(|error| Answer::error(400, format!("timestamp: {error}")))?;
        Ok(LogMessage {
            timestamp: timestamp.to_owned(),
            level: text(message, "level")?.to_owned(),
            message: text(message, "message")?.to_owned(),
        })
    };
    let messages = messages.iter().map(message).collect::<Result<_, Answer>>()?;
    Ok(Upload { deployment: deployment.to_owned(), messages })
}

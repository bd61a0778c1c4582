//! The journal as a person reads it, and how the last attempt ended. Never decides which that was.

use std::fmt::Write as _;

use twinslot::journal::outcome::{Last, Outcome};
use twinslot::journal::{self, Event, Program, Ran, Record};
use twinslot::json::Text;

use crate::calendar::Moment;
use crate::object::{Object, array};

/// Every record of `journal`: a line each for a person, an object each for an app.
pub(crate) fn records(journal: &[u8]) -> (String, Vec<Object>) {
    let (mut text, mut objects) = (String::new(), Vec::new());
    for record in journal::records(journal) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}  {}", Moment(record.at_s), sentence(&record));
        objects.push(fields(&record));
    }
    (text, objects)
}

/// The `last` of `status --json`.
pub(crate) fn outcome(last: &Last<'_>) -> Object {
    Object::default()
        .text("outcome", last.outcome.word())
        .text_or_null("artifact_name", last.artifact)
        .text_or_null("reason", last.reason)
}

/// Everything for an app: the last outcome and the records.
pub(crate) fn answer(last: &Last<'_>, records: impl IntoIterator<Item = Object>) -> Object {
    Object::default().raw("last", outcome(last)).raw("records", array(records))
}

/// `rolled-back release-2: ...`
pub(crate) fn summary(last: &Last<'_>) -> String {
    let mut text = match last.outcome {
        Outcome::None => "no update has ended here yet".to_owned(),
        other => other.word().to_owned(),
    };
    if let Some(artifact) = last.artifact {
        let _ = write!(text, " {artifact}");
    }
    if let Some(reason) = last.reason {
        let _ = write!(text, ": {reason}");
    }
    text
}

/// A record as a sentence.
pub(crate) fn sentence(record: &Record<'_>) -> String {
    match record.event {
        Event::Started { slot, artifact } => format!("began to write {artifact} into slot {slot}"),
        Event::Failed { code, reason } => format!("failed ({code}): {reason}"),
        Event::Armed { slot, .. } => format!("wrote and verified slot {slot}, and armed it"),
        Event::Reverting { reason, .. } => format!("going back: {reason}"),
        Event::RolledBack { reason } => format!("went back: {reason}"),
        Event::Committed => "committed".to_owned(),
        Event::Adopted { artifact } => format!("took the names of {artifact}, no system in it"),
        Event::Ran(ran) => told(&ran),
    }
}

/// `health check 10-app failed after 12 ms: exit code 1: no answer`
fn told(ran: &Ran<Text<'_>>) -> String {
    let program = match ran.program {
        Program::Script => "state script",
        Program::Check => "health check",
    };
    let verdict = ran.verdict.word().replace('-', " ");
    let (name, took_ms) = (ran.name, ran.took_ms);
    let mut text = format!("{program} {name} {verdict} after {took_ms} ms");
    if ran.said != *"" {
        let _ = write!(text, ": {}", ran.said);
    }
    text
}

fn fields(record: &Record<'_>) -> Object {
    let object = |event: &str| Object::default().raw("at", record.at_s).text("event", event);
    let reason = |event, reason: Text<'_>| object(event).text("reason", reason);
    match record.event {
        Event::Started { slot, artifact } => {
            object("started").text("slot", slot).text("artifact_name", artifact)
        }
        Event::Failed { code, reason: why } => reason("failed", why).text("code", code),
        Event::Armed { slot, .. } => object("armed").text("slot", slot),
        Event::Reverting { reason: why, .. } => reason("reverting", why),
        Event::RolledBack { reason: why } => reason("rolled-back", why),
        Event::Committed => object("committed"),
        Event::Adopted { artifact } => object("adopted").text("artifact_name", artifact),
        Event::Ran(ran) => object(ran.program.word())
            .text("name", ran.name)
            .text("verdict", ran.verdict.word())
            .raw("ms", ran.took_ms)
            .text("said", ran.said),
    }
}

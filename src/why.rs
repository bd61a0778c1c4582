//! The journal as a person reads it, and how the last attempt ended. Never decides which that was.

use std::fmt::Write as _;

use twinslot::journal::outcome::{Last, Outcome};
use twinslot::journal::{self, Event, Program, Ran, Record};
use twinslot::json::Text;

use crate::object::Object;

/// Every record of `journal`: a line each for a person, an object each for an app.
pub(crate) fn records(journal: &[u8]) -> (String, Vec<Object>) {
    let (mut text, mut objects) = (String::new(), Vec::new());
    for record in journal::records(journal) {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{}  {}", moment(record.at_s), sentence(&record));
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

fn sentence(record: &Record<'_>) -> String {
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

/// `2026-11-24 02:30:00` in UTC, by the device's clock then.
fn moment(at_s: u64) -> String {
    let (days, second) = (at_s / 86_400, at_s % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}", second % 60)
}

/// Year, month and day of the `days`th day since 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let day = days.saturating_add(719_468);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_the_calendar() {
        for (at_s, told) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_767_225_599, "2025-12-31 23:59:59"),
            (1_795_487_400, "2026-11-24 02:30:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(moment(at_s), told);
        }
    }
}

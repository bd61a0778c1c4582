//! A failed deployment's story for its server: what the journal says of it, and how it ended.
//! Bounded, and never more than this deployment.

use twinslot::journal::{self, Event, Record};

use crate::net::server::LogLine;
use crate::sys::clock;
use crate::why;

/// The most lines that are told: the newest ones. Each is as long as a journal's at most.
const LINES_MAX: usize = 200;

/// The lines about `since`, the part of the journal that is about the deployment, and `reason`.
pub(crate) fn story(since: &[u8], reason: &str) -> Vec<LogLine> {
    let mut lines: Vec<LogLine> = journal::records(since).map(|record| line(&record)).collect();
    let surplus = lines.len().saturating_sub(LINES_MAX - 1);
    lines.drain(..surplus);
    let message = format!("the deployment failed: {reason}");
    lines.push(LogLine { at_s: clock::unix_seconds(), level: "error", message });
    lines
}

fn line(record: &Record<'_>) -> LogLine {
    let level = match record.event {
        Event::Failed { .. } | Event::RolledBack { .. } => "error",
        Event::Reverting { .. } => "warning",
        _ => "info",
    };
    LogLine { at_s: record.at_s, level, message: why::sentence(record) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinslot::slot::Slot;

    #[test]
    fn the_story_tells_every_record_and_ends_with_the_reason() {
        let journal: String = [
            Event::Started { slot: Slot::B, artifact: "release-2" },
            Event::Armed { slot: Slot::B, serial: 7 },
            Event::Reverting { serial: 9, reason: "check 10-app failed" },
            Event::RolledBack { reason: "check 10-app failed" },
        ]
        .map(|event| journal::line(1_700_000_000, event).to_string())
        .concat();
        let told = story(journal.as_bytes(), "check 10-app failed");
        let levels: Vec<_> = told.iter().map(|line| line.level).collect();
        assert_eq!(levels, ["info", "info", "warning", "error", "error"]);
        assert_eq!(told[0].message, "began to write release-2 into slot b");
        assert_eq!(told[0].at_s, 1_700_000_000);
        assert_eq!(told[4].message, "the deployment failed: check 10-app failed");
    }

    #[test]
    fn a_long_story_keeps_its_end() {
        let line = journal::line(1, Event::Failed { code: "x", reason: "y" }).to_string();
        let told = story(line.repeat(500).as_bytes(), "z");
        assert_eq!(told.len(), LINES_MAX);
        assert_eq!(told[LINES_MAX - 1].message, "the deployment failed: z");
    }
}

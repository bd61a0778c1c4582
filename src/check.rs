//! Whether an update waits, and what an app's prompt says of it: what runs, what is offered,
//! whether that is older, and whether it failed here before. Never installs.

use std::cmp::Ordering;
use std::fmt::Write as _;

use twinslot::provides::{ARTIFACT_NAME, Provides};

use crate::calendar::Moment;
use crate::config::Config;
use crate::failed::{self, Failed};
use crate::failure::Failure;
use crate::net::server::{Offer, Server};
use crate::object::Object;
use crate::servers;
use crate::state::StateDir;
use crate::version;

/// What there is to decide about.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    /// The running system's artifact name.
    pub(crate) current: Option<String>,
    pub(crate) offered: Option<Offer>,
    /// Whether the offer is older than what runs; none where that cannot be told.
    pub(crate) downgrade: Option<bool>,
    /// How the offered version failed here.
    pub(crate) failed_before: Option<failed::Entry>,
}

impl Prompt {
    /// Asks `server`, the running system providing `running`.
    ///
    /// # Errors
    /// Nobody answered, or with a refusal; or this device does not know what it is.
    pub(crate) fn ask(
        server: &mut dyn Server,
        config: &Config,
        running: &Provides,
    ) -> Result<Self, Failure> {
        let offered = server.next(&servers::provides(config, running)?)?;
        let failed = Failed::new(&StateDir::new(&config.state_dir));
        Ok(Self::of(running.get(ARTIFACT_NAME), offered, |name| failed.get(name)))
    }

    /// With `current` running, and `failed` telling how an artifact failed here.
    pub(crate) fn of(
        current: Option<&str>,
        offered: Option<Offer>,
        failed: impl FnOnce(&str) -> Option<failed::Entry>,
    ) -> Self {
        let name = offered.as_ref().map(|offer| offer.artifact_name.as_str());
        let order = current.zip(name).and_then(|(current, name)| version::compare(name, current));
        Self {
            downgrade: order.map(|order| order == Ordering::Less),
            failed_before: name.and_then(failed),
            current: current.map(str::to_owned),
            offered,
        }
    }

    /// For an app.
    pub(crate) fn fields(&self) -> Object {
        let or_null = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
        let current = Object::default().text_or_null("artifact_name", self.current.as_deref());
        let failed = self.failed_before.as_ref().map(|entry| {
            Object::default().text("reason", &entry.reason).raw("at", entry.at_s).to_string()
        });
        Object::default()
            .raw("current", current)
            .raw("offered", or_null(self.offered.as_ref().map(|offer| offered(offer).to_string())))
            .raw("downgrade", or_null(self.downgrade.map(|downgrade| downgrade.to_string())))
            .raw("failed_before", or_null(failed))
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        let current = self.current.as_deref().unwrap_or("an unknown version");
        let Some(offer) = &self.offered else {
            return format!("no update waits; {current} runs\n");
        };
        let mut text = format!("{} waits; {current} runs\n", offer.artifact_name);
        let mut line = |what: &str| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "  {what}");
        };
        if let Some(severity) = &offer.severity {
            line(&format!("severity: {severity}"));
        }
        if let Some(bytes) = offer.size_bytes {
            line(&format!("size: {} MiB", bytes.div_ceil(1 << 20)));
        }
        if self.downgrade == Some(true) {
            line("it is older than what runs");
        }
        if !offer.vouched {
            line("nobody vouches for this offer: it is not signed by an enrolled key");
        }
        if let Some(entry) = &self.failed_before {
            line(&format!("it failed here on {} UTC: {}", Moment(entry.at_s), entry.reason));
        }
        for notes in offer.notes.iter().flat_map(|notes| notes.lines()) {
            line(notes);
        }
        text
    }
}

fn offered(offer: &Offer) -> Object {
    let size = offer.size_bytes.map_or_else(|| "null".to_owned(), |size| size.to_string());
    Object::default()
        .text("artifact_name", &offer.artifact_name)
        .text_or_null("notes", offer.notes.as_deref())
        .text_or_null("severity", offer.severity.as_deref())
        .raw("size", size)
        .raw("vouched", offer.vouched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(offered: Option<&str>, reason: Option<&str>) -> Prompt {
        let directory = tempfile::tempdir().unwrap();
        let failed = Failed::new(&StateDir::new(directory.path()));
        if let (Some(name), Some(reason)) = (offered, reason) {
            failed.remember(name, reason).unwrap();
        }
        let offer = offered.map(|name| Offer {
            deployment: None,
            artifact_name: name.into(),
            urls: vec!["https://a/x".into()],
            size_bytes: Some(3 << 20),
            digest: None,
            notes: Some("one\ntwo".into()),
            severity: None,
            vouched: false,
        });
        Prompt::of(Some("release-2"), offer, |name| failed.get(name))
    }

    #[test]
    fn an_app_is_told_what_its_prompt_shows() {
        let mut older = prompt(Some("release-1"), Some("no \"answer\""));
        older.failed_before.as_mut().unwrap().at_s = 7;
        let said = concat!(
            r#"{"current":{"artifact_name":"release-2"},"offered":{"artifact_name":"release-1","#,
            r#""notes":"one\ntwo","severity":null,"size":3145728,"vouched":false},"#,
            r#""downgrade":true,"failed_before":{"reason":"no \"answer\"","at":7}}"#,
        );
        assert_eq!(older.fields().to_string(), said);
        assert_eq!(prompt(Some("release-3"), None).downgrade, Some(false));
        assert_eq!(prompt(Some("other-3"), None).downgrade, None);
        let none = concat!(
            r#"{"current":{"artifact_name":"release-2"},"offered":null,"#,
            r#""downgrade":null,"failed_before":null}"#,
        );
        assert_eq!(prompt(None, None).fields().to_string(), none);
    }

    #[test]
    fn a_person_is_told_the_same_in_words() {
        assert_eq!(prompt(None, None).text(), "no update waits; release-2 runs\n");
        let mut older = prompt(Some("release-1"), Some("no answer"));
        older.failed_before.as_mut().unwrap().at_s = 0;
        let said = "release-1 waits; release-2 runs\n  size: 3 MiB\n  it is older than what \
            runs\n  nobody vouches for this offer: it is not signed by an enrolled key\n  \
            it failed here on 1970-01-01 00:00:00 UTC: no answer\n  one\n  two\n";
        assert_eq!(older.text(), said);
    }
}

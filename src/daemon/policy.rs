//! Whether the daemon installs an offer by itself. Pure.

use std::cmp::Ordering;

use crate::config::window::Window;
use crate::net::server::Offer;

/// What the owner allows, and what is known here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'f> {
    pub(crate) on_demand: bool,
    pub(crate) window: Option<Window>,
    pub(crate) allow_downgrade: bool,
    /// Seconds since 1970.
    pub(crate) now_s: u64,
    /// The running system's artifact.
    pub(crate) running: Option<&'f str>,
    /// How the offer's name compares to the running one's, where that can be told.
    pub(crate) order: Option<Ordering>,
    /// Why this version failed here before, if it did.
    pub(crate) failed: Option<&'f str>,
}

/// What is to be done with an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Install,
    /// Nothing: it runs already.
    Running,
    /// A person may say to install it.
    Wait(Hold),
    /// Nobody may, unless it is said to be meant.
    Refuse(Refusal),
}

/// Why an offer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    OnDemand,
    NotVouched,
    Window { opens_in_s: u64 },
}

impl Hold {
    /// The word for an app.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::NotVouched => "not-vouched",
            Self::Window { .. } => "maintenance-window",
        }
    }
}

/// Why an offer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{offered} failed on this device before: {reason}")]
    Failed { offered: String, reason: String },
    #[error("{offered} is older than {running}, which runs")]
    Downgrade { offered: String, running: String },
}

impl Refusal {
    /// For an app.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "failed-before",
            Self::Downgrade { .. } => "downgrade",
        }
    }
}

/// Judges `offer` for the daemon by itself.
pub(crate) fn judge(offer: &Offer, facts: &Facts<'_>) -> Verdict {
    if facts.running == Some(&offer.artifact_name) {
        return Verdict::Running;
    }
    if let Some(refusal) = refusal(offer, facts) {
        return Verdict::Refuse(refusal);
    }
    if !offer.vouched {
        return Verdict::Wait(Hold::NotVouched);
    }
    if facts.on_demand {
        return Verdict::Wait(Hold::OnDemand);
    }
    match facts.window.map_or(0, |window| window.opens_in_s(facts.now_s)) {
        0 => Verdict::Install,
        opens_in_s => Verdict::Wait(Hold::Window { opens_in_s }),
    }
}

/// Why `offer` is not taken, whoever says so.
fn refusal(offer: &Offer, facts: &Facts<'_>) -> Option<Refusal> {
    let offered = offer.artifact_name.clone();
    if let Some(reason) = facts.failed {
        return Some(Refusal::Failed { offered, reason: reason.to_owned() });
    }
    let is_older = facts.order == Some(Ordering::Less) && !facts.allow_downgrade;
    let running = facts.running.filter(|_| is_older)?.to_owned();
    Some(Refusal::Downgrade { offered, running })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: Facts<'static> = Facts {
        on_demand: false,
        window: None,
        allow_downgrade: false,
        now_s: 0,
        running: Some("release-1"),
        order: Some(Ordering::Greater),
        failed: None,
    };

    fn offer() -> Offer {
        Offer {
            deployment: None,
            artifact_name: "release-2".into(),
            urls: Vec::new(),
            size_bytes: None,
            digest: None,
            notes: None,
            severity: None,
            vouched: true,
        }
    }

    #[track_caller]
    fn assert_judged(facts: Facts<'_>, verdict: &Verdict) {
        assert_eq!(judge(&offer(), &facts), *verdict, "{facts:?}");
    }

    #[test]
    fn a_vouched_newer_version_is_installed_unless_a_person_decides() {
        assert_judged(FACTS, &Verdict::Install);
        assert_judged(Facts { order: None, ..FACTS }, &Verdict::Install);
        assert_judged(Facts { running: None, order: None, ..FACTS }, &Verdict::Install);
        assert_judged(Facts { on_demand: true, ..FACTS }, &Verdict::Wait(Hold::OnDemand));
        let nobodys = Offer { vouched: false, ..offer() };
        assert_eq!(judge(&nobodys, &FACTS), Verdict::Wait(Hold::NotVouched));
    }

    #[test]
    fn outside_of_the_window_it_waits_for_the_window() {
        let facts = Facts { window: Window::parse("02:00-03:00"), ..FACTS };
        assert_judged(facts, &Verdict::Wait(Hold::Window { opens_in_s: 7200 }));
        assert_judged(Facts { now_s: 7200, ..facts }, &Verdict::Install);
    }

    #[test]
    fn what_failed_here_is_not_taken_again() {
        let facts = Facts { failed: Some("check 10-app failed"), ..FACTS };
        let refusal =
            Refusal::Failed { offered: "release-2".into(), reason: "check 10-app failed".into() };
        assert_eq!(
            refusal.to_string(),
            "release-2 failed on this device before: check 10-app failed"
        );
        assert_judged(facts, &Verdict::Refuse(refusal));
    }

    #[test]
    fn what_is_older_is_taken_only_where_the_owner_allows_it() {
        let facts = Facts { order: Some(Ordering::Less), ..FACTS };
        let refusal =
            Refusal::Downgrade { offered: "release-2".into(), running: "release-1".into() };
        assert_judged(facts, &Verdict::Refuse(refusal));
        assert_judged(Facts { allow_downgrade: true, ..facts }, &Verdict::Install);
    }

    #[test]
    fn what_runs_already_is_not_installed_again() {
        assert_judged(Facts { running: Some("release-2"), ..FACTS }, &Verdict::Running);
    }
}

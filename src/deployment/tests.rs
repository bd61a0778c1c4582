//! A deployment's file against every place a board can be in.

use super::*;

const BEFORE: Event<&str> = Event::Committed;
const BEGUN: Event<&str> = Event::Started { slot: Slot::B, artifact: "release-2" };
const ARMED: Event<&str> = Event::Armed { slot: Slot::B, serial: 7 };
const OTHER: Event<&str> = Event::Started { slot: Slot::B, artifact: "release-3" };

fn lines(events: &[Event<&str>]) -> Vec<u8> {
    let line = |(at, event): (usize, &Event<&str>)| {
        journal::line(1000 + u64::try_from(at).unwrap(), *event).to_string()
    };
    events.iter().enumerate().map(line).collect::<String>().into_bytes()
}

/// To slot b, begun after the record [`BEFORE`].
fn deployment() -> Deployment {
    Deployment {
        id: Some("d-1".into()),
        artifact_name: "release-2".into(),
        slot: Slot::B,
        mark: mark(&lines(&[BEFORE])),
        consent: Consent::Standing,
        reboot: Reboot::Ours,
        tries: 1,
        end: None,
    }
}

fn stand(booted: Slot, step: Step, serial: u8) -> Stand {
    let next = match step {
        Step::Settled | Step::Trial => booted,
        Step::Armed | Step::Left => booted.other(),
    };
    let in_progress = matches!(step, Step::Armed | Step::Trial);
    Stand { booted, step, now: Now { next, in_progress, serial } }
}

/// What follows where the journal says this after the mark.
fn next(events: &[Event<&str>], booted: Slot, step: Step, serial: u8) -> Next {
    let journal = lines(&[&[BEFORE], events].concat());
    told(&deployment(), &stand(booted, step, serial), &journal)
}

fn gave_up(next: &Next) -> &str {
    match next {
        Next::GivenUp { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn failure(next: &Next) -> &str {
    match next {
        Next::Over(End::Failure { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn its_own_armed_slot_is_booted_and_its_own_trial_tested() {
    assert_eq!(next(&[BEGUN, ARMED], Slot::A, Step::Armed, 8), Next::Reboot);
    assert_eq!(next(&[BEGUN, ARMED], Slot::B, Step::Trial, 9), Next::Settle);
}

#[test]
fn what_somebody_else_armed_is_theirs() {
    for step in [Step::Armed, Step::Trial, Step::Left] {
        for booted in [Slot::A, Slot::B] {
            for events in [&[OTHER, ARMED][..], &[], &[BEGUN, ARMED, OTHER, ARMED]] {
                assert_eq!(next(events, booted, step, 8), Next::Wait, "{step:?} {booted}");
            }
        }
    }
    // The right name, but the other slot: a file that is stale.
    assert_eq!(next(&[BEGUN, ARMED], Slot::A, Step::Trial, 8), Next::Wait);
    assert_eq!(next(&[BEGUN, ARMED], Slot::B, Step::Armed, 8), Next::Wait);
}

#[test]
fn a_system_that_was_kept_is_a_success_on_its_own_slot_only() {
    let kept = [BEGUN, ARMED, Event::Committed];
    assert_eq!(next(&kept, Slot::B, Step::Settled, 10), Next::Over(End::Success));
    // Another program committed, and kept no record.
    assert_eq!(next(&kept[..2], Slot::B, Step::Settled, 10), Next::Over(End::Success));
    let left = next(&kept, Slot::A, Step::Settled, 10);
    let said = "slot b was committed, but slot a runs: it was left again";
    assert_eq!(failure(&left), said);
}

#[test]
fn the_old_system_knows_that_it_went_back_and_why() {
    let reason = "health check 10-app failed: exit code 1";
    let recorded =
        [BEGUN, ARMED, Event::Reverting { serial: 9, reason }, Event::RolledBack { reason }];
    assert_eq!(gave_up(&next(&recorded, Slot::A, Step::Settled, 10)), reason);
    let cut_off = next(&recorded[..3], Slot::A, Step::Settled, 10);
    assert_eq!(gave_up(&cut_off), reason);
    let by_boot_loader = next(&recorded[..2], Slot::A, Step::Settled, 10);
    assert!(gave_up(&by_boot_loader).contains("the boot loader went back by itself"));
    // Given up, and still running until the reboot.
    assert_eq!(next(&recorded, Slot::B, Step::Left, 10), Next::Wait);
}

#[test]
fn what_was_interrupted_begins_again() {
    for events in [
        &[][..],
        &[BEGUN],
        // Everything written, and the environment never changed.
        &[BEGUN, ARMED],
        &[BEGUN, Event::Failed { code: "interrupted", reason: "interrupted by power loss" }],
        &[BEGUN, Event::Failed { code: "interrupted", reason: "stopped as asked" }],
        // Refused before it was known by name: it is refused again, and then told.
        &[Event::Failed { code: "signature-invalid", reason: "no key signed it" }],
    ] {
        assert_eq!(next(events, Slot::A, Step::Settled, 7), Next::Again, "{events:?}");
    }
}

#[test]
fn what_failed_by_itself_has_failed() {
    let failed = Event::Failed { code: "digest-mismatch", reason: "another digest" };
    assert_eq!(gave_up(&next(&[BEGUN, failed], Slot::A, Step::Settled, 7)), "another digest");
}

#[test]
fn an_attempt_before_it_began_is_not_its_own() {
    // The same version failed here before, and was allowed once more; power failed at once.
    let before = [BEGUN, ARMED, Event::RolledBack { reason: "long ago" }];
    let deployment = Deployment { mark: mark(&lines(&before)), ..deployment() };
    let stand = stand(Slot::A, Step::Settled, 7);
    assert_eq!(told(&deployment, &stand, &lines(&before)), Next::Again);
    // A journal that lost its older half, and the mark with it.
    let after = lines(&[BEGUN, Event::Failed { code: "x", reason: "y" }]);
    assert_eq!(gave_up(&told(&deployment, &stand, &after)), "y");
}

#[test]
fn another_artifact_in_its_place_ends_it() {
    let committed = [BEGUN, ARMED, OTHER, ARMED, Event::Committed];
    let superseded = next(&committed, Slot::B, Step::Settled, 10);
    assert_eq!(failure(&superseded), "release-3 was installed in its place");
}

#[test]
fn an_artifact_without_a_system_succeeds_where_it_began() {
    let adopted = [Event::Adopted { artifact: "release-2" }];
    assert_eq!(next(&adopted, Slot::A, Step::Settled, 7), Next::Over(End::Success));
}

#[test]
fn what_is_kept_is_read_again_and_what_is_none_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let read = || Deployment::read(directory.path()).unwrap();
    assert_eq!(read(), None);
    for end in [
        None,
        Some(End::Success),
        Some(End::AlreadyInstalled),
        Some(End::Failure { reason: "\"quoted\"\n".into() }),
    ] {
        let kept = Deployment { end, consent: Consent::Given, ..deployment() };
        kept.keep(directory.path()).unwrap();
        assert_eq!(read(), Some(kept));
    }
    let nobodys = Deployment { id: None, mark: None, reboot: Reboot::Theirs, ..deployment() };
    nobodys.keep(directory.path()).unwrap();
    assert_eq!(read(), Some(nobodys));
    for text in ["", "{}", "nonsense", r#"{"artifact_name":"x","slot":"c","tries":1}"#] {
        std::fs::write(directory.path().join(FILE), text).unwrap();
        assert_eq!(read(), None, "{text}");
    }
    Deployment::forget(directory.path()).unwrap();
    Deployment::forget(directory.path()).unwrap();
    assert_eq!(read(), None);
}

#[test]
fn a_journal_is_marked_at_its_last_whole_line() {
    let journal = lines(&[BEFORE, BEGUN]);
    let whole = mark(&journal);
    assert!(whole.is_some());
    let torn = [&journal[..], b"0123"].concat();
    assert_eq!(mark(&torn), whole);
    assert_eq!(mark(b""), None);
}

//! Channel files from servers that answer by script.

use std::rc::Rc;

use super::super::script::{Script, asks_for, is_away, says};
use super::*;

const FILE: &str = r#"{"version":"release-2","url":"../release-2.mender"}"#;

/// Vouches for what is signed with its own length.
struct Length;

impl Voucher for Length {
    fn vouches(&self, bytes: &[u8], signature: &[u8]) -> bool {
        signature == bytes.len().to_string().as_bytes()
    }
}

fn next(script: &Rc<Script>) -> Result<Option<Offer>, String> {
    let urls = ["https://a/c/stable.json?t=1".to_owned(), "https://b/stable.json".to_owned()];
    let mut channel = Channel::new(Rc::clone(script), Length, &urls);
    channel.next(&Vec::new()).map_err(|error| error.to_string())
}

#[test]
fn a_signed_file_is_vouched_for_and_its_links_are_relative_to_it() {
    let script = Script::of([says(200, FILE), says(200, "5\r\n1\n")]);
    let offer = next(&script).unwrap().unwrap();
    assert!(offer.vouched);
    assert_eq!(offer.urls, ["https://a/release-2.mender"]);
    let asked = ["GET https://a/c/stable.json?t=1", "GET https://a/c/stable.json.sig?t=1"];
    assert_eq!(script.lines(), asked);
}

#[test]
fn a_file_that_nobody_signed_is_an_announcement() {
    for signature in [says(404, ""), says(403, ""), says(200, "50"), says(200, ""), says(204, "")] {
        let script = Script::of([says(200, FILE), signature]);
        assert!(!next(&script).unwrap().unwrap().vouched);
    }
}

#[test]
fn a_signature_of_which_it_cannot_be_told_is_an_error_and_no_announcement() {
    for signature in [is_away(), asks_for(503, 1), asks_for(429, 1)] {
        let script = Script::of([says(200, FILE), signature]);
        assert!(next(&script).is_err());
    }
}

#[test]
fn another_server_is_asked_for_the_file_when_one_is_down() {
    let script = Script::of([is_away(), says(502, "")]);
    assert_eq!(next(&script), Err("b refused with 502".into()));
    let script = Script::of([asks_for(503, 1), says(200, FILE), says(404, "")]);
    let offer = next(&script).unwrap().unwrap();
    assert_eq!(offer.urls, ["https://b/release-2.mender"]);
    assert_eq!(script.lines().last().unwrap(), "GET https://b/stable.json.sig");
}

#[test]
fn a_file_that_is_none_is_an_error_that_says_why() {
    let script = Script::of([says(404, "<html>")]);
    assert_eq!(next(&script), Err("a refused with 404".into()));
    let script = Script::of([says(200, "<html>"), says(404, "")]);
    let said = "a answered with nonsense: a channel file that is none: \
                no JSON: expected a value at byte 0";
    assert_eq!(next(&script), Err(said.into()));
}

#[test]
fn a_channel_hears_reports_without_asking_anyone() {
    let script = Script::of([]);
    let mut channel = Channel::new(Rc::clone(&script), Length, &[]);
    assert_eq!(channel.report("1", Stage::Failure, ""), Ok(Heard::GoOn));
    assert_eq!(channel.log("1", &[]), Ok(()));
    assert_eq!(channel.inventory(&Vec::new()), Ok(()));
    assert!(script.asked().is_empty());
}

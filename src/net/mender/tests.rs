//! The device API against servers that answer by script: real ones are tried end to end.

use std::rc::Rc;
use std::time::Duration;

use super::super::script::{Asked, Script, asks_for, is_away, says};
use super::key::DeviceKey;
use super::*;

const DEPLOYMENT: &str = r#"{"id":"1-2","artifact":{"artifact_name":"release-2",
    "source":{"uri":"https://s3/x"}}}"#;
const NEXT_V2: &str = "POST https://a/api/devices/v2/deployments/device/deployments/next";
const AUTH: &str = "POST https://a/api/devices/v1/authentication/auth_requests";

fn mender(script: &Rc<Script>, urls: &[&str]) -> Mender<Rc<Script>> {
    let identity = Identity {
        names: vec![("mac".into(), "00:11".into())],
        key: DeviceKey::from_secret(&[7; 32]).unwrap(),
        tenant_token: Some("tenant".into()),
    };
    let urls: Vec<_> = urls.iter().map(|url| (*url).to_owned()).collect();
    Mender::new(Rc::clone(script), identity, &urls)
}

fn provides() -> Attributes {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    vec![pair("device_type", "rock pro"), pair("artifact_name", "release-1")]
}

fn token(asked: &Asked) -> &str {
    asked.header("Authorization").unwrap()
}

#[test]
fn a_device_says_who_it_is_and_signs_it_before_it_asks() {
    let script = Script::of([says(200, "a.b-_c.d\n"), says(200, DEPLOYMENT)]);
    let mut mender = mender(&script, &["https://a/"]);
    let offer = mender.next(&provides()).unwrap().unwrap();
    assert_eq!(
        (offer.artifact_name.as_str(), offer.deployment.as_deref()),
        ("release-2", Some("1-2"))
    );
    let asked = script.asked();
    assert_eq!(asked[0].line, AUTH);
    let claim: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(claim["id_data"], r#"{"mac":"00:11"}"#);
    assert_eq!(claim["tenant_token"], "tenant");
    assert_eq!(claim["pubkey"], mender.link.identity.key.public_pem());
    let signature = key::base64(&mender.link.identity.key.sign(asked[0].body.as_bytes()));
    assert_eq!(asked[0].header("X-MEN-Signature"), Some(signature.as_str()));
    assert_eq!(asked[0].header("Authorization"), None);
    assert_eq!(asked[1].line, NEXT_V2);
    assert_eq!(token(&asked[1]), "Bearer a.b-_c.d");
    let body = r#"{"device_provides":{"device_type":"rock pro","artifact_name":"release-1"}}"#;
    assert_eq!(asked[1].body, body);
}

#[test]
fn a_device_that_is_not_accepted_is_told_so_in_the_servers_words() {
    let script = Script::of([says(401, r#"{"error":"dev auth: unauthorized"}"#)]);
    let refused = mender(&script, &["https://a", "https://b"]).next(&provides()).unwrap_err();
    let said = "a refused with 401: this device is not accepted yet (dev auth: unauthorized)";
    assert_eq!(refused.to_string(), said);
    assert_eq!(script.lines(), [AUTH]);
}

#[test]
fn what_is_no_token_is_not_put_into_a_header() {
    for body in ["", "two words", "a\r\nX-Evil: 1", "\u{e4}", &"a".repeat(16385)] {
        let script = Script::of([says(200, body)]);
        let refused = mender(&script, &["https://a"]).next(&provides()).unwrap_err();
        let said = "a answered with nonsense: the token of this device is no token";
        assert_eq!(refused.to_string(), said);
    }
}

#[test]
fn a_token_is_kept_until_it_is_refused_and_replaced_once() {
    let script = Script::of([says(200, "t1"), says(204, ""), says(204, "")]);
    let mut mender = mender(&script, &["https://a"]);
    assert_eq!(mender.next(&provides()), Ok(None));
    assert_eq!(mender.next(&provides()), Ok(None));
    assert_eq!(script.lines(), [AUTH, NEXT_V2, NEXT_V2]);

    for answer in [says(401, ""), says(200, "t2"), says(204, "")] {
        script.then(answer);
    }
    assert_eq!(mender.next(&provides()), Ok(None));
    let asked = script.asked();
    let lines: Vec<_> = asked.iter().map(|asked| asked.line.as_str()).collect();
    assert_eq!(lines, [NEXT_V2, AUTH, NEXT_V2]);
    assert_eq!((token(&asked[0]), token(&asked[2])), ("Bearer t1", "Bearer t2"));

    for answer in [says(401, ""), says(200, "t3"), says(401, "")] {
        script.then(answer);
    }
    let refused = mender.next(&provides()).unwrap_err().to_string();
    assert_eq!(refused, "a refused with 401");
    assert_eq!(script.asked().len(), 3);
}

#[test]
fn a_server_without_the_second_version_is_asked_in_the_first_from_then_on() {
    let script = Script::of([says(200, "t"), says(404, ""), says(204, ""), says(204, "")]);
    let mut mender = mender(&script, &["https://a"]);
    assert_eq!(mender.next(&provides()), Ok(None));
    assert_eq!(mender.next(&provides()), Ok(None));
    let v1 = "GET https://a/api/devices/v1/deployments/device/deployments/next\
              ?artifact_name=release-1&device_type=rock%20pro";
    assert_eq!(script.lines(), [AUTH, NEXT_V2, v1, v1]);
}

#[test]
fn the_next_server_is_asked_when_one_is_down_and_is_then_the_first() {
    let script = Script::of([is_away(), says(200, "t"), says(204, ""), says(204, "")]);
    let mut mender = mender(&script, &["https://a", "https://b"]);
    assert_eq!(mender.next(&provides()), Ok(None));
    assert_eq!(mender.next(&provides()), Ok(None));
    let asked = script.lines();
    let hosts: Vec<_> = asked.iter().map(|line| line.split('/').nth(2).unwrap()).collect();
    assert_eq!(hosts, ["a", "b", "b", "b"]);

    let script = Script::of([
        asks_for(503, 7),
        says(200, "t"),
        says(502, ""),
        says(200, "t"),
        asks_for(429, 60),
    ]);
    let mut mender = self::mender(&script, &["https://a", "https://b", "https://c"]);
    let refused = mender.next(&provides()).unwrap_err().to_string();
    assert_eq!(refused, "c refused with 429");
    assert_eq!(mender.retry_after(), Some(Duration::from_secs(60)));
}

#[test]
fn when_all_servers_are_down_the_last_error_is_told_and_each_was_asked_once() {
    let script = Script::of([is_away(), says(200, "t"), asks_for(500, 9)]);
    let mut mender = mender(&script, &["https://a", "https://b"]);
    assert_eq!(mender.next(&provides()).unwrap_err().to_string(), "b refused with 500");
    assert_eq!(mender.retry_after(), Some(Duration::from_secs(9)));
    script.asked();
    let nobody = self::mender(&script, &[]).next(&provides()).unwrap_err().to_string();
    assert_eq!(nobody, "ServerURL: no server is configured");
}

#[test]
fn someone_who_asks_to_stop_does_not_wait_for_the_next_server() {
    let script = Script::of([Err(Error::Interrupted)]);
    let stopped = mender(&script, &["https://a", "https://b"]).next(&provides());
    assert_eq!(stopped, Err(Error::Interrupted));
    script.asked();
}

#[test]
fn a_token_is_shown_to_nobody_but_the_server_it_is_from() {
    let script =
        Script::of([says(200, "of-a"), says(204, ""), is_away(), says(200, "of-b"), says(204, "")]);
    let mut mender = mender(&script, &["https://a", "https://b"]);
    assert_eq!(mender.next(&provides()), Ok(None));
    assert_eq!(mender.next(&provides()), Ok(None));
    let asked = script.asked();
    for (index, of) in [(1, "Bearer of-a"), (2, "Bearer of-a"), (4, "Bearer of-b")] {
        assert_eq!(token(&asked[index]), of);
    }
}

#[test]
fn answers_that_are_none_are_errors_that_say_why() {
    for (body, said) in [
        (&b"{\"id\":\"1\""[..], "no JSON: expected a comma or } at byte 9"),
        (
            b"{\"id\":\"1\",\"id\":\"2\"}",
            "no JSON: expected a key that this object does not have yet at byte 10",
        ),
        (b"<html>404</html>", "no JSON: expected a value at byte 0"),
        (b"\xff\xfe", "no JSON: expected UTF-8 at byte 0"),
        (b"[]", "wanted a JSON object"),
        (b"{}", "artifact is missing"),
        (b"{\"artifact\":[]}", "artifact: wanted an object"),
        (b"", "no JSON: expected a value at byte 0"),
    ] {
        let script = Script::of([says(200, "t"), says(200, body)]);
        let refused = mender(&script, &["https://a"]).next(&provides()).unwrap_err().to_string();
        assert_eq!(refused, format!("a answered with nonsense: a deployment that is none: {said}"));
    }
}

#[test]
fn a_report_is_heard_and_an_aborted_deployment_is_told() {
    let script = Script::of([
        says(200, "t"),
        says(204, ""),
        says(409, ""),
        says(404, r#"{"error":"gone"}"#),
    ]);
    let mut mender = mender(&script, &["https://a"]);
    assert_eq!(mender.report("1/../2", Stage::Downloading, ""), Ok(Heard::GoOn));
    assert_eq!(mender.report("1", Stage::Failure, "why"), Ok(Heard::Aborted));
    let refused = mender.report("1", Stage::Success, "").unwrap_err().to_string();
    assert_eq!(refused, "a refused with 404: gone");
    let asked = script.asked();
    let status = "PUT https://a/api/devices/v1/deployments/device/deployments/1%2F..%2F2/status";
    assert_eq!(
        (asked[1].line.as_str(), asked[1].body.as_str()),
        (status, r#"{"status":"downloading"}"#)
    );
    assert_eq!(asked[1].header("Content-Type"), Some("application/json"));
    assert_eq!(asked[2].body, r#"{"status":"failure","substate":"why"}"#);
}

#[test]
fn a_log_is_put_where_its_deployment_is_and_none_is_not() {
    let script = Script::of([says(200, "t"), says(204, "")]);
    let mut mender = mender(&script, &["https://a"]);
    let lines = [LogLine { at_s: 0, level: "error", message: "broken".into() }];
    assert_eq!(mender.log("1", &lines), Ok(()));
    assert_eq!(mender.log("1", &[]), Ok(()));
    let log = "PUT https://a/api/devices/v1/deployments/device/deployments/1/log";
    assert_eq!(script.lines(), [AUTH, log]);
}

#[test]
fn an_inventory_that_the_server_has_is_not_sent_again() {
    let script = Script::of([says(200, "t"), says(503, ""), says(200, ""), says(200, "")]);
    let mut mender = mender(&script, &["https://a"]);
    assert!(mender.inventory(&provides()).is_err());
    assert_eq!(mender.inventory(&provides()), Ok(()));
    assert_eq!(mender.inventory(&provides()), Ok(()));
    assert_eq!(mender.inventory(&Vec::new()), Ok(()));
    let put = "PUT https://a/api/devices/v1/inventory/device/attributes";
    assert_eq!(script.lines(), [AUTH, put, put, put]);
}

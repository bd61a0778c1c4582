//! What can go wrong between a server and `install URL`: each fault ends as an error with its
//! code, or as a resume that succeeds, and what failed is never armed.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::artifacts::{image, kept};
use board::nginx::Nginx;
use board::outcome::Outcome;
use board::plan::Plan;
use board::refuser::assert_one_sentence;
use board::slot::{Slot, pattern};
use board::{Board, Snapshot};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::process::Stdio;
use testserver::{Authority, Clients, Door, Fault, Identity, Server, Setup, When};

const ARTIFACT: &str = "/release-2.mender";
const ELSEWHERE: &str = "/elsewhere/release-2.mender";
const FILE: &str = "v3.9-none-p256.mender";

/// How an installation ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Armed,
    Fails(i32, &'static str),
}

use End::{Armed, Fails};

/// A board whose configuration names the root of a server.
struct Scene {
    board: Board,
    before: Snapshot,
}

impl Scene {
    fn new(root: &str) -> Self {
        let mut plan = Plan::default();
        let more = json!({
            "ServerCertificate": "/made/server.pem",
            "NetworkTimeoutSeconds": 2,
            "RetryDownloadCount": 2,
            "RetryPollIntervalSeconds": 1,
        });
        plan.config.extend(more.as_object().unwrap().clone());
        let board = Board::new(plan);
        board.put("server.pem", root.as_bytes());
        Self { before: board.snapshot(), board }
    }

    /// Installs, and checks that it ended so.
    #[track_caller]
    fn install(&mut self, what: &str, url: &str, end: End) -> Outcome {
        let outcome = self.board.twinslot(&["install", "--progress", "json", url]);
        self.assert_ended(what, &outcome, end);
        outcome
    }

    #[track_caller]
    fn assert_ended(&mut self, what: &str, outcome: &Outcome, end: End) {
        match end {
            Armed => self.assert_armed(what, outcome),
            Fails(exit, code) => {
                assert_ne!(outcome.code, 0, "{what}: {outcome}");
                let found = (outcome.code, &outcome.error_code()[..]);
                assert_eq!(found, (exit, code), "{what}: {outcome}");
                assert_one_sentence(what, outcome);
                self.board.assert_untouched(&self.before, what);
            }
        }
    }

    /// The slot holds the image, and is given up again.
    #[track_caller]
    fn assert_armed(&mut self, what: &str, outcome: &Outcome) {
        assert_eq!(outcome.code, 0, "{what}: {outcome}");
        self.board.assert_armed(Slot::B);
        let (image, slot) = (image(), self.board.slot_bytes(Slot::B));
        assert!(slot[..image.len()] == image, "{what}: slot b does not hold the image");
        self.board.twinslot(&["rollback"]).expect(0);
        let place = self.board.place(Slot::B);
        place.disk.write(place.offset, &pattern(place.bytes));
        self.before = self.board.snapshot();
    }
}

/// One way to go wrong: what it is called, what happens at which request, how it ends.
struct Row(String, Vec<(When, Fault)>, End);

fn row(what: impl Into<String>, faults: Vec<(When, Fault)>, end: End) -> Row {
    Row(what.into(), faults, end)
}

/// Lets one after another happen on one board.
fn run(rows: Vec<Row>) {
    let server = Server::start().unwrap();
    let artifact = kept(FILE);
    let bytes = fs::metadata(&artifact).unwrap().len();
    server.serve(ELSEWHERE, artifact.clone());
    server.serve(ARTIFACT, artifact);
    let mut scene = Scene::new(&server.root());
    for Row(what, faults, end) in rows {
        server.heal(ARTIFACT);
        for (when, fault) in faults {
            server.fault(ARTIFACT, when, fault);
        }
        let before = server.record().requests.len();
        scene.install(&what, &server.url(ARTIFACT), end);
        let after = server.record().requests.split_off(before);
        let requests = after.len();
        let files = after.iter().filter(|seen| [200, 206].contains(&seen.status));
        let sent: u64 = files.map(|seen| seen.sent).sum();
        let again = match end {
            Armed => format!("{} bytes sent again", sent - bytes),
            Fails(exit, code) => format!("{sent} bytes sent, exit {exit}, {code}"),
        };
        say(&format!("{what}: {requests} requests, {again}"));
    }
}

/// Past the harness, which would keep it to itself.
fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn once(fault: Fault) -> Vec<(When, Fault)> {
    vec![(When::Only(1), fault)]
}

fn always(fault: Fault) -> Vec<(When, Fault)> {
    vec![(When::Always, fault)]
}

/// The connection breaks in the middle, and the next answer is like that.
fn then(fault: Fault) -> Vec<(When, Fault)> {
    vec![(When::Only(1), Fault::Reset { at: 1 << 20 }), (When::From(2), fault)]
}

#[test]
fn a_download_that_breaks_anywhere_goes_on_where_it_broke() {
    let bytes = fs::metadata(kept(FILE)).unwrap().len();
    let mut rows: Vec<Row> = vec![row("no fault", Vec::new(), Armed)];
    for at in [0, 1, 700, 5000, 1_000_000, bytes - 1] {
        rows.push(row(format!("reset after {at}"), once(Fault::Reset { at }), Armed));
    }
    for at in [0, 1_000_000, bytes - 1] {
        rows.push(row(format!("end after {at}"), once(Fault::Truncate { at }), Armed));
        rows.push(row(
            format!("end after {at} without TLS's goodbye"),
            once(Fault::Drop { at }),
            Armed,
        ));
    }
    rows.push(row("silence", once(Fault::Stall { at: 1_000_000 }), Armed));
    let often = vec![(When::UpTo(5), Fault::Reset { at: 300_000 })];
    rows.push(row("five resets", often, Armed));
    rows.push(row("all of it again instead of a range", then(Fault::IgnoreRange), Armed));
    run(rows);
}

#[test]
fn a_server_that_is_in_trouble_is_asked_again() {
    let status = |status, after: Option<&str>| Fault::Status {
        status,
        retry_after: after.map(str::to_owned),
    };
    let cut = (When::Only(1), Fault::Reset { at: 1 << 20 });
    let after_cut = vec![cut, (When::Only(2), status(500, None))];
    let elsewhere = Fault::Redirect { to: ELSEWHERE.to_owned() };
    run(vec![
        row("a redirect to elsewhere", always(elsewhere), Armed),
        row("500 once", once(status(500, None)), Armed),
        row("503 once, in a second again", once(status(503, Some("1"))), Armed),
        row("500 after a cut", after_cut, Armed),
        row("500 for ever", always(status(500, None)), Fails(74, "server-refused")),
        row("an expired link", always(status(403, None)), Fails(74, "server-refused")),
        row("a link that expires", then(status(403, None)), Fails(74, "server-refused")),
        row("nothing there", always(status(404, None)), Fails(74, "server-refused")),
    ]);
}

#[test]
fn an_answer_that_is_none_ends_as_an_error() {
    let malformed = Fails(74, "server-malformed");
    run(vec![
        row("a redirect in a circle", always(Fault::RedirectLoop), malformed),
        row("headers without end", always(Fault::LongHeaders), malformed),
        row("no HTTP", always(Fault::Garbage), malformed),
        row("a body without a length or an end", always(Fault::Endless), malformed),
        row("a body in chunks", always(Fault::Chunked), malformed),
        row("another range", then(Fault::ShiftedRange { by: 1 }), malformed),
        row(
            "a drip",
            always(Fault::Drip { bytes: 10, every_ms: 100 }),
            Fails(74, "network-stalled"),
        ),
        row("silence for ever", always(Fault::Stall { at: 0 }), Fails(74, "network-unreachable")),
        row(
            "a length that is too large",
            always(Fault::WrongLength { by: 1000 }),
            Fails(74, "download-changed"),
        ),
        row(
            "a length that is too small",
            always(Fault::WrongLength { by: -100_000 }),
            Fails(65, "artifact-truncated"),
        ),
        row(
            "a redirect out of https",
            always(Fault::Redirect { to: "http://127.0.0.1/x".to_owned() }),
            Fails(74, "url-refused"),
        ),
    ]);
}

#[test]
fn bytes_of_two_versions_never_meet() {
    let changed = Fails(74, "download-changed");
    run(vec![
        row("another ETag after a cut", then(Fault::OtherTag), changed),
        row("other bytes after a cut", then(Fault::OtherContent), changed),
        row("a range of other bytes after a cut", then(Fault::MixedContent), changed),
        row("another length after a cut", then(Fault::OtherTotal { by: 1 }), changed),
    ]);
}

#[test]
fn a_server_that_is_not_who_it_should_be_is_told_nothing() {
    let authority = Authority::new().unwrap();
    let mut scene = Scene::new(&authority.pem());
    let tls = Fails(74, "tls-failed");
    for (identity, end) in [
        (Identity::WrongHost, tls),
        (Identity::Expired, tls),
        (Identity::UnknownAuthority, tls),
        (Identity::PlainHttp, tls),
        (Identity::Itself, Armed),
    ] {
        let authority = Some(authority.clone());
        let setup = Setup { authority, identity, ..Setup::default() };
        let server = Server::start_as(setup).unwrap();
        server.serve(ARTIFACT, kept(FILE));
        let outcome = scene.install(&format!("{identity:?}"), &server.url(ARTIFACT), end);
        say(&format!("{identity:?}: exit {}", outcome.code));
        let asked = server.record().requests.len();
        assert_eq!(asked, usize::from(identity == Identity::Itself), "{identity:?}");
    }
}

#[test]
fn a_client_shows_its_certificate_where_one_is_asked_for() {
    let setup = Setup { clients: Clients::Certified, ..Setup::default() };
    let server = Server::start_as(setup).unwrap();
    server.serve(ARTIFACT, kept(FILE));
    let mut scene = Scene::new(&server.root());
    scene.install("no certificate", &server.url(ARTIFACT), Fails(74, "tls-failed"));
    let pair = server.client("board").unwrap();
    let board = &scene.board;
    let files = json!({
        "Certificate": board.put("client.pem", pair.certificate.as_bytes()),
        "Key": board.put("client.key", pair.key.as_bytes()),
    });
    let config = board.config_with("HttpsClient", files);
    let url = server.url(ARTIFACT);
    let arguments = ["--config", &config, "install", "--progress", "json", &url];
    let outcome = board.twinslot(&arguments);
    scene.assert_ended("with a certificate", &outcome, Armed);
}

#[test]
fn a_server_that_is_away_is_unreachable() {
    let server = Server::start().unwrap();
    let mut scene = Scene::new(&server.root());
    let url = server.url(ARTIFACT);
    server.door(Door::Shut);
    scene.install("each connection closed at once", &url, Fails(74, "network-unreachable"));
    drop(server);
    scene.install("nobody there", &url, Fails(74, "network-unreachable"));
    let plain = url.replace("https:", "http:");
    scene.install("http", &plain, Fails(64, "usage"));
}

#[test]
fn nginx_serves_an_artifact_and_the_rest_of_it_after_it_was_killed() {
    let authority = Authority::new().unwrap();
    let mut scene = Scene::new(&authority.pem());
    let mut nginx = Nginx::start(&authority, &[&kept(FILE)], 0);
    scene.install("nginx", &nginx.url(FILE), Armed);
    nginx.limit_rate(1 << 20);
    let url = nginx.url(FILE);
    let mut command = scene.board.command(&["twinslot", "install", "--progress", "json", &url]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut head: Vec<String> = Vec::new();
    while !head.last().is_some_and(|line| writing(line)) {
        head.push(lines.next().unwrap_or_else(|| panic!("never wrote: {head:#?}")));
    }
    nginx.kill();
    nginx.run();
    head.extend(lines);
    let mut output = child.wait_with_output().unwrap();
    output.stdout = head.join("\n").into_bytes();
    let outcome = Outcome::new("install".to_owned(), &output);
    scene.assert_ended("nginx killed and run again", &outcome, Armed);
    let log = nginx.log();
    let rest = log.last().unwrap();
    say(&format!("nginx killed: the rest was {rest}"));
    assert!(rest.starts_with("206 "), "{log:#?}");
}

/// The line tells of bytes that were written.
fn writing(line: &str) -> bool {
    let event: Value = serde_json::from_str(line).unwrap();
    event["phase"] == "write" && event["bytes"].as_u64().is_some_and(|bytes| bytes > 0)
}

//! The daemon on a board, between a server of updates and an app on its socket. It runs as the
//! first process of a namespace of its own: when it reboots, that is all that goes down.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::kept;
use board::daemon::Daemon;
use board::plan::{Plan, Userland};
use board::slot::Slot;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::thread::sleep;
use std::time::{Duration, Instant};
use testserver::{Deployment, Fault, Record, Server, When};

const ARTIFACT: &str = "/artifacts/release-2.mender";
const ID: &str = "3a3c1d2e-0000-4000-8000-00000000000a";
const NEXT_ID: &str = "3a3c1d2e-0000-4000-8000-00000000000b";
const LIMIT: Duration = Duration::from_secs(60);

fn start(board: &Board) -> Daemon {
    Daemon::start_alone(board, &["twinslot", "daemon"])
}

/// A board whose daemon knows the server, with these keys besides.
fn board(server: &Server, more: &Value) -> Board {
    let mut plan = Plan { userland: Userland::Debian, ..Plan::default() };
    let keys = json!({
        "ServerURL": server.url(""),
        "ServerCertificate": "/made/server.pem",
        "UpdatePollIntervalSeconds": 2,
        "RetryPollIntervalSeconds": 5,
        "StatusIntervalSeconds": 1,
        "SettleServerSeconds": 20,
        "HealthChecks": "/made/health.d",
        "Watchdog": "/made/no-watchdog",
    });
    plan.config.extend(keys.as_object().unwrap().clone());
    plan.config.extend(more.as_object().unwrap().clone());
    let mut board = Board::new(plan);
    board.put("server.pem", server.root().as_bytes());
    fs::create_dir(board.made("identity")).unwrap();
    fs::create_dir(board.made("health.d")).unwrap();
    script(&board, "identity/mender-device-identity", "echo mac=02:00:5e:10:00:01");
    lend(&mut board);
    board
}

/// What the daemon runs, on the slot that is booted.
fn lend(board: &mut Board) {
    let identity = board.made("identity");
    board.mount(&["--bind"], &identity, "/usr/share/mender/identity");
}

fn boot(board: &mut Board) -> Slot {
    let slot = board.reboot();
    lend(board);
    slot
}

fn script(board: &Board, name: &str, line: &str) {
    let path = board.made(name);
    fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Offers a kept artifact to the board.
fn deploy(server: &Server, artifact: &str, name: &str) {
    deploy_as(ID, server, (artifact, name));
}

fn deploy_as(id: &str, server: &Server, (artifact, name): (&str, &str)) {
    server.serve(ARTIFACT, kept(artifact));
    server.deploy(Deployment {
        id: id.to_owned(),
        artifact_name: name.to_owned(),
        uri: server.url(ARTIFACT),
        device_types: vec!["rockpro64".to_owned()],
    });
}

/// Fails the test, with what the daemon said, when it does not come to that.
#[track_caller]
fn wait(server: &Server, board: &Board, what: &str, so: impl FnMut(&Record) -> bool) {
    if !server.wait_for(LIMIT, so) {
        let log = fs::read_to_string(board.made("log")).unwrap();
        panic!("{what}: not after {LIMIT:?}\n{log}\n{:#?}", server.record().reports);
    }
}

fn reported(status: &str) -> impl Fn(&Record) -> bool {
    move |record| record.statuses(ID).contains(&status)
}

/// An app on the board's socket.
struct App(BufReader<UnixStream>);

impl App {
    fn connect(board: &Board) -> Self {
        let path = board.root().join("run/twinslot.sock");
        let begun = Instant::now();
        loop {
            match UnixStream::connect(&path) {
                Ok(stream) => return Self(BufReader::new(stream)),
                Err(error) => {
                    let log = fs::read_to_string(board.made("log")).unwrap_or_default();
                    assert!(begun.elapsed() < LIMIT, "{error}: {log}");
                    sleep(Duration::from_millis(50));
                }
            }
        }
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.0.get_mut(), "{request}").unwrap();
        self.line()
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The lines of an installation, up to its result.
    fn progress(&mut self) -> Vec<Value> {
        let answer = self.ask(&json!({ "do": "progress" }));
        assert_eq!(answer["ok"], true, "{answer}");
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &Value| line["event"] != "result") {
            lines.push(self.line());
        }
        lines
    }
}

#[test]
fn a_deployment_goes_to_success_and_an_app_sees_it() {
    let server = Server::start().unwrap();
    let mut board = board(&server, &json!({ "UpdatePollIntervalSeconds": 3600 }));
    let daemon = start(&board);
    wait(&server, &board, "inventory", |record| !record.inventory.is_empty());
    deploy(&server, "v3.9-gzip-p256.mender", "release-2");
    server.fault(ARTIFACT, When::Always, Fault::Drip { bytes: 64 << 10, every_ms: 20 });
    let mut app = App::connect(&board);
    assert_eq!(app.ask(&json!({ "do": "status" }))["state"], "settled");
    daemon.signal(Signal::SIGUSR1);
    wait(&server, &board, "download", |record| record.sent(ARTIFACT) > 0);
    assert_eq!(app.ask(&json!({ "do": "status" }))["installing"], true);
    let refused = board.twinslot(&["install", &board.lend(&kept("v3.9-gzip-p256.mender"))]);
    refused.expect(5);
    let refused = App::connect(&board).ask(&json!({ "do": "check" }));
    assert_eq!(refused["error"]["code"], "update-in-progress", "{refused}");
    let lines = app.progress();
    let result = lines.last().unwrap();
    assert_eq!([&result["exit"], &result["artifact_name"]], [&json!(0), &json!("release-2")]);
    for phase in ["header", "write", "read-back", "arm"] {
        assert!(lines.iter().any(|line| line["phase"] == phase), "{phase}: {lines:#?}");
    }
    wait(&server, &board, "reboot", reported("rebooting"));
    daemon.ended();
    board.assert_armed(Slot::B);
    assert_eq!(boot(&mut board), Slot::B);
    let daemon = start(&board);
    wait(&server, &board, "success", reported("success"));
    board.assert_settled(Slot::B);
    let record = server.record();
    let mut statuses = record.statuses(ID);
    statuses.dedup();
    assert_eq!(statuses, ["downloading", "installing", "rebooting", "installing", "success"]);
    let status = App::connect(&board).ask(&json!({ "do": "status" }));
    assert_eq!([&status["last"]["outcome"], &status["booted"]], ["committed", "b"], "{status}");
    daemon.signal(Signal::SIGTERM);
    daemon.ended();
    assert!(!board.root().join("run/twinslot.sock").exists(), "the socket is left behind");
}

#[test]
fn answers_in_chunks_are_understood() {
    let server = Server::start().unwrap();
    let board = board(&server, &json!({}));
    // As a proxy before the server may pass them on.
    for path in [
        "/api/devices/v1/authentication/auth_requests",
        "/api/devices/v1/deployments/device/deployments/next",
        "/api/devices/v2/deployments/device/deployments/next",
    ] {
        server.fault(path, When::Always, Fault::Chunked);
    }
    deploy(&server, "v3.9-gzip-p256.mender", "release-2");
    start(&board).ended();
    assert!(reported("rebooting")(&server.record()));
    board.assert_armed(Slot::B);
}

#[test]
fn a_system_that_is_not_healthy_is_a_failure_with_its_reason_on_the_server() {
    let server = Server::start().unwrap();
    let mut board = board(&server, &json!({}));
    script(&board, "health.d/10-app", "echo no answer on port 80; exit 7");
    deploy(&server, "v3.9-gzip-p256.mender", "release-2");
    start(&board).ended();
    assert_eq!(boot(&mut board), Slot::B);
    start(&board).ended();
    assert_eq!(boot(&mut board), Slot::A);
    let _daemon = start(&board);
    wait(&server, &board, "failure", reported("failure"));
    let record = server.record();
    let told = &record.uploads[0].messages;
    assert!(told.iter().any(|line| line.message.contains("no answer on port 80")), "{told:#?}");
    let status = App::connect(&board).ask(&json!({ "do": "status" }));
    assert_eq!(status["last"]["outcome"], "rolled-back", "{status}");
    let why = App::connect(&board).ask(&json!({ "do": "why" }));
    assert!(why["last"]["reason"].as_str().unwrap().contains("10-app"), "{why}");
}

#[test]
fn what_is_not_signed_or_not_what_was_offered_is_a_failure_with_its_log() {
    for (artifact, name, word) in [
        ("v3.9-gzip-unsigned.mender", "release-2", "sign"),
        ("v3.9-gzip-p256.mender", "release-3", "release-3 was offered"),
    ] {
        let server = Server::start().unwrap();
        let board = board(&server, &json!({}));
        let before = board.snapshot();
        deploy(&server, artifact, name);
        let _daemon = start(&board);
        wait(&server, &board, "failure", reported("failure"));
        board.assert_untouched(&before, "a failed deployment");
        let upload = &server.record().uploads[0];
        let told = upload.messages.iter().any(|line| line.message.contains(word));
        assert!(told, "{upload:#?}");
    }
}

#[test]
fn an_abort_during_the_download_stops_it_and_nothing_is_armed() {
    let server = Server::start().unwrap();
    let board = board(&server, &json!({}));
    server.fault(ARTIFACT, When::Always, Fault::Drip { bytes: 16 << 10, every_ms: 200 });
    deploy(&server, "v3.9-none-p256.mender", "release-2");
    let before = board.environment.four();
    let daemon = start(&board);
    wait(&server, &board, "download", |record| record.sent(ARTIFACT) > 0);
    server.abort();
    wait(&server, &board, "next", |record| {
        let refused = record.requests.iter().position(|seen| seen.status == 409);
        let after = |at: usize| &record.requests[at..];
        let next = |at| after(at).iter().any(|seen| seen.path.contains("/next"));
        refused.is_some_and(next)
    });
    assert_eq!(board.environment.four(), before);
    let mut app = App::connect(&board);
    let failed = app.progress().pop().unwrap();
    assert_eq!(failed["error"]["code"], "interrupted", "{failed}");
    sleep(Duration::from_secs(1));
    let resident = daemon.resident_kib();
    println!("resident after a failed installation: {resident} KiB");
}

#[test]
fn an_app_installs_on_demand_and_cancels() {
    let server = Server::start().unwrap();
    let board = board(&server, &json!({ "OnDemand": true }));
    deploy(&server, "v3.9-none-p256.mender", "release-2");
    server.fault(ARTIFACT, When::Always, Fault::Drip { bytes: 16 << 10, every_ms: 200 });
    let _daemon = start(&board);
    let mut app = App::connect(&board);
    let check = app.ask(&json!({ "do": "check" }));
    assert_eq!(check["offered"]["artifact_name"], "release-2", "{check}");
    assert_eq!([&check["waits_for"], &check["ok"]], [&json!("on-demand"), &json!(true)]);
    let nothing = app.ask(&json!({ "do": "cancel" }));
    assert_eq!(nothing["error"]["code"], "nothing-in-progress", "{nothing}");
    let begun = app.ask(&json!({ "do": "install" }));
    assert_eq!(begun["artifact_name"], "release-2", "{begun}");
    wait(&server, &board, "download", |record| record.sent(ARTIFACT) > 0);
    assert_eq!(app.ask(&json!({ "do": "cancel" }))["ok"], true);
    let result = app.progress().pop().unwrap();
    assert_eq!(result["error"]["code"], "interrupted", "{result}");
    wait(&server, &board, "failure", reported("failure"));
    deploy_as(NEXT_ID, &server, ("v3.9-none-p256.mender", "release-2"));
    let refused = app.ask(&json!({ "do": "install" }));
    assert_eq!(refused["error"]["code"], "failed-before", "{refused}");
    server.fault(ARTIFACT, When::Always, Fault::Drip { bytes: 1 << 20, every_ms: 1 });
    let begun = app.ask(&json!({ "do": "install", "retry": true }));
    assert_eq!(begun["ok"], true, "{begun}");
    let lines = app.progress();
    assert_eq!(lines.last().unwrap()["exit"], 0, "{lines:#?}");
    board.assert_armed(Slot::B);
    assert_eq!(app.ask(&json!({ "do": "rollback" }))["next"], "a");
    board.assert_settled(Slot::A);
}

#[test]
fn a_power_cut_during_the_download_or_after_arming_still_ends_in_success() {
    let server = Server::start().unwrap();
    let mut board = board(&server, &json!({}));
    deploy(&server, "v3.9-none-p256.mender", "release-2");
    server.fault(ARTIFACT, When::UpTo(1), Fault::Drip { bytes: 64 << 10, every_ms: 50 });
    let daemon = start(&board);
    wait(&server, &board, "download", |record| record.sent(ARTIFACT) > 256 << 10);
    daemon.cut();
    assert_eq!(boot(&mut board), Slot::A);
    let daemon = start(&board);
    wait(&server, &board, "reboot", reported("rebooting"));
    daemon.cut();
    assert_eq!(boot(&mut board), Slot::B);
    let _daemon = start(&board);
    wait(&server, &board, "success", reported("success"));
    board.assert_settled(Slot::B);
}

#[test]
fn an_idle_daemon_sleeps_in_little_memory() {
    let server = Server::start().unwrap();
    let board = board(&server, &json!({ "UpdatePollIntervalSeconds": 3600 }));
    let daemon = start(&board);
    wait(&server, &board, "inventory", |record| !record.inventory.is_empty());
    let mut app = App::connect(&board);
    assert_eq!(app.ask(&json!({ "do": "status" }))["ok"], true);
    sleep(Duration::from_secs(1));
    let before = daemon.switches();
    sleep(Duration::from_secs(5));
    assert_eq!(daemon.switches() - before, 0, "it woke up");
    let resident = daemon.resident_kib();
    println!("resident: {resident} KiB");
    let ships = board::tools::twinslot().components().any(|part| part.as_os_str() == "release");
    assert!(resident <= 4096 || !ships, "{resident} KiB");
}

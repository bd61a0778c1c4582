//! Debian's client and our test server, before twinslot is held against it: what fails here is
//! wrong with the server, not with twinslot.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::kept;
use board::daemon::Daemon;
use board::plan::{Plan, Userland};
use board::slot::Slot;
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use testserver::{
    Admission, Authority, Deployment, Edition, Fault, Identity, Record, Server, Setup, When,
};

const ARTIFACT: &str = "/artifacts/release-2.mender";
const ID: &str = "3a3c1d2e-0000-4000-8000-00000000000a";
const AUTHENTICATION: &str = "/api/devices/v1/authentication/auth_requests";
const LIMIT: Duration = Duration::from_secs(60);

fn start(board: &Board) -> Daemon {
    Daemon::start(board, board.daemon(&["mender", "--no-syslog", "daemon"]))
}

/// A board whose client knows these servers.
fn board(servers: &[&Server], root: &str) -> Board {
    let mut plan = Plan { userland: Userland::Debian, ..Plan::default() };
    let urls: Vec<Value> =
        servers.iter().map(|server| json!({ "ServerURL": server.url("") })).collect();
    let more = json!({
        "Servers": urls,
        "ServerCertificate": "/made/server.pem",
        "TenantToken": "tenant",
        "UpdatePollIntervalSeconds": 2,
        "InventoryPollIntervalSeconds": 2,
        "RetryPollIntervalSeconds": 2,
    });
    plan.config.extend(more.as_object().unwrap().clone());
    let mut board = Board::new(plan);
    board.put("server.pem", root.as_bytes());
    fs::create_dir(board.made("identity")).unwrap();
    let identity = board.made("identity/mender-device-identity");
    program(&identity, "echo mac=02:00:5e:10:00:01");
    // The machine goes down with the client that asked for it.
    program(&board.made("reboot"), "kill -KILL $PPID");
    lend(&mut board);
    board
}

/// What the client runs, on the slot that is booted.
fn lend(board: &mut Board) {
    let identity = board.made("identity");
    board.mount(&["--bind"], &identity, "/usr/share/mender/identity");
    let reboot = board.made("reboot");
    board.lend_program(&reboot, "reboot");
}

fn program(path: &Path, line: &str) {
    fs::write(path, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Offers a kept artifact to the board.
fn deploy(server: &Server, artifact: &str) {
    server.serve(ARTIFACT, kept(artifact));
    server.deploy(Deployment {
        id: ID.to_owned(),
        artifact_name: "release-2".to_owned(),
        uri: server.url(ARTIFACT),
        device_types: vec!["rockpro64".to_owned()],
    });
}

/// Fails the test, with what the client said, when it does not come to that.
#[track_caller]
fn wait(server: &Server, board: &Board, what: &str, so: impl FnMut(&Record) -> bool) {
    if !server.wait_for(LIMIT, so) {
        let log = fs::read_to_string(board.made("log")).unwrap();
        let mut last: Vec<&str> = log.lines().rev().take(40).collect();
        last.reverse();
        let record = server.record();
        panic!("{what}: not after {LIMIT:?}\n{}\n{:#?}", last.join("\n"), record.reports);
    }
}

fn reported(status: &str) -> impl Fn(&Record) -> bool {
    move |record| record.statuses(ID).contains(&status)
}

fn to_success(edition: Edition) {
    let server = Server::start().unwrap();
    server.edition(edition);
    server.require_tenant("tenant");
    let mut board = board(&[&server], &server.root());
    deploy(&server, "v3.9-gzip-p256.mender");
    let daemon = start(&board);
    wait(&server, &board, "reboot", reported("rebooting"));
    daemon.ended();
    board.assert_armed(Slot::B);
    assert_eq!(board.reboot(), Slot::B);
    lend(&mut board);
    let _daemon = start(&board);
    wait(&server, &board, "success", reported("success"));
    board.assert_settled(Slot::B);
    let record = server.record();
    // The client says `downloading` three times: in as many of its states.
    let mut statuses = record.statuses(ID);
    statuses.dedup();
    assert_eq!(statuses, ["downloading", "installing", "rebooting", "installing", "success"]);
    assert_eq!(record.devices.len(), 1);
    assert_eq!(record.devices[0].identity, json!({ "mac": "02:00:5e:10:00:01" }));
    assert_eq!(record.sent(ARTIFACT), fs::metadata(kept("v3.9-gzip-p256.mender")).unwrap().len());
    wait(&server, &board, "inventory", |record| {
        let of = record.inventory.values().next();
        of.is_some_and(|of| of.get("artifact_name") == Some(&json!("release-2")))
    });
}

#[test]
fn the_real_client_takes_a_deployment_to_success() {
    to_success(Edition::OpenSource);
}

#[test]
fn the_real_client_does_so_too_on_the_server_with_v2() {
    to_success(Edition::Enterprise);
}

#[test]
fn the_real_client_reports_a_failure_with_its_log() {
    let server = Server::start().unwrap();
    let board = board(&[&server], &server.root());
    let before = board.snapshot();
    deploy(&server, "v3.9-gzip-unsigned.mender");
    let _daemon = start(&board);
    wait(&server, &board, "log", |record| !record.uploads.is_empty());
    wait(&server, &board, "failure", reported("failure"));
    board.assert_untouched(&before, "a failed deployment");
    let upload = &server.record().uploads[0];
    assert_eq!(upload.deployment, ID);
    let told = upload.messages.iter().any(|line| line.message.contains("signature"));
    assert!(told, "{upload:#?}");
}

#[test]
fn the_real_client_stops_when_its_deployment_is_aborted() {
    let server = Server::start().unwrap();
    let board = board(&[&server], &server.root());
    server.fault(ARTIFACT, When::Always, Fault::Drip { bytes: 64 << 10, every_ms: 200 });
    deploy(&server, "v3.9-none-p256.mender");
    let before = board.environment.four();
    let _daemon = start(&board);
    wait(&server, &board, "download", |record| record.sent(ARTIFACT) > 0);
    server.abort();
    let told = |record: &Record| {
        record.requests.iter().any(|seen| seen.path.ends_with("/status") && seen.status == 409)
    };
    wait(&server, &board, "409", told);
    wait(&server, &board, "next", |record| {
        let refused = record.requests.iter().position(|seen| seen.status == 409);
        record.requests[refused.unwrap()..].iter().any(|seen| seen.path.ends_with("/next"))
    });
    assert_eq!(board.environment.four(), before);
}

#[test]
fn the_real_client_waits_to_be_accepted_and_asks_again_when_its_token_has_expired() {
    let server = Server::start().unwrap();
    server.admit(Admission::Pend);
    let board = board(&[&server], &server.root());
    let _daemon = start(&board);
    wait(&server, &board, "request", |record| record.count(AUTHENTICATION) > 0);
    assert!(server.record().devices.is_empty());
    server.admit(Admission::Accept);
    let asked = |record: &Record| {
        record
            .requests
            .iter()
            .filter(|seen| seen.path.ends_with("/next") && seen.status == 204)
            .count()
    };
    wait(&server, &board, "nothing new", |record| asked(record) > 0);
    let before = server.record();
    server.expire_tokens();
    wait(&server, &board, "a new token", |record| {
        record.count(AUTHENTICATION) > before.count(AUTHENTICATION)
            && asked(record) > asked(&before)
    });
}

#[test]
fn the_real_client_talks_to_no_server_that_is_not_who_it_should_be() {
    let authority = Authority::new().unwrap();
    let identities = [
        Identity::WrongHost,
        Identity::Expired,
        Identity::UnknownAuthority,
        Identity::PlainHttp,
        Identity::Itself,
    ];
    let servers = identities.map(|identity| {
        let authority = Some(authority.clone());
        Server::start_as(Setup { authority, identity, ..Setup::default() }).unwrap()
    });
    let board = board(&servers.each_ref(), &authority.pem());
    let _daemon = start(&board);
    wait(&servers[4], &board, "inventory", |record| !record.inventory.is_empty());
    for (server, identity) in servers.iter().zip(identities).take(4) {
        assert!(server.record().requests.is_empty(), "{identity:?}");
    }
}

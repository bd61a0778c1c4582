//! `twinslot check` on a board, against a plain web server: what an app's prompt is told.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::Board;
use board::artifacts::kept;
use board::plan::Plan;
use board::tools::{must, program, text};
use serde_json::{Value, json};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// A certificate for 127.0.0.1, by itself.
const REQUEST: &str = "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\n\
    CN=127.0.0.1\n[ext]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n";

/// OpenSSL's web server over the files of a directory.
struct Server {
    files: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    fn new() -> Self {
        let files = tempfile::tempdir().unwrap();
        let at = |name: &str| files.path().join(name);
        fs::write(at("request"), REQUEST).unwrap();
        must(
            program("openssl", &["req", "-x509", "-nodes", "-newkey", "ec", "-days", "2"])
                .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-config", text(&at("request"))])
                .args(["-keyout", text(&at("key")), "-out", text(&at("cert"))]),
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = program("openssl", &["s_server", "-quiet", "-WWW", "-cert", "cert"]);
        command.args(["-key", "key", "-accept", &format!("127.0.0.1:{port}")]);
        command.current_dir(files.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        Self { files, port, child }
    }

    /// Says that this version is the newest; signed with this key.
    fn offer(&self, version: &str, key: &Path) {
        let file = json!({ "version": version, "url": "x.mender", "size": 7, "notes": "one\ntwo",
            "severity": "security", "device_type": ["rockpro64"] });
        let (path, signature) = (self.files.path().join("c.json"), self.files.path().join("raw"));
        fs::write(&path, file.to_string()).unwrap();
        must(
            program("openssl", &["dgst", "-sha256", "-sign", text(key), "-out", text(&signature)])
                .arg(&path),
        );
        let base64 = board::forge::pipe(&["base64", text(&signature)], b"");
        fs::write(self.files.path().join("c.json.sig"), base64).unwrap();
    }

    /// A configuration that names it.
    fn known_to(&self, board: &Board) -> String {
        let mut config = board.config();
        let certificate = board.lend(&self.files.path().join("cert"));
        config.insert("ServerCertificate".into(), certificate.into());
        let url = format!("https://127.0.0.1:{}/c.json", self.port);
        config.insert("ServerURL".into(), url.into());
        board.put("server.conf", Value::from(config).to_string().as_bytes())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn an_app_is_told_what_waits_and_whether_anybody_vouches_for_it() {
    let (board, server) = (Board::new(Plan::default()), Server::new());
    let config = server.known_to(&board);
    let check =
        |exit| board.twinslot(&["check", "--json", "--config", &config]).expect(exit).json();
    server.offer("release-2", &kept("p256.key"));
    let offered = json!({ "artifact_name": "release-2", "notes": "one\ntwo", "size": 7,
        "severity": "security", "vouched": true });
    assert_eq!(
        check(0),
        json!({ "exit": 0, "current": { "artifact_name": "release-1" }, "offered": offered,
            "downgrade": false, "failed_before": null })
    );
    server.offer("release-0", &kept("other.key"));
    let older = check(0);
    assert_eq!([&older["downgrade"], &older["offered"]["vouched"]], [true, false]);
    server.offer("release-1", &kept("p256.key"));
    assert_eq!(check(3)["offered"], Value::Null);
}

#[test]
fn without_a_server_there_is_nobody_to_ask_and_one_that_is_away_is_an_error() {
    let board = Board::new(Plan::default());
    let nobody = board.twinslot(&["check", "--json"]).expect(64).json();
    assert_eq!(nobody["error"]["code"], "no-server");
    let server = Server::new();
    let config = server.known_to(&board);
    drop(server);
    let away = board.twinslot(&["check", "--json", "--config", &config]).expect(74).json();
    assert_eq!(away["error"]["code"], "network-unreachable");
}

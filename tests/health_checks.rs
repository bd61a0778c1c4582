//! What health checks decide on a trial, what is told of them, and what failed before the update.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::artifacts::kept;
use board::programs::{board, data, program, why};
use board::slot::Slot;
use serde_json::json;
use std::fs;

#[test]
fn health_checks_are_all_run_told_and_kept() {
    let mut board = board(json!({ "HealthCheckTimeoutSeconds": 2 }));
    let path = board.lend(&kept("v3.9-gzip-p256.mender"));
    board.twinslot(&["install", &path]).expect(0);
    assert_eq!(board.reboot(), Slot::B);
    program(&board, "health.d/10-app", "echo no answer; exit 3");
    program(&board, "health.d/20-slow", "sleep 1000");
    program(&board, "health.d/30-web", "echo fine");
    board.twinslot(&["settle", "--reboot-exit-code"]).expect(4);
    let told = fs::read_to_string(data(&board, "told")).unwrap();
    assert!(told.ends_with("10-app\n20-slow\n30-web\n"), "{told}");
    let last = board.twinslot(&["why", "--last"]).expect(0).stdout.clone();
    let reason = "rolled-back release-2: health checks 10-app, 20-slow failed: \
                  10-app failed: exit code 3: no answer; 20-slow did not end within its 2 seconds";
    assert!(last.contains(reason), "{last}");
    let health = board.twinslot(&["status", "--json"]).expect(0).json()["health"].clone();
    for (index, (name, passed)) in
        [("10-app", false), ("20-slow", false), ("30-web", true)].into_iter().enumerate()
    {
        assert_eq!(health[index]["name"], name, "{health}");
        assert_eq!(health[index]["passed"], passed, "{health}");
        assert!(health[index]["ms"].is_u64(), "{health}");
    }
    assert_eq!(health[2]["said"], "fine", "{health}");
    let why = why(&board);
    assert!(why.contains("health check 30-web passed after"), "{why}");
}

#[test]
fn what_failed_before_the_update_does_not_fail_it() {
    let mut board = board(json!({ "HealthBaseline": true }));
    let path = board.lend(&kept("v3.9-gzip-p256.mender"));
    program(&board, "health.d/10-modem", "echo no carrier; exit 1");
    program(&board, "health.d/20-app", "exit 0");
    board.twinslot(&["install", &path]).expect(0);
    assert_eq!(board.reboot(), Slot::B);
    board.twinslot(&["settle", "--reboot-exit-code"]).expect(0);
    board.assert_settled(Slot::B);
    let health = board.twinslot(&["status", "--json"]).expect(0).json()["health"].clone();
    assert_eq!(health[0]["verdict"], "failed-before-too", "{health}");
    assert!(why(&board).contains("health check 10-modem failed before too"));
    // The next update is told anew what works: now the modem does, and must go on to.
    program(&board, "health.d/10-modem", "exit 0");
    board.twinslot(&["install", &path]).expect(0);
    assert_eq!(board.reboot(), Slot::A);
    program(&board, "health.d/10-modem", "echo no carrier; exit 1");
    board.twinslot(&["settle", "--reboot-exit-code"]).expect(4);
    board.assert_settled(Slot::B);
}

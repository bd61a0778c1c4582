//! The owner's programs on a board: state scripts and health checks that say when they ran.

use super::Board;
use super::plan::{Plan, Userland};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const SCRIPTS: &str = "/data/scripts";

/// A board with a shell, the running system's scripts in /data/scripts, and short times.
pub fn board(more: Value) -> Board {
    let mut plan = Plan { userland: Userland::Debian, ..Plan::default() };
    plan.config.insert("RootfsScriptsPath".into(), SCRIPTS.into());
    plan.config.insert("StateScriptTimeoutSeconds".into(), 3.into());
    plan.config.insert("StateScriptRetryIntervalSeconds".into(), 1.into());
    plan.config.insert("StateScriptRetryTimeoutSeconds".into(), 3.into());
    plan.config.insert("HealthChecks".into(), "/data/health.d".into());
    plan.config.extend(more.as_object().unwrap().clone());
    let board = Board::new(plan);
    for name in ["scripts", "health.d"] {
        fs::create_dir(data(&board, name)).unwrap();
    }
    for moment in ["Download_Enter", "Download_Leave", "Download_Error"] {
        program(&board, &format!("scripts/{moment}_00"), "");
    }
    board
}

pub fn data(board: &Board, name: &str) -> PathBuf {
    board.root().join("data").join(name)
}

/// A script that says in /data/told that it ran, and then does `body`.
pub fn text(name: &str, body: &str) -> String {
    format!("#!/bin/sh\necho {name} >> /data/told\n{body}\n")
}

/// Puts a program below /data.
pub fn program(board: &Board, path: &str, body: &str) {
    let name = path.rsplit('/').next().unwrap().trim_end_matches("_00");
    let path = data(board, path);
    fs::write(&path, text(name, body)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The journal for a person.
pub fn why(board: &Board) -> String {
    board.twinslot(&["why"]).expect(0).stdout.clone()
}

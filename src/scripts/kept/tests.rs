//! What the kept scripts of an artifact must be safe from.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;

const ENTER: &str = "ArtifactInstall_Enter_";

fn state() -> (tempfile::TempDir, StateDir) {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::new(directory.path());
    (directory, state)
}

fn keeper(state: &StateDir) -> Keeper {
    let mut keeper = Keeper::new(state, Slot::B).unwrap();
    for name in ["ArtifactInstall_Enter_01", "ArtifactInstall_Enter_00", "ArtifactCommit_Leave_00"]
    {
        keeper.keep(name, &[]).unwrap();
        keeper.keep(name, b"#!/bin/sh\n").unwrap();
        keeper.keep(name, b"true\n").unwrap();
    }
    keeper
}

fn names(kept: &Kept) -> Vec<String> {
    let paths = kept.scripts(ENTER).unwrap();
    paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn scripts_are_none_before_they_are_bound_and_private_then() {
    let (_directory, state) = state();
    let keeper = keeper(&state);
    assert!(Kept::find(&state, Slot::B).is_none());
    keeper.bind(Slot::B, "release-2").unwrap();
    let mut kept = Kept::find(&state, Slot::B).unwrap();
    assert_eq!(names(&kept), ["ArtifactInstall_Enter_00", "ArtifactInstall_Enter_01"]);
    assert_eq!((kept.artifact(), kept.stage()), ("release-2", Stage::Installing));
    for path in kept.scripts(ENTER).unwrap() {
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        assert_eq!(fs::read(&path).unwrap(), b"#!/bin/sh\ntrue\n");
    }
    kept.go_on(Stage::Armed);
    assert_eq!(Kept::find(&state, Slot::B).unwrap().stage(), Stage::Armed);
    assert!(Kept::find(&state, Slot::A).is_none());
}

#[test]
fn the_next_artifact_finds_nothing_of_the_one_before() {
    let (_directory, state) = state();
    keeper(&state).bind(Slot::B, "release-2").unwrap();
    let keeper = Keeper::new(&state, Slot::B).unwrap();
    assert!(Kept::find(&state, Slot::B).is_none());
    keeper.bind(Slot::B, "release-3").unwrap();
    assert!(Kept::find(&state, Slot::B).is_none(), "an artifact without scripts");
    assert!(!directory(&state, Slot::B).exists());
}

#[test]
fn a_script_that_is_not_what_came_in_the_artifact_is_not_run() {
    let (_directory, state) = state();
    keeper(&state).bind(Slot::B, "release-2").unwrap();
    let kept = Kept::find(&state, Slot::B).unwrap();
    let path = directory(&state, Slot::B).join("ArtifactInstall_Enter_01");
    fs::write(&path, "#!/bin/sh\nfalse\n").unwrap();
    assert!(matches!(kept.scripts(ENTER), Err(Broken::Altered { .. })));
    assert!(kept.scripts("ArtifactCommit_Leave_").is_ok());
    fs::remove_file(&path).unwrap();
    assert!(matches!(kept.scripts(ENTER), Err(Broken::Altered { .. })));
}

#[test]
fn scripts_in_a_directory_that_others_can_reach_are_not_run() {
    let (_directory, state) = state();
    keeper(&state).bind(Slot::B, "release-2").unwrap();
    let kept = Kept::find(&state, Slot::B).unwrap();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(directory(&state, Slot::B), open).unwrap();
    assert!(matches!(kept.scripts(ENTER), Err(Broken::Place { .. })));
}

#[test]
fn two_scripts_of_one_name_are_refused() {
    let (_directory, state) = state();
    let mut keeper = keeper(&state);
    assert_eq!(keeper.keep("ArtifactInstall_Enter_00", &[]).unwrap_err().code, libc::EEXIST);
}

#[test]
fn a_damaged_index_is_no_scripts() {
    let (_directory, state) = state();
    keeper(&state).bind(Slot::B, "release-2").unwrap();
    let path = index(&directory(&state, Slot::B));
    let whole = fs::read(&path).unwrap();
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(Kept::find(&state, Slot::B).is_none(), "{end}");
    }
}

#[test]
fn whatever_stands_in_the_way_of_the_directory_goes() {
    let (_directory, state) = state();
    std::os::unix::fs::symlink("/etc", directory(&state, Slot::B)).unwrap();
    keeper(&state).bind(Slot::B, "release-2").unwrap();
    assert_eq!(names(&Kept::find(&state, Slot::B).unwrap()).len(), 2);
    remove(&state, Slot::B).unwrap();
    remove(&state, Slot::B).unwrap();
    assert!(!directory(&state, Slot::B).exists());
}

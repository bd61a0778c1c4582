//! What running state scripts must keep to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

struct Scene {
    directory: tempfile::TempDir,
    config: Config,
}

impl Scene {
    fn new(scripts: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().to_owned();
        let config = Config {
            state_dir: at.clone(),
            scripts: ScriptsConfig {
                directory: at.join("scripts"),
                timeout_s: 5,
                retry_interval_s: 1,
                retry_timeout_s: 3,
            },
            ..Config::default()
        };
        let scene = Self { directory, config };
        fs::create_dir(&scene.config.scripts.directory).unwrap();
        for (name, body) in scripts {
            scene.put(name, body);
        }
        scene
    }

    fn put(&self, name: &str, body: &str) {
        let path = self.config.scripts.directory.join(name);
        let told = self.directory.path().join("told").display().to_string();
        fs::write(&path, format!("#!/bin/sh\necho {name} >> {told}\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, state: State, transition: Transition) -> Result<(), String> {
        let mut scripts = Scripts::new(&self.config);
        let done = scripts.run(state, transition, &mut patiently);
        done.map_err(|broken| broken.to_string())
    }

    /// Names of the scripts that ran.
    fn told(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("told")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn records(&self) -> Vec<(String, Verdict, String)> {
        let journal = StateDir::new(&self.config.state_dir).journal().unwrap();
        let ran = |record: journal::Record<'_>| match record.event {
            Event::Ran(ran) => Some((ran.name.to_string(), ran.verdict, ran.said.to_string())),
            _ => None,
        };
        journal::records(&journal).filter_map(ran).collect()
    }
}

const ENTER: (State, Transition) = (State::Download, Transition::Enter);

#[test]
fn scripts_of_a_moment_run_in_order_until_one_fails() {
    let scene = Scene::new(&[
        ("Download_Enter_02", "echo disk is full >&2; exit 3"),
        ("Download_Enter_01_first", "exit 0"),
        ("Download_Enter_03", "exit 0"),
        ("Download_Leave_00", "exit 0"),
    ]);
    let said = "state script Download_Enter_02 failed: exit code 3: disk is full";
    assert_eq!(scene.run(ENTER.0, ENTER.1), Err(said.into()));
    assert_eq!(scene.told(), ["Download_Enter_01_first", "Download_Enter_02"]);
    let records = scene.records();
    assert_eq!(records[0], ("Download_Enter_01_first".into(), Verdict::Passed, "".into()));
    let failed = "failed: exit code 3: disk is full";
    assert_eq!(records[1], ("Download_Enter_02".into(), Verdict::Failed, failed.into()));
}

#[test]
fn where_a_failure_changes_nothing_all_scripts_run() {
    let scene = Scene::new(&[("Download_Error_01", "exit 3"), ("Download_Error_02", "exit 3")]);
    assert_eq!(scene.run(State::Download, Transition::Error), Ok(()));
    assert_eq!(scene.told(), ["Download_Error_01", "Download_Error_02"]);
}

#[test]
fn what_the_daemon_runs_between_updates_is_not_in_the_journal() {
    let scene = Scene::new(&[("Sync_Enter_00", "exit 1"), ("Idle_Enter_00", "exit 1")]);
    assert!(scene.run(State::Sync, Transition::Enter).is_err());
    assert_eq!(scene.run(State::Idle, Transition::Enter), Ok(()));
    assert_eq!(scene.told().len(), 2);
    assert_eq!(scene.records(), []);
}

#[test]
fn a_script_that_asks_for_it_is_retried_until_it_passes() {
    let scene = Scene::new(&[]);
    let told = scene.directory.path().join("told").display().to_string();
    scene.put("Download_Enter_00", &format!("test $(wc -l < {told}) -gt 1 || exit 21"));
    assert_eq!(scene.run(ENTER.0, ENTER.1), Ok(()));
    assert_eq!(scene.told().len(), 2);
}

#[test]
fn a_script_that_always_asks_is_given_up_in_time() {
    let scene = Scene::new(&[("Download_Enter_00", "echo busy; exit 21")]);
    let start = Instant::now();
    let said = "state script Download_Enter_00 asked to be retried for more than 3 seconds: busy";
    assert_eq!(scene.run(ENTER.0, ENTER.1), Err(said.into()));
    assert!(scene.told().len() >= 2 && start.elapsed() < Duration::from_secs(30));
    assert_eq!(scene.records()[0].1, Verdict::TimedOut);
}

#[test]
fn a_script_that_hangs_is_ended_with_all_it_started() {
    let mut scene = Scene::new(&[("Download_Enter_00", "sleep 1000 & sleep 1000")]);
    scene.config.scripts.timeout_s = 1;
    let said = "state script Download_Enter_00 did not end within 1 seconds";
    assert_eq!(scene.run(ENTER.0, ENTER.1), Err(said.into()));
}

#[test]
fn whoever_waits_for_a_retry_can_stop() {
    let mut scene = Scene::new(&[("Download_Enter_00", "exit 21")]);
    scene.config.scripts.retry_interval_s = 1000;
    scene.config.scripts.retry_timeout_s = 3000;
    let start = Instant::now();
    let stop = || start.elapsed() > Duration::from_secs(1);
    let mut scripts = Scripts::new(&scene.config);
    let done = scripts.run(ENTER.0, ENTER.1, &mut until(&stop));
    assert!(matches!(done, Err(Broken::Stopped { .. })), "{done:?}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_a_script_says_is_one_bounded_line_of_the_journal() {
    let body = "i=0; while [ $i -lt 500 ]; do echo line $i; i=$((i+1)); done; printf '\\033[1mend'";
    let scene = Scene::new(&[("Download_Enter_00", body)]);
    assert_eq!(scene.run(ENTER.0, ENTER.1), Ok(()));
    let (_, _, said) = scene.records().remove(0);
    assert!(said.ends_with("line 498 | line 499 | [1mend"), "{said}");
    assert_eq!(said.chars().count(), WORDS);
}

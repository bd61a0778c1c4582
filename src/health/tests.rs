//! What health checks must tell.

use super::*;
use crate::program::Wish;

fn directory(scripts: &[(&str, u32, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, mode, body) in scripts {
        let path = directory.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
    }
    directory
}

fn config(directory: &Path) -> Config {
    Config { health_checks: directory.to_owned(), health_timeout_s: 60, ..Config::default() }
}

fn run(config: &Config) -> Vec<Checked> {
    Checks::new(config).run(&mut || Wish::GoOn).unwrap()
}

fn told(results: &[Checked]) -> Vec<(&str, Verdict, &str)> {
    results.iter().map(|one| (&one.name[..], one.verdict, &one.said[..])).collect()
}

#[test]
fn checks_run_in_the_order_of_their_names_and_only_executables_are_checks() {
    let directory = directory(&[
        ("20-b", 0o755, "exit 0"),
        ("10-a", 0o755, "echo fine"),
        ("README", 0o644, "exit 1"),
        (".hidden", 0o755, "exit 1"),
    ]);
    let results = run(&config(directory.path()));
    let expected = [("10-a", Verdict::Passed, "fine"), ("20-b", Verdict::Passed, "")];
    assert_eq!(told(&results), expected);
    assert_eq!(complaint(&results), None);
    assert_eq!(run(&config(Path::new("/no/such/directory"))), []);
}

#[test]
fn a_check_that_fails_is_named_with_its_code_and_last_words() {
    let directory = directory(&[
        ("10-app", 0o755, "echo starting; echo no answer on port 80 >&2; exit 7"),
        ("20-later", 0o755, "exit 0"),
    ]);
    let results = run(&config(directory.path()));
    assert_eq!(results[1].verdict, Verdict::Passed, "all run to the end");
    let said = "health check 10-app failed: exit code 7: no answer on port 80";
    assert_eq!(complaint(&results).as_deref(), Some(said));
}

#[test]
fn of_several_that_fail_all_are_named_before_anything_else_is_said() {
    let directory = directory(&[
        ("10-app", 0o755, "echo no answer; exit 7"),
        ("20-ok", 0o755, "exit 0"),
        ("30-web", 0o755, "kill -9 $$"),
    ]);
    let said = "health checks 10-app, 30-web failed: \
                10-app failed: exit code 7: no answer; 30-web failed: killed by signal 9";
    assert_eq!(complaint(&run(&config(directory.path()))).as_deref(), Some(said));
}

#[test]
fn a_check_that_hangs_is_ended_and_those_after_it_have_no_time() {
    let directory = directory(&[
        ("10-app", 0o755, "echo waiting; sleep 1000 & sleep 1000"),
        ("20-web", 0o755, "exit 0"),
    ]);
    let config = Config { health_timeout_s: 1, ..config(directory.path()) };
    let results = run(&config);
    let expected = [
        ("10-app", Verdict::TimedOut, "did not end within the 1 seconds that all have: waiting"),
        ("20-web", Verdict::TimedOut, "did not begin within the 1 seconds that all have"),
    ];
    assert_eq!(told(&results), expected);
}

#[test]
fn a_check_with_a_time_of_its_own_leaves_the_others_theirs() {
    let directory = directory(&[("10-app", 0o755, "sleep 1000"), ("20-web", 0o755, "exit 0")]);
    let config = Config { health_check_timeout_s: 1, ..config(directory.path()) };
    let results = run(&config);
    assert_eq!(results[1].verdict, Verdict::Passed);
    let said = "health check 10-app did not end within its 1 seconds";
    assert_eq!(complaint(&results).as_deref(), Some(said));
    assert!(results[0].took_ms >= 1000);
}

#[test]
fn a_file_that_is_no_program_is_named() {
    let directory = directory(&[]);
    let path = directory.path().join("10-app");
    fs::write(&path, [0x7f, b'X']).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = complaint(&run(&config(directory.path()))).unwrap();
    assert!(refused.starts_with("health check 10-app failed: cannot be run: "), "{refused}");
}

#[test]
fn the_watchdog_is_fed_while_a_check_runs() {
    let directory = directory(&[("10-app", 0o755, "sleep 1")]);
    let mut fed = 0;
    let config = config(directory.path());
    let results = Checks::new(&config).run(&mut || {
        fed += 1;
        Wish::GoOn
    });
    assert!(results.is_ok());
    assert!(fed > 3, "{fed}");
}

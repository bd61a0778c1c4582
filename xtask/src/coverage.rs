//! How much of the parsers the fuzz corpora reach, line by line. Counts what the replay runs, and
//! no other test.

use crate::command::{cargo, program, quiet, run as run_command, text};
use crate::tree;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// In each of them, and below.
const PARSERS: [&str; 16] = [
    "src/artifact",
    "src/artifact.rs",
    "src/config",
    "src/config.rs",
    "src/decode",
    "src/decode.rs",
    "src/journal",
    "src/journal.rs",
    "src/json",
    "src/json.rs",
    "src/net/channel/file.rs",
    "src/net/mender/deployment.rs",
    "src/provides.rs",
    "src/rsa.rs",
    "src/stream/decode.rs",
    "uboot-env/src",
];
/// What is no parser there: it makes artifacts for tests.
const MAKERS: &str = "src/artifact/forge.rs";
/// Of all their lines, in percent.
const WANTED: usize = 95;
const REPLAY: &str = "every_target_bears_its_corpus";

/// Lines of a file that are code, and how often each was run.
type Lines = BTreeMap<usize, u64>;

/// The task.
pub(crate) fn run(_: &[String]) -> Result<()> {
    run_command(&mut program("rustup", &["component", "add", "llvm-tools"]))?;
    let directory = tree::target()?.join("coverage");
    fs::create_dir_all(&directory)?;
    let files = parse(&counted(&directory)?, &std::env::current_dir()?)?;
    let (mut all, mut reached) = (0, 0);
    for (path, lines) in &files {
        let missed: Vec<usize> =
            lines.iter().filter(|(_, count)| **count == 0).map(|(line, _)| *line).collect();
        all += lines.len();
        reached += lines.len() - missed.len();
        let percent = (lines.len() - missed.len()) * 100 / lines.len().max(1);
        println!("{percent:3} %  {path}  {}", ranges(&missed));
    }
    ensure!(all > 1000, "only {all} lines were found: what was measured?");
    let percent = reached * 100 / all;
    println!("{percent:3} %  of {all} lines of the parsers, by their corpora");
    ensure!(percent >= WANTED, "wanted {WANTED} %");
    Ok(())
}

/// Runs the replay with counters; returns what LLVM says of it in lcov's format.
fn counted(directory: &Path) -> Result<String> {
    let mut build = cargo(&["test", "--test", "corpus", "--no-run", "--message-format=json"]);
    build.env("RUSTFLAGS", "-C instrument-coverage").env("CARGO_TARGET_DIR", directory);
    // Build scripts count, too, and nobody asks.
    build.env("LLVM_PROFILE_FILE", directory.join("build.profraw"));
    let built = text(&mut build)?;
    let replay = executable(&built).context("the replay does not build")?;
    let profile = directory.join("replay.profraw");
    let counters = directory.join("replay.profdata");
    quiet(program(&replay, &[REPLAY]).env("LLVM_PROFILE_FILE", &profile))?;
    let tools = tools()?;
    let merge = ["merge", "--sparse", "--output"];
    quiet(
        program(&tools.join("llvm-profdata").display().to_string(), &merge)
            .arg(&counters)
            .arg(&profile),
    )?;
    let mut export = program(&tools.join("llvm-cov").display().to_string(), &["export"]);
    export.args(["--format=lcov", "--instr-profile"]).arg(&counters).arg(&replay);
    text(&mut export)
}

/// Of the test that cargo says it has built.
fn executable(messages: &str) -> Option<String> {
    let lines = messages.lines().filter(|line| line.contains("\"name\":\"corpus\""));
    let mut found = lines.filter_map(|line| {
        let (_, rest) = line.split_once("\"executable\":\"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    found.next()
}

/// Where rustup puts LLVM's programs.
fn tools() -> Result<PathBuf> {
    let root = text(&mut program("rustc", &["--print", "sysroot"]))?;
    let version = text(&mut program("rustc", &["--version", "--verbose"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say its host")?;
    Ok(Path::new(root.trim()).join("lib/rustlib").join(host).join("bin"))
}

/// The lines of the parsers; their tests are not counted.
fn parse(lcov: &str, root: &Path) -> Result<BTreeMap<String, Lines>> {
    let mut files: BTreeMap<String, Lines> = BTreeMap::new();
    let mut now: Option<(String, usize)> = None;
    for line in lcov.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            now = parser(Path::new(path), root)?;
        } else if let (Some(data), Some((path, end))) = (line.strip_prefix("DA:"), &now) {
            let (number, count) = data.split_once(',').context("a line without a count")?;
            let number: usize = number.parse()?;
            if number < *end {
                *files.entry(path.clone()).or_default().entry(number).or_default() +=
                    count.parse::<u64>()?;
            }
        }
    }
    if files.is_empty() {
        bail!("LLVM says nothing of the parsers");
    }
    Ok(files)
}

/// A parser's path in the tree, and the line that its tests begin at.
fn parser(path: &Path, root: &Path) -> Result<Option<(String, usize)>> {
    // Modules of two crates are named through `tests/fuzz/../../src`.
    let Ok(path) = path.canonicalize() else { return Ok(None) };
    let Ok(within) = path.strip_prefix(root) else { return Ok(None) };
    let is_tests = within.ends_with("tests.rs") || within == Path::new(MAKERS);
    if is_tests || !PARSERS.iter().any(|parser| within.starts_with(parser)) {
        return Ok(None);
    }
    let text = fs::read_to_string(&path)?;
    let tests = text.lines().position(|line| line == "#[cfg(test)]");
    Ok(Some((within.display().to_string(), tests.map_or(usize::MAX, |line| line + 1))))
}

/// `3-5 9`
fn ranges(lines: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == *line => *end = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let words = ranges.iter().map(|(from, to)| match from == to {
        true => from.to_string(),
        false => format!("{from}-{to}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_parsers_are_counted_and_no_others() {
        let root = std::env::current_dir().unwrap().join("..").canonicalize().unwrap();
        let root_text = root.display();
        let lcov = format!(
            "SF:{root_text}/src/json.rs\nDA:1,0\nDA:2,3\nend_of_record\n\
             SF:{root_text}/tests/fuzz/../../src/json.rs\nDA:2,1\nend_of_record\n\
             SF:{root_text}/src/update.rs\nDA:1,9\nend_of_record\n"
        );
        let files = parse(&lcov, &root).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files["src/json.rs"], Lines::from([(1, 0), (2, 4)]));
    }

    #[test]
    fn missed_lines_are_told_as_ranges() {
        assert_eq!(ranges(&[3, 4, 5, 9]), "3-5 9");
        assert_eq!(ranges(&[]), "");
    }
}

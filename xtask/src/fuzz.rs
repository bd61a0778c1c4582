//! libFuzzer on the fuzz targets, whose bodies are the tests' own, one a processor at a time.
//! Starts from the corpora in the tree; what it finds on the way stays in the build directory, what
//! breaks is kept and named.

use crate::command::program;
use crate::{crew, setup, tree};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

const CORPORA: &str = "tests/data/corpus";
/// For each target, unless told.
const SECONDS: u64 = 60;
/// A target that takes more than its input is worth is a finding, too.
const MEMORY_MIB: &str = "-rss_limit_mb=1024";
const INPUT_SECONDS: &str = "-timeout=20";
const EXECUTED: &str = "stat::number_of_executed_units:";

/// The task: `fuzz [TARGET] [--seconds N]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut seconds, mut names) = (SECONDS, targets()?);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => {
                seconds = arguments.next().context("--seconds takes a number")?.parse()?
            }
            name if names.iter().any(|known| known == name) => names = vec![name.to_owned()],
            other => bail!("no target is called {other}; there are {}", names.join(", ")),
        }
    }
    let build = tree::target()?.join("fuzz");
    let program = built(&build)?;
    let hands = thread::available_parallelism()?.get();
    let results = crew::together(hands, names, |name| -> Result<()> {
        let executed = one(&program, &build, (&name, seconds))?;
        println!("fuzz: {name}: {executed} executions in {seconds} s, no finding");
        Ok(())
    });
    results.into_iter().collect()
}

/// They have a corpus each.
fn targets() -> Result<Vec<String>> {
    let entries = fs::read_dir(CORPORA).context(CORPORA)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The program that is all targets.
fn built(build: &Path) -> Result<PathBuf> {
    let tool = setup::fuzz()?.join("cargo-fuzz");
    let mut command = program("rustup", &["run", "nightly"]);
    command.arg(tool).args(["build", "--fuzz-dir", "fuzz", "--target-dir"]).arg(build);
    command.arg("target").env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    crate::command::run(&mut command)?;
    let mut built = fs::read_dir(build)?.filter_map(|entry| {
        let program = entry.ok()?.path().join("release/target");
        program.is_file().then_some(program)
    });
    built.next().with_context(|| format!("cargo-fuzz left no program in {}", build.display()))
}

/// Runs one; returns how many inputs it tried.
fn one(fuzzer: &Path, build: &Path, (name, seconds): (&str, u64)) -> Result<u64> {
    let (corpus, broken) = (build.join("corpus").join(name), build.join("broken").join(name));
    fs::create_dir_all(&corpus)?;
    fs::create_dir_all(&broken)?;
    let mut command = program(&fuzzer.display().to_string(), &[MEMORY_MIB, INPUT_SECONDS]);
    command.args([format!("-max_total_time={seconds}"), "-print_final_stats=1".to_owned()]);
    command.arg(format!("-artifact_prefix={}/", broken.display()));
    command.arg(&corpus).arg(Path::new(CORPORA).join(name)).env("TWINSLOT_FUZZ", name);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (mut executed, mut said) = (0, Vec::new());
    for line in BufReader::new(child.stderr.take().context("no stderr")?).lines() {
        let line = line?;
        if let Some(count) = line.strip_prefix(EXECUTED) {
            executed = count.trim().parse()?;
        }
        said.push(line);
    }
    if !child.wait()?.success() {
        let end = said.len().saturating_sub(60);
        println!("{}", said[end..].join("\n"));
        bail!("{name}: an input breaks it: see {}", broken.display());
    }
    ensure!(executed > 0, "{name}: nothing was tried");
    Ok(executed)
}

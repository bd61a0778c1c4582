//! Trying a mutant: a copy of the tree with a build directory of its own that stays warm, so a
//! trial costs one crate and one link.

use super::list::{Check, Mutant};
use crate::build::TARGETS;
use crate::command::{cargo, run, words};
use crate::test::{doc_tests, with_tools};
use crate::tree;
use anyhow::{Context, Result, bail};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Longer than any test takes; a mutant may well loop for ever.
const TEST_MAX_SECONDS: &str = "300";
/// How `timeout` exits when it had to end the command, softly or not.
const ENDED: [Option<i32>; 2] = [Some(124), Some(137)];

/// What became of a mutant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Caught,
    Hung,
    Missed,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Caught => "caught",
            Self::Hung => "caught by never ending",
            Self::Missed => "NOT CAUGHT",
        })
    }
}

/// The copy of the tree.
pub(crate) struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Brings the copy up to date. What is the same keeps its time, so cargo has nothing to do.
    pub(crate) fn refresh(directory: &Path) -> Result<Self> {
        let copy = Self { tree: directory.join("tree"), target: directory.join("target") };
        let files = tree::files()?;
        fs::create_dir_all(&copy.tree)?;
        for file in &files {
            let (to, text) = (copy.tree.join(file), fs::read(file)?);
            if fs::read(&to).ok().is_none_or(|old| old != text) {
                fs::create_dir_all(to.parent().context("a file without a directory")?)?;
                fs::copy(file, &to)?;
                fs::write(&to, text)?;
            }
        }
        copy.forget(&copy.tree, &files)?;
        Ok(copy)
    }

    /// Removes what the tree no longer has.
    fn forget(&self, directory: &Path, files: &[PathBuf]) -> Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                self.forget(&path, files)?;
            } else if files.binary_search(&path.strip_prefix(&self.tree)?.to_owned()).is_err() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The test itself, unharmed: it exists and passes.
    pub(crate) fn must_pass(&self, check: &Check) -> Result<()> {
        self.compile(check)?;
        let output = self.test(check)?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            bail!("{} fails without any mutant:\n{text}", check.name);
        }
        let passed = text.lines().filter(|line| line.ends_with("... ok")).count();
        // An item's documentation may hold several snippets under its one name.
        if passed == 0 || (passed > 1 && !check.documented()) {
            bail!("{} {} names {passed} tests", check.place.join(" "), check.name);
        }
        Ok(())
    }

    /// Applies a mutant, runs its test, puts the file back.
    pub(crate) fn attempt(&self, mutant: &Mutant) -> Result<Verdict> {
        let file = self.tree.join(&mutant.file);
        let text = fs::read_to_string(&file).with_context(|| mutant.file.clone())?;
        fs::write(&file, apply(&text, mutant)?)?;
        let compiled = self.compile(&mutant.check).context("it must compile to prove anything");
        let output = compiled.and_then(|()| self.test(&mutant.check));
        fs::write(&file, text)?;
        Ok(match output?.status {
            status if status.success() => Verdict::Missed,
            status if ENDED.contains(&status.code()) => Verdict::Hung,
            _ => Verdict::Caught,
        })
    }

    fn compile(&self, check: &Check) -> Result<()> {
        if check.binary {
            let build =
                ["build", "--quiet", "--bin", "twinslot", "--profile", "mutant", "--target"];
            run(self.inside(cargo(&build).arg(TARGETS[1])))?;
        }
        let mut build = if check.documented() {
            let place = check.place.iter().map(|word| if word == "--doc" { "--lib" } else { word });
            let mut build = cargo(&["build", "--quiet"]);
            build.args(place);
            build
        } else {
            let mut build = cargo(&["test", "--quiet", "--no-run"]);
            build.args(&check.place);
            build
        };
        run(self.inside(&mut build))
    }

    fn test(&self, check: &Check) -> Result<Output> {
        let mut test = if check.documented() { doc_tests(&[]) } else { cargo(&["test"]) };
        let others = check.place.iter().filter(|word| *word != "--doc");
        test.args(others).arg("--").arg(&check.name);
        if !check.documented() {
            test.arg("--exact");
        }
        let mut limited = Command::new("timeout");
        limited.args(["--kill-after=5", TEST_MAX_SECONDS]).arg(test.get_program());
        limited.args(test.get_args());
        for (name, value) in test.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        let binary = self.target.join(TARGETS[1]).join("mutant/twinslot");
        let limited = self.inside(with_tools(&mut limited)?).env("TWINSLOT_BIN", binary);
        limited.output().with_context(|| format!("cannot start {}", words(limited)))
    }

    fn inside<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target)
    }
}

/// The text with the mutant's lines in place of those it looks for, indentation aside.
fn apply(text: &str, mutant: &Mutant) -> Result<String> {
    let lines: Vec<&str> = text.lines().collect();
    let same = |window: &[&str]| window.iter().zip(&mutant.find).all(|(a, b)| a.trim() == b);
    let mut places = lines.windows(mutant.find.len()).enumerate().filter(|(_, lines)| same(lines));
    let (Some((at, _)), None) = (places.next(), places.next()) else {
        bail!("stale: {} does not hold once:\n{}", mutant.file, mutant.find.join("\n"));
    };
    let mut changed: Vec<&str> = lines[..at].to_vec();
    changed.extend(mutant.put.iter().map(String::as_str));
    changed.extend(&lines[at + mutant.find.len()..]);
    Ok(changed.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(find: &[&str], put: &[&str]) -> Mutant {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        let check = Check { place: Vec::new(), name: String::new(), binary: false };
        let (name, file) = ("m".to_owned(), "f".to_owned());
        Mutant { name, file, find: lines(find), put: lines(put), check }
    }

    #[test]
    fn lines_are_found_whatever_their_indentation_and_replaced() {
        let text = "fn a() {\n    if x {\n        y();\n    }\n}\n";
        let changed = apply(text, &mutant(&["if x {", "y();"], &["if !x {", "y();"])).unwrap();
        assert_eq!(changed, "fn a() {\nif !x {\ny();\n    }\n}\n");
    }

    #[test]
    fn a_mutant_whose_lines_are_gone_or_stand_twice_is_stale() {
        assert!(apply("a\nb\n", &mutant(&["c"], &["d"])).is_err());
        assert!(apply("a\nb\na\n", &mutant(&["a"], &["d"])).is_err());
    }
}

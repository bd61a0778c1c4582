//! The list of mutants as text: blocks between empty lines, see xtask/mutants/README.md.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;

const LISTS: &str = "xtask/mutants";

/// One sabotage.
pub(crate) struct Mutant {
    pub(crate) name: String,
    /// The file it is done to, relative to the root.
    pub(crate) file: String,
    /// The lines it replaces, without indentation; they stand there once.
    pub(crate) find: Vec<String>,
    /// What it puts there.
    pub(crate) put: Vec<String>,
    pub(crate) check: Check,
}

/// The test that must catch it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Check {
    /// Where it is, as arguments of `cargo test`.
    pub(crate) place: Vec<String>,
    /// Its full name, as `cargo test` prints it; in documentation, a part of that.
    pub(crate) name: String,
    /// It runs the twinslot binary.
    pub(crate) binary: bool,
}

impl Check {
    /// It stands in documentation.
    pub(crate) fn documented(&self) -> bool {
        self.place.iter().any(|word| word == "--doc")
    }
}

/// All mutants of all lists.
pub(crate) fn read() -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    let mut lists = fs::read_dir(LISTS)?.collect::<Result<Vec<_>, _>>()?;
    lists.sort_by_key(fs::DirEntry::file_name);
    for list in lists.iter().map(fs::DirEntry::path).filter(|path| text_file(path)) {
        let text = fs::read_to_string(&list)?;
        mutants.extend(parse(&text).with_context(|| list.display().to_string())?);
    }
    let mut names: Vec<&str> = mutants.iter().map(|mutant| mutant.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("two mutants are called {}", pair[0]);
    }
    Ok(mutants)
}

fn text_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "txt")
}

fn parse(text: &str) -> Result<Vec<Mutant>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let blocks = lines.split(|line| line.trim().is_empty());
    blocks.filter(|block| !block.is_empty()).map(block).collect()
}

fn block(lines: &[&str]) -> Result<Mutant> {
    let all = |key: &str| -> Vec<String> {
        let rest = lines.iter().filter_map(|line| line.strip_prefix(key));
        let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with(' '));
        rest.map(|rest| rest.trim().to_owned()).collect()
    };
    let one = |key: &str| match &all(key)[..] {
        [value] if !value.is_empty() => Ok(value.clone()),
        _ => bail!("one `{key}` is needed in:\n{}", lines.join("\n")),
    };
    let known = ["mutant", "file", "find", "put", "test", "binary"];
    let odd = lines.iter().find(|line| !known.contains(&line.split(' ').next().unwrap_or("")));
    if let Some(odd) = odd {
        bail!("not a line of a mutant: {odd}");
    }
    let (find, put) = (all("find"), all("put"));
    if find.is_empty() || find == put {
        bail!("nothing to find, or nothing changed, in:\n{}", lines.join("\n"));
    }
    let mut place: Vec<String> = one("test")?.split_whitespace().map(str::to_owned).collect();
    let name = place.pop().unwrap_or_default();
    let binary = !all("binary").is_empty();
    let check = Check { place, name, binary };
    Ok(Mutant { name: one("mutant")?, file: one("file")?, find, put, check })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# why\n\nmutant wraps\nfile src/a.rs\nfind if a {\nput if !a {\n\
        test --package p --lib a::tests::wraps\n\n\nmutant gone\nfile src/b.rs\nfind x();\nput\n\
        test --package p --test cli starts\nbinary\n";

    #[test]
    fn blocks_are_mutants_and_hashes_are_comments() {
        let mutants = parse(TEXT).unwrap();
        assert_eq!(mutants.len(), 2);
        assert_eq!(mutants[0].find, ["if a {"]);
        assert_eq!(mutants[0].check.place, ["--package", "p", "--lib"]);
        assert_eq!(mutants[0].check.name, "a::tests::wraps");
        assert_eq!(mutants[1].put, [""]);
        assert!(mutants[1].check.binary && !mutants[0].check.binary);
    }

    #[test]
    fn a_block_that_lacks_or_invents_a_line_is_refused() {
        assert!(parse("mutant a\nfile f\nfind x\nput y\n").is_err());
        assert!(parse("mutant a\nfile f\nfind x\nput x\ntest --lib t\n").is_err());
        assert!(parse("mutant a\nfile f\nfnid x\nfind x\nput y\ntest --lib t\n").is_err());
    }
}

//! The rules of the house that are checked by text: a table of them in tidy/rules.rs. Every rule
//! has an example that breaks it, and is tried on that first, so none goes blind unnoticed.

mod documents;
mod layout;
mod rules;
mod shape;
mod source;
mod walls;
mod words;

use crate::tree;
use anyhow::{Result, bail};
use rules::{RULES, Rule};
use source::Source;
use std::fs;

/// All files of the tree.
type Tree = [Source];

/// A place that breaks a rule.
struct Finding {
    path: String,
    line: usize,
    text: String,
}

/// Names every place that breaks a rule.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let mut sources = Vec::new();
    for path in tree::files()? {
        // What is not text is there and has no lines to look at.
        let text = fs::read_to_string(&path).unwrap_or_default();
        sources.push(Source::new(&path.to_string_lossy(), &text));
    }
    mark_tests(&mut sources);
    if let Some(rule) = RULES.iter().find(|rule| sees(rule) == 0) {
        bail!("the rule {} does not see its own example", rule.name);
    }
    let mut found = 0;
    for rule in RULES {
        for Finding { path, line, text } in (rule.find)(&sources) {
            found += 1;
            println!("{path}:{line}: {text} ({}: {})", rule.name, rule.says);
        }
    }
    if found > 0 {
        bail!("{found} places break a rule");
    }
    println!("{} rules hold in {} files", RULES.len(), sources.len());
    Ok(())
}

/// How many findings the rule's example makes.
fn sees(rule: &Rule) -> usize {
    let files = (rule.broken_by)();
    let tree: Vec<_> = files.iter().map(|(path, text)| Source::new(path, text)).collect();
    (rule.find)(&tree).len()
}

/// A file that is a module for tests only is all test, and so are the modules below it.
fn mark_tests(sources: &mut [Source]) {
    let modules = sources.iter().flat_map(Source::modules);
    let tests: Vec<String> = modules.filter(|(_, test)| *test).map(|(path, _)| path).collect();
    for source in sources {
        if tests.iter().any(|path| source.within(path.trim_end_matches(".rs"))) {
            source.untested = 0;
        }
    }
}

fn finding(source: &Source, line: usize, text: impl Into<String>) -> Finding {
    Finding { path: source.path.clone(), line, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_sees_the_example_that_breaks_it() {
        for rule in RULES {
            assert!(sees(rule) > 0, "{}", rule.name);
        }
    }

    #[test]
    fn a_file_that_keeps_the_rules_breaks_none() {
        let tree = [
            Source::new("src/lib.rs", "//! x\n#![no_std]\n#![forbid(unsafe_code)]\nmod a;\n"),
            Source::new("src/a.rs", "//! unwrap() and unsafe, std:: in prose\nfn a() {}\n"),
            Source::new("README.md", "See `src/a.rs` and src/.\n"),
            Source::new("ARCHITECTURE.md", "It holds (test: `a`), (tidy: walls, core).\n"),
        ];
        for rule in RULES {
            assert_eq!((rule.find)(&tree).len(), 0, "{}", rule.name);
        }
    }

    #[test]
    fn tests_may_unwrap_and_use_std_also_in_a_file_of_their_own() {
        let test = "#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn b() { c.unwrap() }\n}\n";
        let mut tree = [
            Source::new("src/lib.rs", "#![no_std]\n#![forbid(unsafe_code)]\nmod a;\n"),
            Source::new("src/a.rs", &format!("#[cfg(test)]\nmod sim;\n{test}")),
            Source::new("src/a/sim.rs", "mod f;\nuse std::fs;\nfn d() { e.unwrap() }\n"),
            Source::new("src/a/sim/f.rs", "fn g() { h.unwrap() }\n"),
        ];
        mark_tests(&mut tree);
        for rule in RULES.iter().filter(|rule| ["core", "unwrap"].contains(&rule.name)) {
            assert_eq!((rule.find)(&tree).len(), 0, "{}", rule.name);
        }
    }
}

//! Rules on words that must not stand in code, or just once.

use super::source::{Source, names};
use super::{Finding, Tree, finding};

/// Assembled, so that the rule does not find itself.
const LATER: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ign", "ore")];
const LATER_IN_CODE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

pub(super) fn assertion(tree: &Tree) -> Vec<Finding> {
    let (mut defined, mut calls) = (None, Vec::new());
    for source in tree.iter().filter(|source| source.path.starts_with("src/")) {
        // rustls has one of its own.
        let theirs = |line: &str| names(line, "ServerCertVerified::assertion(");
        let ours = |line: &str| names(line, "assertion(") && !theirs(line);
        for (number, line) in source.code_lines().filter(|(_, line)| ours(line)) {
            if names(line, "fn assertion(") {
                defined = Some(finding(source, number, "defined, and called nowhere"));
            } else {
                calls.push(finding(source, number, "called here, and elsewhere too"));
            }
        }
    }
    match calls.len() {
        0 => defined.into_iter().collect(),
        1 => Vec::new(),
        _ => calls,
    }
}

pub(super) fn unfinished(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree {
        for (number, line) in source.lines() {
            let later = LATER.iter().filter(|word| names(line, word));
            found.extend(later.map(|word| finding(source, number, *word)));
        }
        for (index, line) in source.code.lines().enumerate() {
            let later = LATER_IN_CODE.iter().filter(|word| names(line, word));
            found.extend(later.map(|word| finding(source, index + 1, *word)));
        }
    }
    found
}

/// `.ok();` ends a statement that keeps nothing of it.
pub(super) fn dropped_error(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| source.rust()) {
        for (at, _) in source.code.match_indices(".ok();") {
            let line = source.code[..at].matches('\n').count() + 1;
            if line <= source.untested && drops(&source.code[..at]) {
                found.push(finding(source, line, "the error is dropped here"));
            }
        }
    }
    found
}

fn drops(before: &str) -> bool {
    let statement = before.rsplit([';', '{', '}']).next().unwrap_or_default();
    let kept = statement.replace("==", "").contains('=') || names(statement, "return");
    !kept
}

/// They end the program where nobody reads what it says.
pub(super) fn printing(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| source.path.starts_with("src/")) {
        for (number, line) in source.code_lines() {
            let macros = ["print!", "println!", "eprint!", "eprintln!"].into_iter();
            let macros = macros.filter(|name| names(line, name));
            found.extend(macros.map(|name| finding(source, number, name)));
        }
    }
    found
}

pub(super) fn unwrap(tree: &Tree) -> Vec<Finding> {
    let crates = ["src/", "tls-records/src/", "uboot-env/src/"];
    let ours = |source: &&Source| crates.iter().any(|root| source.path.starts_with(root));
    let mut found = Vec::new();
    for source in tree.iter().filter(ours) {
        for (number, line) in source.code_lines() {
            let calls = [".unwrap()", ".expect("].into_iter().filter(|call| line.contains(call));
            found.extend(calls.map(|call| finding(source, number, call)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_of_the_assertion_is_right_and_none_is_wrong() {
        let defined = Source::new("src/slot.rs", "/// see assertion(x)\npub fn assertion(a: B) {}");
        assert_eq!(assertion(std::slice::from_ref(&defined)).len(), 1);
        let tree = [defined, Source::new("src/cli.rs", "let a = BootedSlot::assertion(b);\n")];
        assert!(assertion(&tree).is_empty());
    }

    #[test]
    fn later_is_found_in_comments_and_other_files_too() {
        let text = format!("# {} mend\n", LATER[0]);
        assert_eq!(unfinished(&[Source::new("x.toml", &text)]).len(), 1);
        assert_eq!(unfinished(&[Source::new("x.rs", "// no dbg! here\n")]).len(), 0);
    }

    #[test]
    fn an_option_that_is_kept_or_returned_is_no_dropped_error() {
        let count = |text| dropped_error(&[Source::new("src/a.rs", text)]).len();
        assert_eq!(count("let a = b\n    .ok();\n"), 0);
        assert_eq!(count("return b.ok();\n"), 0);
        assert_eq!(count("a(); b(c == d).ok();\n"), 1);
        assert_eq!(count("fn a() { b\n.c()\n.ok(); }\n"), 1);
    }

    #[test]
    fn expect_is_found_and_an_expected_lint_is_not() {
        let count = |path, text| unwrap(&[Source::new(path, text)]).len();
        assert_eq!(count("uboot-env/src/lib.rs", "a.expect(\"b\");\n"), 1);
        assert_eq!(count("src/a.rs", "#[expect(dead_code)]\nfn unwrap_or() {}\n"), 0);
        assert_eq!(count("tests/a.rs", "a.unwrap();\n"), 0);
    }
}

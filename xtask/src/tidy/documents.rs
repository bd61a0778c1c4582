//! Rules on text for people: what it points to is there, and it points to nothing private.

use super::rules::RULES;
use super::source::names;
use super::{Finding, Tree, finding};

const DOCUMENTS: [&str; 2] = ["README.md", "ARCHITECTURE.md"];
const ROOTS: [&str; 9] = [
    "src/",
    "tests/",
    "testserver/",
    "tls-records/",
    "xtask/",
    "uboot-env/",
    "linker/",
    "board/",
    ".ci/",
];

/// Assembled, so that the rule does not find itself.
const PRIVATE: [&str; 7] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("../sha", "red"),
    concat!("deb.deb", "ian.org"),
    concat!("snapshot.deb", "ian.org"),
    concat!("index.crat", "es.io"),
    concat!("static.rust-la", "ng.org"),
];
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn paths(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| DOCUMENTS.contains(&source.path.as_str())) {
        for (number, line) in source.lines() {
            let gone = named_paths(line).into_iter().filter(|path| !there(tree, path));
            found.extend(gone.map(|path| finding(source, number, format!("{path} is not there"))));
        }
    }
    found
}

/// Paths from the root that a line names. `src/sys/{a,b}.rs` and `src/*.rs` name a directory.
fn named_paths(line: &str) -> Vec<&str> {
    let mut paths = Vec::new();
    for root in ROOTS {
        for (at, _) in line.match_indices(root) {
            let before = line[..at].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || "/_-.".contains(letter)) {
                continue;
            }
            let rest = &line[at..];
            let end = rest
                .find(|letter: char| !letter.is_ascii_alphanumeric() && !"/_-.".contains(letter));
            let path = &rest[..end.unwrap_or(rest.len())];
            let listed = end.is_some_and(|end| rest[end..].starts_with(['{', '*', '<']));
            let path =
                if listed { path.rsplit_once('/').map_or(path, |(path, _)| path) } else { path };
            paths.push(path.trim_end_matches(['.', '/', '-']));
        }
    }
    paths
}

fn there(tree: &Tree, path: &str) -> bool {
    let below = |file: &str| file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    tree.iter().any(|source| source.path == path || below(&source.path))
}

pub(super) fn invariants(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| source.path == "ARCHITECTURE.md") {
        for (number, line) in source.lines() {
            let tests = holders(line, "(test").into_iter().filter(|name| !function(tree, name));
            found.extend(tests.map(|name| finding(source, number, format!("no test {name}"))));
            let known = |name: &&str| RULES.iter().any(|rule| rule.name == *name);
            let rules = holders(line, "(tidy").into_iter().filter(|name| !known(name));
            found.extend(rules.map(|name| finding(source, number, format!("no rule {name}"))));
            let scenarios = holders(line, "(scenario").into_iter();
            let gone = scenarios.filter(|name| !scenario(tree, name));
            found.extend(gone.map(|name| finding(source, number, format!("no scenario {name}"))));
        }
    }
    found
}

/// The names in `(test: a, b)`, `(tests: ..)` or `(tidy: ..)`, without their modules.
fn holders<'a>(line: &'a str, opening: &str) -> Vec<&'a str> {
    let mut holders = Vec::new();
    for (at, _) in line.match_indices(opening) {
        let rest = line[at + opening.len()..].trim_start_matches('s');
        let list = rest.strip_prefix(':').and_then(|rest| rest.split(')').next());
        let names = list.unwrap_or_default().split(',').map(|name| name.trim().trim_matches('`'));
        let names = names.map(|name| name.rsplit("::").next().unwrap_or(name));
        holders.extend(names.filter(|name| !name.is_empty()));
    }
    holders
}

fn function(tree: &Tree, name: &str) -> bool {
    let text = format!("fn {name}");
    tree.iter().any(|source| source.code.lines().any(|line| names(line, &text)))
}

fn scenario(tree: &Tree, name: &str) -> bool {
    let quoted = format!("\"{name}\"");
    tree.iter().any(|source| source.path == "xtask/src/e2e.rs" && source.text.contains(&quoted))
}

pub(super) fn private(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree {
        for (number, line) in source.lines() {
            let named = PRIVATE.iter().filter(|place| starts_in(line, place));
            found.extend(named.map(|place| finding(source, number, format!("names {place}"))));
        }
    }
    found
}

/// The place stands there, not as the end of a longer path such as `{sandbox}/..`.
fn starts_in(line: &str, place: &str) -> bool {
    let inside = |letter: char| letter.is_alphanumeric() || "_-})".contains(letter);
    let mut before = line.match_indices(place).map(|(at, _)| line[..at].chars().next_back());
    before.any(|letter| !letter.is_some_and(inside))
}

pub(super) fn registry(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| source.path == "Cargo.lock") {
        let origins = source.lines().filter(|(_, line)| line.starts_with("source = "));
        let odd = origins.filter(|(_, line)| !line.contains(CRATES_IO));
        found.extend(odd.map(|(number, line)| finding(source, number, line)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_prose_and_not_in_addresses() {
        assert_eq!(named_paths("See `src/a.rs`, tests/e2e/."), ["src/a.rs", "tests/e2e"]);
        assert_eq!(named_paths("https://x.example/src/a.rs"), [""; 0]);
        assert_eq!(named_paths("src/sys/{a,b}.rs and src/net*"), ["src/sys", "src"]);
    }

    #[test]
    fn an_invariant_names_its_tests_and_rules() {
        assert_eq!(holders("x (test: `a::b`, c) y (tests: d)", "(test"), ["b", "c", "d"]);
        assert_eq!(holders("(tidy: walls)", "(tidy"), ["walls"]);
        assert_eq!(holders("(tested by hand)", "(test"), [""; 0]);
    }

    #[test]
    fn a_place_is_private_only_from_the_root() {
        let place = PRIVATE[1];
        assert!(starts_in(&format!("cd {place}x"), place));
        assert!(!starts_in(&format!("{{sandbox}}{place}x"), place));
    }
}

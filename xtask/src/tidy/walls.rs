//! Rules on who may use whom.

use super::source::{Source, names};
use super::{Finding, Tree, finding};
use std::collections::BTreeSet;

/// Modules, and words that their code must never name.
struct Wall {
    within: &'static str,
    apart: &'static [&'static str],
    never: &'static [&'static str],
}

#[rustfmt::skip]
const WALLS: &[Wall] = &[
    Wall { within: "src", apart: &["src/main", "src/cli"], never: &["cli"] },
    Wall { within: "src/sys", apart: &[], never: &["net"] },
    Wall { within: "src/net", apart: &[], never: &["sys", "twinslot::artifact"] },
    Wall { within: "src/stream", apart: &[], never: &["artifact", "tar", "json", "slot"] },
    Wall { within: "src/artifact", apart: &[],
        never: &["BlockDevice", "EnvStore", "Slots", "slot", "boot", "crate::update"] },
    Wall { within: "src/slot", apart: &[], never: &["artifact", "json", "crate::update"] },
    Wall { within: "src/boot", apart: &[], never: &["artifact", "stream", "crate::update"] },
    Wall { within: "uboot-env", apart: &[], never: &["twinslot"] },
    Wall { within: "tls-records", apart: &[], never: &["twinslot", "uboot_env"] },
    // What both got wrong alike would go unseen.
    Wall { within: "testserver", apart: &[], never: &["twinslot", "uboot_env"] },
];

/// Crates of others have a right to these names.
const OTHERS: [&str; 6] =
    ["std::net", "core::net", "os::unix::net", "os::linux::net", "nix::sys", "std::sys"];

pub(super) fn imports(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for wall in WALLS {
        let apart = |source: &&Source| !wall.apart.iter().any(|root| source.within(root));
        for source in tree.iter().filter(|one| one.rust() && one.within(wall.within)).filter(apart)
        {
            for (number, line) in source.code_lines() {
                let line = OTHERS.iter().fold(line.to_owned(), |line, name| line.replace(name, ""));
                // A field or a method may have any name.
                let own = |word: &str| line.replace(&format!(".{word}"), "");
                let named = wall.never.iter().filter(|word| names(&own(word), word));
                found.extend(named.map(|word| {
                    finding(source, number, format!("{} must not name {word}", wall.within))
                }));
            }
        }
    }
    found
}

pub(super) fn only_sys_is_unsafe(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| source.rust() && !source.within("src/sys")) {
        let lines = source.code.lines().enumerate();
        let lines = lines.filter(|(_, line)| names(line, "unsafe"));
        found.extend(lines.map(|(index, _)| finding(source, index + 1, "unsafe code")));
    }
    found
}

pub(super) fn core(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for root in ["src/lib.rs", "uboot-env/src/lib.rs"] {
        let reached = reached(tree, root);
        for source in tree.iter().filter(|source| reached.contains(&source.path)) {
            if source.path == root {
                found.extend(promises(source));
            }
            found.extend(outside(source));
        }
    }
    found
}

fn promises(root: &Source) -> Vec<Finding> {
    let promises = ["#![no_std]", "#![forbid(unsafe_code)]"];
    let missing = promises.iter().filter(|line| !root.code.lines().any(|code| code == **line));
    missing.map(|line| finding(root, 1, format!("{line} is missing"))).collect()
}

fn outside(source: &Source) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut before = "";
    for (number, line) in source.code_lines() {
        for word in ["std::", "alloc::", "extern crate"] {
            if names(line, word) && before != "#[cfg(test)]" {
                found.push(finding(source, number, format!("the core must not name {word}")));
            }
        }
        before = line.trim();
    }
    found
}

pub(super) fn two_crates(tree: &Tree) -> Vec<Finding> {
    let library = reached(tree, "src/lib.rs");
    let binary = reached(tree, "src/main.rs");
    let mut found = Vec::new();
    for source in tree.iter().filter(|source| source.rust() && source.path.starts_with("src/")) {
        match (library.contains(&source.path), binary.contains(&source.path)) {
            (true, true) => found.push(finding(source, 1, "lib.rs and main.rs both lead here")),
            (false, false) => found.push(finding(source, 1, "no `mod` leads here")),
            _ => {}
        }
    }
    found
}

/// The files of the crate with this root.
fn reached(tree: &Tree, root: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![root.to_owned()];
    while let Some(path) = next.pop() {
        let known = tree.iter().find(|source| source.path == path);
        if let Some(source) = known.filter(|_| reached.insert(path)) {
            next.extend(source.modules().into_iter().map(|(path, _)| path));
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wall_holds_back_each_of_its_words() {
        for wall in WALLS {
            for word in wall.never {
                let path = format!("{}/a.rs", wall.within);
                let tree = [Source::new(&path, &format!("use {word};\n"))];
                let found = imports(&tree);
                assert!(found.iter().any(|one| one.text.ends_with(word)), "{path} {word}");
            }
        }
    }

    #[test]
    fn names_of_other_crates_and_the_parts_set_apart_are_let_through() {
        let through = |path, text| imports(&[Source::new(path, text)]).is_empty();
        assert!(through("src/sys/env.rs", "use std::net::IpAddr;\n"));
        assert!(through("src/net/tls.rs", "use nix::sys::socket;\n"));
        assert!(through("src/cli/show.rs", "use crate::cli::exit;\n"));
        assert!(through("src/main.rs", "mod cli;\n"));
        assert!(through("src/stream/block.rs", "self.slot.take();\n"));
        assert!(!through("src/sys.rs", "use crate::net::http;\n"));
    }

    #[test]
    fn unsafe_is_let_through_under_sys_and_in_names() {
        let count = |path, text| only_sys_is_unsafe(&[Source::new(path, text)]).len();
        assert_eq!(count("src/sys/mmc.rs", "unsafe { x() }\n"), 0);
        assert_eq!(count("src/lib.rs", "#![forbid(unsafe_code)]\n"), 0);
        assert_eq!(count("tests/sim/main.rs", "unsafe { x() }\n"), 1);
    }

    #[test]
    fn std_may_be_had_for_tests() {
        let promises = "#![no_std]\n#![forbid(unsafe_code)]\n";
        let text = format!("{promises}#[cfg(test)]\nextern crate std;\n");
        assert!(core(&[Source::new("src/lib.rs", &text)]).is_empty());
        let text = format!("{promises}extern crate std;\n");
        assert_eq!(core(&[Source::new("src/lib.rs", &text)]).len(), 1);
    }

    #[test]
    fn a_file_of_both_crates_is_found() {
        let both = [("src/lib.rs", "mod a;"), ("src/main.rs", "mod a;"), ("src/a.rs", "")];
        let tree = both.map(|(path, text)| Source::new(path, text));
        assert_eq!(two_crates(&tree).len(), 1);
    }
}

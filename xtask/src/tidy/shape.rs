//! Rules on the shape of a file: its header, its name, and how long things are.

use super::source::{Source, names};
use super::{Finding, Tree, finding};

const LINE_MAX_CHARS: usize = 100;
const FILE_MAX_LINES: usize = 400;
/// One screen.
const MAIN_MAX_LINES: usize = 60;
const FUNCTION_MAX_LINES: usize = 70;
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "manager", "info"];

pub(super) fn header(tree: &Tree) -> Vec<Finding> {
    let bare = rust(tree).filter(|source| !source.text.starts_with("//! "));
    bare.map(|source| finding(source, 1, "starts without `//! `")).collect()
}

pub(super) fn line_length(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in rust(tree) {
        for (number, line) in source.lines() {
            let count = line.chars().count();
            if count > LINE_MAX_CHARS {
                found.push(finding(source, number, format!("{count} characters")));
            }
        }
    }
    found
}

pub(super) fn file_length(tree: &Tree) -> Vec<Finding> {
    let max = |source: &Source| {
        if source.path.ends_with("src/main.rs") { MAIN_MAX_LINES } else { FILE_MAX_LINES }
    };
    let long = rust(tree).filter(|source| source.untested > max(source));
    long.map(|source| finding(source, 1, format!("{} lines", source.untested))).collect()
}

pub(super) fn function_length(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in rust(tree) {
        let starts = source.code.match_indices("fn ").map(|(at, _)| at);
        for at in starts.filter(|at| names(&source.code[at.saturating_sub(1)..at + 3], "fn")) {
            let lines = source.code[at..at + function(&source.code[at..])].lines().count();
            if lines > FUNCTION_MAX_LINES {
                let line = source.code[..at].matches('\n').count() + 1;
                found.push(finding(source, line, format!("a function of {lines} lines")));
            }
        }
    }
    found
}

pub(super) fn file_name(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in rust(tree) {
        let name = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        if name.split('_').any(|word| EMPTY_NAMES.contains(&word)) {
            found.push(finding(source, 1, format!("`{name}` does not say what it is")));
        }
    }
    found
}

fn rust(tree: &Tree) -> impl Iterator<Item = &Source> {
    tree.iter().filter(|source| source.rust())
}

/// How many bytes the function takes that starts here: to the brace that closes its body, or to
/// the semicolon of one that has none.
fn function(code: &str) -> usize {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            '{' => braces += 1,
            '}' if braces <= 1 => return at + 1,
            '}' => braces -= 1,
            ';' if braces == 0 && brackets == 0 => return at,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rule: fn(&Tree) -> Vec<Finding>, path: &str, text: &str) -> usize {
        rule(&[Source::new(path, text)]).len()
    }

    #[test]
    fn the_bounds_themselves_are_allowed() {
        assert_eq!(count(line_length, "a.rs", &"ä".repeat(LINE_MAX_CHARS)), 0);
        assert_eq!(count(file_length, "a.rs", &"\n".repeat(FILE_MAX_LINES)), 0);
        assert_eq!(count(file_length, "src/main.rs", &"\n".repeat(MAIN_MAX_LINES + 1)), 1);
        let body = "\n".repeat(FUNCTION_MAX_LINES - 1);
        assert_eq!(count(function_length, "a.rs", &format!("fn a() {{{body}}}")), 0);
    }

    #[test]
    fn a_long_function_is_found_where_it_starts() {
        let text = format!("//! x\n\nfn a() {{{}}}", "\n".repeat(FUNCTION_MAX_LINES));
        assert_eq!(function_length(&[Source::new("a.rs", &text)])[0].line, 3);
    }

    #[test]
    fn tests_do_not_count_towards_a_file() {
        let text = format!("#[cfg(test)]\nmod tests {{{}}}\n", "\n".repeat(FILE_MAX_LINES));
        assert_eq!(count(file_length, "a.rs", &text), 0);
    }

    #[test]
    fn a_function_ends_at_its_own_brace_or_semicolon() {
        assert_eq!(function("fn a(b: [u8; 4]); fn c() {}"), 16);
        assert_eq!(function("fn a() { if b { c } }\nfn d() {}"), 21);
    }
}

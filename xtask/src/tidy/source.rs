//! A file as the rules see it: its text, and its code alone with comments and the inside of
//! literals blanked, so that a rule on code never trips over prose.

/// One file of the tree.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// As long as the text, line for line; empty for what is not Rust.
    pub(crate) code: String,
    /// How many lines come before its tests.
    pub(crate) untested: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = if path.ends_with(".rs") { code_of(text) } else { String::new() };
        let untested = before_tests(&code).unwrap_or_else(|| text.lines().count());
        Self { path: path.to_owned(), text: text.to_owned(), code, untested }
    }

    /// It is written in Rust.
    pub(crate) fn rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// It is the module `root` or below: `src/sys` is src/sys.rs and all of src/sys/.
    pub(crate) fn within(&self, root: &str) -> bool {
        let rest = self.path.strip_prefix(root);
        rest.is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    }

    /// All lines of the text, numbered from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The lines of the code before its tests, numbered from 1.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line)).take(self.untested)
    }

    /// The modules it declares as files of their own: where each is, and whether for tests only.
    pub(crate) fn modules(&self) -> Vec<(String, bool)> {
        let lines: Vec<&str> = self.code.lines().map(str::trim).collect();
        let mut modules = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let declared = line.rsplit_once("mod ").filter(|(head, _)| visibility(head));
            if let Some(name) = declared.and_then(|(_, rest)| rest.strip_suffix(';')) {
                let tests = index > 0 && lines[index - 1] == "#[cfg(test)]";
                modules.push((format!("{}/{name}.rs", self.directory()), tests));
            }
        }
        modules
    }

    fn directory(&self) -> &str {
        let (parent, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        if ["lib.rs", "main.rs"].contains(&name) {
            parent
        } else {
            self.path.trim_end_matches(".rs")
        }
    }
}

/// A word or path stands in the line, not as a part of a longer name.
pub(crate) fn names(line: &str, word: &str) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let joined = |a: Option<&u8>, b: Option<&u8>| a.is_some_and(part) && b.is_some_and(part);
    let (bytes, ends) = (line.as_bytes(), word.as_bytes());
    line.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(at + word.len());
        !joined(before, ends.first()) && !joined(ends.last(), after)
    })
}

fn visibility(head: &str) -> bool {
    let head = head.trim();
    head.is_empty() || head == "pub" || (head.starts_with("pub(") && head.ends_with(')'))
}

/// The line of `#[cfg(test)]` over a `mod name {`, counted from 0.
fn before_tests(code: &str) -> Option<usize> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    (0..lines.len()).find(|at| {
        let module = lines[at + 1..].iter().find(|line| !line.starts_with("#["));
        lines[*at] == "#[cfg(test)]"
            && module.is_some_and(|line| names(line, "mod") && line.ends_with('{'))
    })
}

fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let length = blank(bytes, at);
        for byte in &bytes[at..at + length.max(1)] {
            let kept = *byte == b'\n' || (length == 0 && byte.is_ascii());
            code.push(if kept { char::from(*byte) } else { ' ' });
        }
        at += length.max(1);
    }
    code
}

/// How many bytes from here are a comment or a literal; 0 where code goes on.
fn blank(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let inside_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !inside_name => raw(rest),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !inside_name => raw(rest),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', first, ..] => character(rest, *first),
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `r"..."`, `r#"..."#`, `br"..."`; a raw identifier is none.
fn raw(rest: &[u8]) -> usize {
    let start = rest.iter().position(|byte| *byte == b'r').unwrap_or(0) + 1;
    let hashes = rest[start..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(start + hashes) != Some(&b'"') {
        return 0;
    }
    let end = [&b"\""[..], &b"#".repeat(hashes)].concat();
    let body = start + hashes + 1;
    let found = rest[body..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |found| body + found + end.len())
}

/// `'x'` is a literal, `'x` a lifetime.
fn character(rest: &[u8], first: u8) -> usize {
    let width = match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "a(\"b\\\"c\"); // d\n/* e /* f */\n g */ h('\\'', 'i', r#\"j\"k\"#) + <'l>\n";
        let code = code_of(text);
        assert_eq!(code.lines().count(), text.lines().count());
        let kept: Vec<&str> = code.split_whitespace().collect();
        assert_eq!(kept, ["a(", ");", "h(", ",", ",", ")", "+", "<'l>"]);
        assert_eq!(code_of("r#type"), "r#type");
    }

    #[test]
    fn a_word_is_not_found_inside_a_longer_one() {
        assert!(names("use crate::net;", "net"));
        assert!(!names("let planet = 1;", "net"));
        assert!(names("x.ok();", ".ok();"));
    }

    #[test]
    fn tests_start_at_the_module_and_not_at_an_item_for_tests() {
        let text =
            "#[cfg(test)]\nmod sim;\nfn a() {}\n#[cfg(test)]\n#[rustfmt::skip]\nmod t {\n}\n";
        let source = Source::new("src/lib.rs", text);
        assert_eq!(source.untested, 3);
        assert_eq!(source.modules(), [("src/sim.rs".to_owned(), true)]);
    }

    #[test]
    fn a_module_file_is_beside_its_parent() {
        let modules = |path: &str| Source::new(path, "pub(crate) mod b;\n").modules()[0].0.clone();
        assert_eq!(modules("src/main.rs"), "src/b.rs");
        assert_eq!(modules("src/a.rs"), "src/a/b.rs");
    }
}

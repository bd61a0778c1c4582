//! The rules, a block each: its name, what it says, the function that finds what breaks it, and
//! an example of that.

use super::{Finding, Tree, documents, layout, shape, walls, words};

/// One rule.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) find: fn(&Tree) -> Vec<Finding>,
    /// Files that break it: path and text.
    pub(super) broken_by: fn() -> Vec<(&'static str, String)>,
}

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "header",
        says: "a file says at its top what it is and what it never does",
        find: shape::header,
        broken_by: || vec![("src/a.rs", "use b::c;\n".into())],
    },
    Rule {
        name: "line-length",
        says: "lines have up to 100 characters",
        find: shape::line_length,
        broken_by: || vec![("src/a.rs", "x".repeat(101))],
    },
    Rule {
        name: "file-length",
        says: "files have up to 400 lines before their tests, main.rs up to 60",
        find: shape::file_length,
        broken_by: || vec![("src/a.rs", "\n".repeat(401))],
    },
    Rule {
        name: "function-length",
        says: "functions have up to 70 lines",
        find: shape::function_length,
        broken_by: || vec![("src/a.rs", format!("fn a() {{{}}}\n", "\n".repeat(70)))],
    },
    Rule {
        name: "file-name",
        says: "a file is a noun that says something",
        find: shape::file_name,
        broken_by: || vec![("src/tar_util.rs", String::new())],
    },
    Rule {
        name: "unsafe",
        says: "unsafe is under src/sys only",
        find: walls::only_sys_is_unsafe,
        broken_by: || vec![("src/cli.rs", "unsafe { x() }\n".into())],
    },
    Rule {
        name: "core",
        says: "the libraries are no_std, forbid unsafe, and name neither std nor alloc",
        find: walls::core,
        broken_by: || vec![("src/lib.rs", "mod a;\n".into()), ("src/a.rs", "std::fs\n".into())],
    },
    Rule {
        name: "two-crates",
        says: "a file under src is of the library or of the binary, not of both or none",
        find: walls::two_crates,
        broken_by: || vec![("src/lib.rs", String::new()), ("src/a.rs", String::new())],
    },
    Rule {
        name: "walls",
        says: "who may use whom",
        find: walls::imports,
        broken_by: || vec![("src/net/http.rs", "use crate::{sys, cli};\n".into())],
    },
    Rule {
        name: "assertion",
        says: "one place asserts which slot is booted",
        find: words::assertion,
        broken_by: || {
            let twice = "a = BootedSlot::assertion(b);\nc = BootedSlot::assertion(d);\n";
            vec![("src/slot.rs", "fn assertion(\n".into()), ("src/cli.rs", twice.into())]
        },
    },
    Rule {
        name: "unfinished",
        says: "nothing is left for later",
        find: words::unfinished,
        broken_by: || vec![("src/a.rs", "fn a() { todo!() }\n".into())],
    },
    Rule {
        name: "dropped-error",
        says: "an error is not thrown away",
        find: words::dropped_error,
        broken_by: || vec![("src/a.rs", "fn a() {\n    flush(b)\n        .ok();\n}\n".into())],
    },
    Rule {
        name: "printing",
        says: "nothing is printed by a macro that panics where nobody reads",
        find: words::printing,
        broken_by: || vec![("src/a.rs", "eprintln!();\n".into())],
    },
    Rule {
        name: "unwrap",
        says: "no unwrap or expect outside tests",
        find: words::unwrap,
        broken_by: || vec![("src/a.rs", "let a = b.unwrap();\n".into())],
    },
    Rule {
        name: "paths",
        says: "a path that README.md or ARCHITECTURE.md names is there",
        find: documents::paths,
        broken_by: || vec![("README.md", "See `src/gone.rs`.\n".into())],
    },
    Rule {
        name: "invariants",
        says: "a test or a rule that ARCHITECTURE.md names is there",
        find: documents::invariants,
        broken_by: || vec![("ARCHITECTURE.md", "It holds (test: gone).\n".into())],
    },
    Rule {
        name: "private",
        says: "nothing names a place on one machine, or a mirror",
        find: documents::private,
        broken_by: || vec![("a.md", concat!("see /wo", "rk/main\n").into())],
    },
    Rule {
        name: "registry",
        says: "crates come from crates.io",
        find: documents::registry,
        broken_by: || vec![("Cargo.lock", "source = \"registry+https://m.example\"\n".into())],
    },
    Rule {
        name: "layout",
        says: "what is on a board's eMMC has its place and overlaps nothing",
        find: layout::layout,
        broken_by: || {
            let board = include_str!("../../../board/rockpro64/board.toml");
            vec![("board/a/board.toml", board.replace("\"10MiB\"", "\"9MiB\""))]
        },
    },
];

//! Every input that the fuzz targets were given or have found, once more.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod fuzz;
mod sim;
#[path = "fuzz/sys.rs"]
mod sys;

use fuzz::TARGETS;
use std::fs;
use std::path::{Path, PathBuf};

const CORPUS: &str = "tests/data/corpus";

#[test]
fn every_target_bears_its_corpus() {
    for (name, body) in TARGETS {
        let files = files(&Path::new(CORPUS).join(name));
        assert!(!files.is_empty(), "{name} has no corpus");
        println!("{name}: {} inputs", files.len());
        for file in files {
            // Said only when it panics.
            println!("{}", file.display());
            body(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn every_corpus_has_a_target() {
    for entry in fs::read_dir(CORPUS).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name:?}");
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory:?}: {error}"));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

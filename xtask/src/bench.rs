//! How fast an installation is, and how much memory it takes: as shipped, on an image of the size
//! of a real system. The measuring is in examples/bench; here its image is made, once. Figures
//! are of this machine at this moment: what they are held against is measured in the same run.

use crate::build::{self, TARGETS};
use crate::command::{cargo, program, run as run_command, step};
use crate::{test, tools, tree};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use testserver::{Seen, Server};

/// Changes with everything below that decides what is in the image.
const RECIPE: &str = "bench-570m-1";

/// The image, and how much of it files are to fill: seven eighths, as in a system's image that
/// was given some room.
const IMAGE: &str = "570M";
const FILES_BYTES: u64 = 500 << 20;
const FILE_MAX_BYTES: u64 = 16 << 20;

/// Programs and libraries before all else, as a small system has.
const SOURCES: [&str; 5] =
    ["/usr/bin", "/usr/sbin", "/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/share"];

/// Builds, makes what is missing, and measures. Ends in failure where a limit does not hold.
pub(crate) fn run(_: &[String]) -> Result<()> {
    step("build", || build::run(&[]))?;
    step("build the bench", || run_command(cargo(&["build"]).args(example())))?;
    let shelf = tools::cache()?.join(RECIPE);
    step("image", || image(&shelf))?;
    let server = Server::start()?;
    server.serve("/gzip.mender", shelf.join("gzip.mender"));
    let root = shelf.join("server-root.pem");
    fs::write(&root, server.root())?;
    let bench = tree::target()?.join(TARGETS[1]).join("release/examples/bench");
    let mut command = program(&bench.to_string_lossy(), &[]);
    command.arg(&shelf).arg(server.url("")).arg(&root).env("TMPDIR", &shelf);
    step("bench", || run_command(test::with_tools(&mut command)?))?;
    // Else it was no daemon that was idle.
    let asked = |seen: &Seen| seen.path.ends_with("/deployments/next") && seen.status == 204;
    ensure!(server.record().requests.iter().any(asked), "the daemon did not ask its server");
    Ok(())
}

/// As the binary that ships: same target, same profile.
fn example() -> [&'static str; 5] {
    ["--release", "--target", TARGETS[1], "--example", "bench"]
}

/// Makes the image if it is not there.
fn image(shelf: &Path) -> Result<()> {
    let (image, part) = (shelf.join("image.ext4"), shelf.join("part"));
    if image.exists() {
        println!("{} is there", image.display());
        return Ok(());
    }
    let tree = shelf.join("tree");
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    fs::create_dir_all(&tree)?;
    gather(&tree)?;
    let mut command = program("mke2fs", &["-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d"]);
    run_command(command.args([&tree, &part]).arg(IMAGE))?;
    fs::remove_dir_all(&tree)?;
    Ok(fs::rename(part, image)?)
}

/// Copies files of this machine, always the same ones, until there are enough.
fn gather(tree: &Path) -> Result<()> {
    let mut left_bytes = FILES_BYTES;
    for source in SOURCES {
        let mut files = Vec::new();
        walk(Path::new(source), &mut files)?;
        for path in files {
            let to = tree.join(path.strip_prefix("/")?);
            let bytes = fs::metadata(&path)?.len();
            if bytes <= FILE_MAX_BYTES.min(left_bytes) && !to.exists() {
                fs::create_dir_all(to.parent().context("a file in no directory")?)?;
                left_bytes -= fs::copy(&path, &to)?;
            }
        }
    }
    ensure!(left_bytes < FILES_BYTES / 10, "{left_bytes} bytes too few in {}", SOURCES.join(", "));
    Ok(())
}

/// Every regular file below a directory, sorted by path; links are not followed.
fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let listed = fs::read_dir(directory)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read {}", directory.display()))?;
    let mut entries = Vec::new();
    for entry in listed {
        entries.push((entry.path(), entry.file_type()?));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, kind) in entries {
        if kind.is_dir() {
            walk(&path, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_in_one_order() {
        let mut files = Vec::new();
        walk(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files).unwrap();
        assert!(files.iter().any(|file| file.ends_with("src/bench.rs")));
        assert!(files.is_sorted());
    }
}

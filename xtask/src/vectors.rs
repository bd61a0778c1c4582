//! Makes the test artifacts again that Debian's mender-artifact 3.9 can make, each with its
//! command. The committed ones in tests/data/artifacts are never written over.

use crate::command::{program, run as run_command, text};
use crate::tree;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

const DATA: &str = "tests/data/artifacts";
const TOOL: &str = "/usr/bin/mender-artifact";

/// One artifact: its file name without `.mender`, and the tool's arguments behind `write`.
struct Vector {
    name: &'static str,
    write: &'static str,
}

/// `image` stands for the root file system, `key:` and `script:` for files that are put in.
#[rustfmt::skip]
const VECTORS: &[Vector] = &[
    Vector { name: "v3.9-none-p256", write: "image --compression none -k key:p256" },
    Vector { name: "v3.9-gzip-p256", write: "image --compression gzip -k key:p256" },
    Vector { name: "v3.9-lzma-p256", write: "image --compression lzma -k key:p256" },
    Vector { name: "v3.9-gzip-rsa3072", write: "image --compression gzip -k key:rsa3072" },
    Vector { name: "v3.9-gzip-unsigned", write: "image --compression gzip" },
    Vector { name: "v3.9-gzip-scripts-depends", write: "image --compression gzip -k key:p256 \
        -t qemu-virt -g grp -G grp0 -N release-1 \
        -s script:ArtifactInstall_Enter_00 -s script:ArtifactCommit_Leave_99_done" },
    Vector { name: "v3.9-bootstrap", write: "bootstrap-artifact -t rockpro64 -n boot-1" },
];

/// Writes them to the directory given, else to target/vectors, and compares the members of each
/// with those of the committed one.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let to = match arguments {
        [] => tree::target()?.join("vectors"),
        [directory] => PathBuf::from(directory),
        _ => bail!("vectors takes one directory"),
    };
    fs::create_dir_all(&to)?;
    for vector in VECTORS {
        let path = to.join(format!("{}.mender", vector.name));
        make(vector, &path)?;
        compare(vector, &path)?;
    }
    Ok(())
}

fn make(vector: &Vector, path: &Path) -> Result<()> {
    let mut command = program(TOOL, &["write"]);
    for word in vector.write.split_whitespace() {
        match word.split_once(':') {
            Some(("key", name)) => command.arg(format!("{DATA}/{name}.key")),
            Some(("script", name)) => command.arg(script(path, name)?),
            None if word == "image" => command
                .args(["rootfs-image", "-t", "rockpro64"])
                .args(["-n", "release-2", "-f"])
                .arg(format!("{DATA}/rootfs.ext4")),
            _ => command.arg(word),
        };
    }
    run_command(command.args(["--no-progress", "-o"]).arg(path))
}

fn script(beside: &Path, name: &str) -> Result<PathBuf> {
    let path = beside.with_file_name(name);
    fs::write(&path, "#!/bin/sh\nexit 0\n")?;
    Ok(path)
}

/// The tool says the same of both but for times; signatures differ from run to run.
fn compare(vector: &Vector, path: &Path) -> Result<()> {
    let committed = Path::new(DATA).join(format!("{}.mender", vector.name));
    let (made, committed) = (said(path)?, said(&committed)?);
    if made != committed {
        bail!("{}: made:\n{made}\ncommitted:\n{committed}", path.display());
    }
    println!("{}: as the committed one", path.display());
    Ok(())
}

fn said(path: &Path) -> Result<String> {
    let said = text(program(TOOL, &["read", "--no-progress"]).arg(path))?;
    let lines = said.lines().filter(|line| !line.trim_start().starts_with("modified:"));
    let mut lines: Vec<&str> = lines.collect();
    // The tool writes scripts in no certain order.
    lines.sort_unstable();
    let name = lines.iter().any(|line| line.contains("Name: "));
    name.then(|| lines.join("\n")).with_context(|| format!("{} is no artifact", path.display()))
}

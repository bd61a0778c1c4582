//! The binaries that ship: static, for both targets, without a C compiler.

use crate::command::{cargo, run as run_command};
use crate::elf::Elf;
use crate::tree;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What twinslot is built for, the board's first.
pub(crate) const TARGETS: [&str; 2] = ["aarch64-unknown-linux-musl", "x86_64-unknown-linux-musl"];

/// Where linker/budget.ld puts the pool.
pub(crate) const POOL: &str = ".bss.pool";

/// Builds both and looks at what came out.
pub(crate) fn run(_: &[String]) -> Result<()> {
    build(&TARGETS)
}

/// The same of the board's alone.
pub(crate) fn board() -> Result<()> {
    build(&TARGETS[..1])
}

fn build(targets: &[&str]) -> Result<()> {
    let mut command = cargo(&["build", "--release", "--package", "twinslot", "--bin", "twinslot"]);
    for target in targets {
        command.args(["--target", target]);
    }
    // A dependency that brings C along must fail here, not first on a machine without a compiler.
    run_command(command.env("CC", "no-c-compiler-in-this-build"))?;
    for target in targets {
        check(&parsed(target)?.0).with_context(|| (*target).to_owned())?;
    }
    Ok(())
}

/// Builds the example app for the board; returns where it is.
pub(crate) fn app() -> Result<PathBuf> {
    let mut command = cargo(&["build", "--quiet", "--release", "--target", TARGETS[0]]);
    command.args(["--package", "twinslot", "--example", "app"]);
    run_command(command.env("CC", "no-c-compiler-in-this-build"))?;
    Ok(tree::target()?.join(TARGETS[0]).join("release/examples/app"))
}

/// Where the release binary of a target is.
pub(crate) fn binary(target: &str) -> Result<PathBuf> {
    Ok(tree::target()?.join(target).join("release/twinslot"))
}

/// The release binary of a target, and its size in bytes.
pub(crate) fn parsed(target: &str) -> Result<(Elf, u64)> {
    let path = binary(target)?;
    let file = std::fs::read(&path)
        .with_context(|| format!("cannot read {}: run `cargo xtask build`", path.display()))?;
    Ok((Elf::parse(&file)?, u64::try_from(file.len())?))
}

fn check(elf: &Elf) -> Result<()> {
    if elf.interpreted {
        bail!("the binary is not static: it names a dynamic loader");
    }
    match elf.section(POOL) {
        Some(pool) if pool.stored => bail!("{POOL} takes room in the file: an initial value?"),
        Some(pool) if pool.align < 4096 => bail!("{POOL} is aligned to {} only", pool.align),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Section;

    fn with_pool(pool: Section) -> Elf {
        Elf { interpreted: false, sections: vec![pool] }
    }

    #[test]
    fn a_pool_must_be_aligned_and_take_no_room_in_the_file() {
        let pool = |align, stored| Section { name: POOL.to_owned(), bytes: 8192, align, stored };
        assert!(check(&with_pool(pool(4096, false))).is_ok());
        assert!(check(&with_pool(pool(2048, false))).is_err());
        assert!(check(&with_pool(pool(4096, true))).is_err());
    }

    #[test]
    fn a_dynamic_binary_is_refused() {
        let dynamic = Elf { interpreted: true, sections: Vec::new() };
        assert!(check(&dynamic).is_err());
    }
}

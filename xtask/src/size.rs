//! What the release binaries take, and the bound on the board's one.

use crate::build::{self, TARGETS};
use anyhow::{Result, bail};

/// Bound on the aarch64 file, HTTPS included: 2.5 MiB.
const FILE_MAX_BYTES: u64 = 2_621_440;

/// Prints a line a target; fails when the board's binary is over its bound.
pub(crate) fn run(_: &[String]) -> Result<()> {
    println!("{:28} {:>9} {:>9} {:>9} {:>9}", "bytes of", "file", ".text", ".rodata", build::POOL);
    for target in TARGETS {
        let (elf, file) = build::parsed(target)?;
        let [text, rodata, pool] = [".text", ".rodata", build::POOL].map(|name| elf.bytes(name));
        println!("{target:28} {file:>9} {text:>9} {rodata:>9} {pool:>9}");
    }
    bound(build::parsed(TARGETS[0])?.1)
}

fn bound(file: u64) -> Result<()> {
    if file > FILE_MAX_BYTES {
        bail!("the {} file has {file} bytes, at most {FILE_MAX_BYTES} are allowed", TARGETS[0]);
    }
    println!("{} of {FILE_MAX_BYTES} bytes left", FILE_MAX_BYTES - file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_itself_is_allowed_and_one_byte_more_is_not() {
        assert!(bound(FILE_MAX_BYTES).is_ok());
        assert!(bound(FILE_MAX_BYTES + 1).is_err());
    }
}

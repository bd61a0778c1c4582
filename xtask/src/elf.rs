//! Just enough of ELF64 little-endian to say what a binary takes and whether it is static.
//! Layout: System V ABI, "ELF Header", "Program Header", "Section Header".

use anyhow::{Context, Result, bail};

const PT_INTERP: u32 = 3;
const SHT_NOBITS: u32 = 8;

/// What is asked of a linked binary.
pub(crate) struct Elf {
    /// It names a dynamic loader, so it is not static.
    pub(crate) interpreted: bool,
    /// Its sections, in file order.
    pub(crate) sections: Vec<Section>,
}

/// One section: name, size in memory in bytes, alignment, and whether the file holds it.
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) align: u64,
    pub(crate) stored: bool,
}

impl Elf {
    /// Parses a whole file.
    pub(crate) fn parse(file: &[u8]) -> Result<Self> {
        if !file.starts_with(b"\x7fELF\x02\x01") {
            bail!("not a 64-bit little-endian ELF file");
        }
        let segments = table(file, [32, 54, 56])?;
        let headers = table(file, [40, 58, 60])?;
        let names = number(file, 62, 2)?;
        let names = *headers.get(usize::try_from(names)?).context("no section names")?;
        let names = number(file, names + 24, 8)?;
        let sections = headers.iter().map(|at| section(file, *at, names)).collect::<Result<_>>()?;
        let mut interpreted = false;
        for at in segments {
            interpreted |= number(file, at, 4)? == u64::from(PT_INTERP);
        }
        Ok(Self { interpreted, sections })
    }

    /// Size of a section in bytes, 0 where there is none.
    pub(crate) fn bytes(&self, name: &str) -> u64 {
        self.section(name).map_or(0, |section| section.bytes)
    }

    /// The section of that name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

/// File offsets of a header table's entries; `fields` are the places of its offset, entry size
/// and count in the ELF header.
fn table(file: &[u8], fields: [u64; 3]) -> Result<Vec<u64>> {
    let start = number(file, fields[0], 8)?;
    let size = number(file, fields[1], 2)?;
    let count = number(file, fields[2], 2)?;
    Ok((0..count).map(|index| start + index * size).collect())
}

fn section(file: &[u8], at: u64, names: u64) -> Result<Section> {
    let name = usize::try_from(names + number(file, at, 4)?)?;
    let name = file.get(name..).context("truncated section names")?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Section {
        name: String::from_utf8_lossy(name).into_owned(),
        bytes: number(file, at + 32, 8)?,
        align: number(file, at + 48, 8)?,
        stored: number(file, at + 4, 4)? != u64::from(SHT_NOBITS),
    })
}

fn number(file: &[u8], at: u64, bytes: u64) -> Result<u64> {
    let (from, to) = (usize::try_from(at)?, usize::try_from(at + bytes)?);
    let field = file.get(from..to).context("truncated ELF file")?;
    Ok(field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_test_binary_is_read_and_is_dynamic() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = Elf::parse(&file).unwrap();
        assert!(elf.interpreted);
        assert!(elf.bytes(".text") > 1000);
        assert!(!elf.section(".bss").unwrap().stored);
    }

    #[test]
    fn what_is_no_elf_or_is_cut_short_is_refused() {
        assert!(Elf::parse(b"#!/bin/sh").is_err());
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(Elf::parse(&file[..100]).is_err());
    }
}

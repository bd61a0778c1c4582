//! What a board is, read from its board.toml. Facts only: never looks at a disk.

pub(crate) mod layout;
pub(crate) mod toml;

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use toml::Table;

/// One directory a board.
const BOARDS: &str = "board";

/// A board.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    /// Its directory below board/.
    pub(crate) name: String,
    pub(crate) device_type: String,
    /// What /proc/device-tree/compatible says of it.
    pub(crate) compatible: Vec<String>,
    pub(crate) emmc: Emmc,
    pub(crate) environment: Environment,
    pub(crate) kernel: Kernel,
    /// What the boot ROM and U-Boot's first stages read from fixed places; none where the
    /// boot loader is not on the eMMC.
    pub(crate) boot_copies: Vec<BootCopy>,
    /// What is kept free.
    pub(crate) reserved: Vec<Reserved>,
    pub(crate) partitions: Vec<Partition>,
    /// One of its options: `silent.env` and `silent.config` beside its board.toml.
    pub(crate) option: Option<String>,
}

/// The chip.
#[derive(Clone, Debug)]
pub(crate) struct Emmc {
    pub(crate) bytes: u64,
    /// A directory in the device's path below /sys/devices.
    pub(crate) controller: String,
}

/// U-Boot's environment: two copies of one size.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) bytes: u64,
    pub(crate) starts: [u64; 2],
}

/// What its kernel needs beyond what every board does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    /// Modules in the order they are loaded, each with its options behind it.
    pub(crate) modules: Vec<String>,
    /// A file of the kernel package; none where the boot loader has the device tree.
    pub(crate) device_tree: Option<String>,
}

/// A part of the boot loader at its place.
#[derive(Clone, Debug)]
pub(crate) struct BootCopy {
    pub(crate) name: String,
    /// Below usr/lib/u-boot in U-Boot's package.
    pub(crate) file: String,
    pub(crate) start: u64,
    /// Kept free for it.
    pub(crate) bytes: u64,
    /// Its first bytes.
    pub(crate) magic: Vec<u8>,
}

/// A place for later.
#[derive(Clone, Debug)]
pub(crate) struct Reserved {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

/// A partition.
#[derive(Clone, Debug)]
pub(crate) struct Partition {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

impl Board {
    /// The board of that name, with a layout that holds.
    pub(crate) fn load(name: &str) -> Result<Self> {
        let known = names()?;
        if !known.iter().any(|known| known == name) {
            bail!("no board is called {name}; there are {}", known.join(", "));
        }
        let path = PathBuf::from(BOARDS).join(name).join("board.toml");
        let text = fs::read_to_string(&path)?;
        let board = Self::parse(name, &text).with_context(|| path.display().to_string())?;
        match board.faults().into_iter().next() {
            Some(fault) => bail!("{}: {fault}", path.display()),
            None => Ok(board),
        }
    }

    /// Reads the text of a board.toml; whether the layout holds is not asked.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Self> {
        let mut tables = toml::parse(text)?.into_iter();
        let mut top = tables.next().context("an empty file")?;
        let (mut emmc, mut environment, mut kernel) = (None, None, Kernel::default());
        let (mut boot_copies, mut reserved, mut partitions) = (Vec::new(), Vec::new(), Vec::new());
        for table in tables {
            match table.name.as_str() {
                "emmc" => emmc = Some(Emmc::take(table)?),
                "environment" => environment = Some(Environment::take(table)?),
                "kernel" => kernel = Kernel::take(table)?,
                "boot_copy" => boot_copies.push(BootCopy::take(table)?),
                "reserved" => reserved.push(Reserved::take(table)?),
                "partition" => partitions.push(Partition::take(table)?),
                other => bail!("line {}: unknown table {other}", table.line),
            }
        }
        let (device_type, compatible) = (top.text("device_type")?, top.list("compatible")?);
        top.finish()?;
        Ok(Self {
            name: name.to_owned(),
            device_type,
            compatible,
            emmc: emmc.context("no [emmc]")?,
            environment: environment.context("no [environment]")?,
            kernel,
            boot_copies,
            reserved,
            partitions,
            option: None,
        })
    }

    /// With one of its options.
    pub(crate) fn with(self, option: &str) -> Result<Self> {
        let file = format!("{BOARDS}/{}/{option}.env", self.name);
        if !Path::new(&file).is_file() {
            bail!("board {} has no option {option}: there is no {file}", self.name);
        }
        Ok(Self { option: Some(option.to_owned()), ..self })
    }

    /// The partition of that name.
    pub(crate) fn partition(&self, name: &str) -> Result<&Partition> {
        let found = self.partitions.iter().find(|partition| partition.name == name);
        found.with_context(|| format!("board {} has no partition {name}", self.name))
    }
}

/// All boards, sorted.
pub(crate) fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(BOARDS)? {
        let entry = entry?;
        if entry.path().join("board.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

impl Emmc {
    fn take(mut table: Table) -> Result<Self> {
        let emmc = Self { bytes: table.bytes("bytes")?, controller: table.text("controller")? };
        table.finish().map(|()| emmc)
    }
}

impl Environment {
    fn take(mut table: Table) -> Result<Self> {
        let bytes = table.bytes("bytes")?;
        let copies = table.list("copies")?;
        let [first, second] = copies.as_slice() else {
            bail!("[environment] of line {}: copies: wanted two", table.line);
        };
        let starts = [toml::bytes(first)?, toml::bytes(second)?];
        table.finish().map(|()| Self { bytes, starts })
    }
}

impl Kernel {
    fn take(mut table: Table) -> Result<Self> {
        let modules = table.list("modules")?;
        let kernel = Self { modules, device_tree: table.optional_text("device_tree")? };
        table.finish().map(|()| kernel)
    }
}

impl BootCopy {
    fn take(mut table: Table) -> Result<Self> {
        let copy = Self {
            name: table.text("name")?,
            file: table.text("file")?,
            start: table.bytes("start")?,
            bytes: table.bytes("size")?,
            magic: hexadecimal(&table.text("magic")?)?,
        };
        table.finish().map(|()| copy)
    }
}

impl Reserved {
    fn take(mut table: Table) -> Result<Self> {
        let (name, start) = (table.text("name")?, table.bytes("start")?);
        let reserved = Self { name, start, bytes: table.bytes("size")? };
        table.finish().map(|()| reserved)
    }
}

impl Partition {
    fn take(mut table: Table) -> Result<Self> {
        let partition = Self {
            number: u32::try_from(table.number("number")?)?,
            name: table.text("name")?,
            start: table.bytes("start")?,
            bytes: table.bytes("size")?,
        };
        table.finish().map(|()| partition)
    }
}

fn hexadecimal(text: &str) -> Result<Vec<u8>> {
    let wanted = || format!("wanted bytes in hexadecimal, found {text:?}");
    if !text.is_ascii() || !text.len().is_multiple_of(2) || text.is_empty() {
        bail!(wanted());
    }
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).with_context(wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_or_table_is_named() {
        let said = |text: &str| format!("{:#}", Board::parse("x", text).unwrap_err());
        assert_eq!(said("[emc]\n"), "line 1: unknown table emc");
        let emmc = "[emmc]\nbytes = \"1GiB\"\ncontroller = \"c\"\nsize = 1\n";
        assert_eq!(said(emmc), "[emmc] of line 1: unknown key size");
        assert_eq!(said("[emmc]\n"), "[emmc] of line 1: bytes: wanted a string");
        let copies = "[environment]\nbytes = \"1B\"\ncopies = [\"1B\"]\n";
        assert_eq!(said(copies), "[environment] of line 1: copies: wanted two");
    }

    #[test]
    fn bytes_are_read_in_hexadecimal() {
        assert_eq!(hexadecimal("d00dfeed").unwrap(), [0xd0, 0x0d, 0xfe, 0xed]);
        assert!(hexadecimal("d0d").is_err());
        assert!(hexadecimal("xx").is_err());
    }
}

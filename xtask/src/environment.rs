//! U-Boot's environment as a factory writes it, made from text: the boot logic that all boards
//! share, a board's own variables, its partition numbers. Never reads a device.

use crate::board::Board;
use anyhow::{Context, Result, anyhow, bail};
use std::fs;
use std::path::Path;
use uboot_env::{Layout, decode};

/// The boot logic.
const SHARED: &str = "uboot-env/env/boot.env";
/// What the boot logic calls the partitions; a board starts with slot a.
const PARTS: [(&str, &str); 5] = [
    ("slot_a_part", "slot-a"),
    ("slot_b_part", "slot-b"),
    ("recovery_part", "recovery"),
    ("mender_boot_part", "slot-a"),
    ("mender_boot_part_hex", "slot-a"),
];
/// What U-Boot saves on a first boot; written by the factory, so that no boot has to.
const CANARY: (&str, &str) = ("mender_saveenv_canary", "1");

/// Names and values, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    variables: Vec<(String, String)>,
}

impl Environment {
    /// A board's default.
    pub(crate) fn of(board: &Board) -> Result<Self> {
        let mut variables = read(&format!("board/{}/board.env", board.name))?;
        variables.extend(read(SHARED)?);
        for (name, partition) in PARTS {
            let number = board.partition(partition)?.number;
            if number > 9 {
                bail!("{partition} is partition {number}: U-Boot would read it as hexadecimal");
            }
            variables.push((name.to_owned(), number.to_string()));
        }
        unique(&variables)?;
        if let Some(option) = &board.option {
            let path = format!("board/{}/{option}.env", board.name);
            override_with(&mut variables, read(&path)?);
        }
        Ok(Self { variables })
    }

    /// A line each, as CONFIG_DEFAULT_ENV_FILE takes them.
    pub(crate) fn text(&self) -> String {
        self.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// Both copies as a factory writes them: the first current, with serial 1, and the second its
    /// copy, with serial 0.
    pub(crate) fn copies(&self, bytes: u64) -> Result<[Vec<u8>; 2]> {
        let variables = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let changes: Vec<_> =
            variables.chain([CANARY]).map(|(name, value)| (name, Some(value))).collect();
        let mut empty = vec![0; usize::try_from(bytes)?];
        let header = Layout::Redundant.header_bytes();
        let crc = crc32fast::hash(empty.get(header..).context("no room for an environment")?);
        empty[..4].copy_from_slice(&crc.to_le_bytes());
        let mut first = vec![0; empty.len()];
        let nothing = decode(&empty, Layout::Redundant)?;
        nothing.write_next(&changes, &mut first).map_err(|error| anyhow!("{error}"))?;
        let mut second = vec![0; empty.len()];
        decode(&first, Layout::Redundant)?.write_repair(&mut second)?;
        Ok([first, second])
    }
}

fn read(path: &str) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    parse(&text).with_context(|| path.to_owned())
}

/// Reads `name=value` lines; one that starts with a blank continues the value, with one space
/// between. Comments and empty lines may stand anywhere.
fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let words = line.trim();
        if words.is_empty() || line.starts_with('#') {
            continue;
        }
        if words.contains('\\') {
            bail!("line {number}: a backslash");
        }
        if line.starts_with([' ', '\t']) {
            let (_, value) =
                variables.last_mut().with_context(|| format!("line {number} continues nothing"))?;
            if !value.is_empty() {
                value.push(' ');
            }
            value.push_str(words);
            continue;
        }
        let (name, value) =
            words.split_once('=').with_context(|| format!("line {number}: no `=`"))?;
        variables.push((name.to_owned(), value.to_owned()));
    }
    match variables.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => bail!("{name} has no value: U-Boot cannot hold that"),
        None => Ok(variables),
    }
}

/// Later values stand in place of earlier ones.
fn override_with(variables: &mut Vec<(String, String)>, later: Vec<(String, String)>) {
    for (name, value) in later {
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some(variable) => variable.1 = value,
            None => variables.push((name, value)),
        }
    }
}

fn unique(variables: &[(String, String)]) -> Result<()> {
    for (index, (name, _)) in variables.iter().enumerate() {
        if variables[..index].iter().any(|(earlier, _)| earlier == name) {
            bail!("{name} has two values");
        }
    }
    Ok(())
}

/// Where U-Boot finds the copies, and the file with its default: lines of its configuration.
pub(crate) fn config(board: &Board, text: &Path) -> String {
    let [first, second] = board.environment.starts;
    format!(
        "CONFIG_ENV_SIZE={:#x}\n\
        CONFIG_ENV_OFFSET={first:#x}\n\
        CONFIG_ENV_OFFSET_REDUND={second:#x}\n\
        CONFIG_DEFAULT_ENV_FILE=\"{}\"\n",
        board.environment.bytes,
        text.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use uboot_env::choose;

    fn value<'e>(environment: &'e Environment, name: &str) -> Option<&'e str> {
        let found = environment.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn board() -> Board {
        crate::tree::enter().unwrap();
        Board::load("qemu-virt").unwrap()
    }

    #[test]
    fn lines_that_start_with_a_blank_continue_a_value() {
        let text = "# x\na=1\n\nb=\n  if c; then\n# y\n\td;\n  fi\n";
        let wanted = [("a", "1"), ("b", "if c; then d; fi")];
        let parsed = parse(text).unwrap();
        assert_eq!(parsed.len(), wanted.len());
        for ((name, value), wanted) in parsed.iter().zip(wanted) {
            assert_eq!((name.as_str(), value.as_str()), wanted);
        }
    }

    #[test]
    fn what_u_boot_would_not_hold_is_named() {
        let said = |text| parse(text).unwrap_err().to_string();
        assert_eq!(said("a=\n"), "a has no value: U-Boot cannot hold that");
        assert_eq!(said("a=b\\\n"), "line 1: a backslash");
        assert_eq!(said("\na\n"), "line 2: no `=`");
        assert_eq!(said(" a=1\n"), "line 1 continues nothing");
    }

    #[test]
    fn the_factory_writes_two_good_copies_and_the_first_is_current() {
        let board = board();
        let environment = Environment::of(&board).unwrap();
        let [first, second] = environment.copies(board.environment.bytes).unwrap();
        let [first, second] = [&first, &second].map(|copy| decode(copy, Layout::Redundant));
        let chosen = choose(first, second).unwrap();
        let current = chosen.current();
        assert_eq!(current.serial(), 1);
        assert_eq!(current.vars().count(), environment.variables.len() + 1);
        let get = |name: &str| current.get(name).map(String::from_utf8_lossy);
        assert_eq!(get("mender_boot_part").unwrap(), "2");
        assert_eq!(get("mender_saveenv_canary").unwrap(), "1");
        assert_eq!(get("bootcmd").unwrap(), value(&environment, "bootcmd").unwrap());
    }

    #[test]
    fn the_default_has_no_canary_and_every_script_that_is_run() {
        let environment = Environment::of(&board()).unwrap();
        assert_eq!(value(&environment, CANARY.0), None);
        for (_, script) in &environment.variables {
            let called = script.match_indices("run ").map(|(at, run)| &script[at + run.len()..]);
            for name in called.map(|rest| rest.split([' ', ';']).next().unwrap_or_default()) {
                assert!(value(&environment, name).is_some(), "run {name}");
            }
        }
    }
}

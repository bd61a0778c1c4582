//! U-Boot's environment of a board, made, read and written by the real tools only.

use super::loop_device::Loop;
use super::plan::Plan;
use super::tools::{NOTHING, libubootenv, must, program, text, uboot};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

pub type Variables = BTreeMap<String, String>;

/// Where both copies lie on their device, unless a test wants it otherwise.
pub const OFFSETS: [u64; 2] = [10 << 20, 11 << 20];

/// The four variables an update touches.
pub const FOUR: [&str; 4] =
    ["mender_boot_part", "mender_boot_part_hex", "upgrade_available", "bootcount"];

/// Which implementation of fw_printenv and fw_setenv.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    UBoot,
    LibUbootEnv,
}

pub const TOOLS: [Tool; 2] = [Tool::UBoot, Tool::LibUbootEnv];

pub struct Environment {
    device: Rc<Loop>,
    size: u64,
    config: PathBuf,
}

impl Environment {
    /// Writes copies, equal, as a factory does: both, or the one that is planned.
    pub fn make(device: Rc<Loop>, directory: &Path, plan: &Plan, variables: &Variables) -> Self {
        let size = plan.environment_bytes;
        let config = directory.join("fw_env.config");
        fs::write(&config, config_text(device.path(), size)).unwrap();
        let environment = Self { device, size, config };
        let image = image(environment.config.parent().unwrap(), size, variables);
        for (copy, offset) in OFFSETS.into_iter().enumerate() {
            if plan.one_copy.is_none_or(|only| only == copy) {
                environment.device.write(offset, &image);
            }
        }
        environment
    }

    /// The block device both copies lie on.
    pub fn device(&self) -> &Path {
        self.device.path()
    }

    /// fw_env.config as the board has it.
    pub fn config(&self) -> String {
        fs::read_to_string(&self.config).unwrap()
    }

    /// Both copies as the medium holds them.
    pub fn copies(&self) -> [Vec<u8>; 2] {
        OFFSETS.map(|offset| self.device.medium(offset, self.size))
    }

    /// Every variable as one of the tools reads it.
    pub fn read(&self, tool: Tool) -> Variables {
        let text = must(&mut self.command(tool, "fw_printenv"));
        let pair = |line: &str| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        text.lines().map(pair).collect()
    }

    /// One variable, on which both tools must agree; empty when there is none.
    #[track_caller]
    pub fn get(&self, name: &str) -> String {
        let [a, b] = TOOLS.map(|tool| self.read(tool).remove(name).unwrap_or_default());
        assert_eq!(a, b, "fw_printenv of U-Boot and of libubootenv disagree on {name}");
        a
    }

    /// mender_boot_part, mender_boot_part_hex, upgrade_available, bootcount.
    #[track_caller]
    pub fn four(&self) -> [String; 4] {
        FOUR.map(|name| self.get(name))
    }

    /// Sets variables in one write, by U-Boot's fw_setenv.
    pub fn set(&self, variables: &[(&str, &str)]) {
        self.set_by(Tool::UBoot, variables);
    }

    /// The same by either tool; each has its own syntax for scripts.
    pub fn set_by(&self, tool: Tool, variables: &[(&str, &str)]) {
        let separator = match tool {
            Tool::UBoot => ' ',
            Tool::LibUbootEnv => '=',
        };
        let script = self.config.with_extension("script");
        let line = |(name, value): &(&str, &str)| format!("{name}{separator}{value}\n");
        fs::write(&script, variables.iter().map(line).collect::<String>()).unwrap();
        let mut command = self.command(tool, "fw_setenv");
        must(command.args(["-s", text(&script)]));
    }

    /// Overwrites bytes of one copy.
    pub fn damage(&self, copy: usize, at: u64, bytes: &[u8]) {
        self.device.write(OFFSETS[copy] + at, bytes);
    }

    fn command(&self, tool: Tool, name: &str) -> Command {
        let mut command = match tool {
            Tool::UBoot => program(uboot().join(name), &NOTHING),
            Tool::LibUbootEnv => {
                let root = libubootenv();
                let mut command = program(root.join("usr/bin").join(name), &NOTHING);
                command.env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"));
                command
            }
        };
        command.arg("-c").arg(&self.config);
        command
    }
}

/// The text of fw_env.config for both copies on one device.
pub fn config_text(device: &Path, size: u64) -> String {
    let line = |offset| format!("{} {offset:#x} {size:#x}\n", device.display());
    OFFSETS.into_iter().map(line).collect()
}

/// One copy, by U-Boot's mkenvimage.
pub fn image(directory: &Path, size: u64, variables: &Variables) -> Vec<u8> {
    let text_path = directory.join("environment.txt");
    let image_path = directory.join("environment.bin");
    let line = |(name, value): (&String, &String)| format!("{name}={value}\n");
    fs::write(&text_path, variables.iter().map(line).collect::<String>()).unwrap();
    let size = size.to_string();
    let arguments = ["-r", "-s", &size, "-o", text(&image_path), text(&text_path)];
    must(&mut program(uboot().join("mkenvimage"), &arguments));
    fs::read(image_path).unwrap()
}

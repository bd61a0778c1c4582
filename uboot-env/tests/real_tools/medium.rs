//! A disk image with copies of the environment, its fw_env.config, and the real tools run on it.
//! Never skips: without the tools every test fails and says how to get them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use uboot_env::config::Config;
use uboot_env::{BadCopy, Chosen, Layout, Which, choose, decode};

/// The length of a copy on every medium here.
pub(crate) const COPY_BYTES: usize = 0x4000;

/// Where each copy starts.
const STARTS: [usize; 2] = [0o10000, 0x6000];

/// Sizes are hexadecimal for both tools also without `0x`, offsets in any base; the test that
/// parses this text compares it with `STARTS`.
const CONFIG: &str =
    "# environment\n\nDISK 010000 4000 # first\n  # second\nDISK\t0x6000 0x4000 200\n";

/// A maker of `fw_printenv` and `fw_setenv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// tools/env of U-Boot.
    UBoot,
    /// sbabic/libubootenv.
    Libubootenv,
}

pub(crate) const MAKERS: [Maker; 2] = [Maker::UBoot, Maker::Libubootenv];

/// The directory that `variable` names, which must hold `wanted`.
fn tools(variable: &str, wanted: &str) -> PathBuf {
    let how = format!("run `cargo xtask setup`, or set {variable}");
    let root = env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: {how}"));
    let path = Path::new(&root).join(wanted);
    assert!(path.exists(), "{} is missing: {how}", path.display());
    PathBuf::from(root)
}

/// A command for mkenvimage of u-boot-tools.
fn mkenvimage() -> Command {
    Command::new(tools("TWINSLOT_UBOOT_TOOLS", "mkenvimage").join("mkenvimage"))
}

/// The standard output of a command that must succeed.
fn output(command: &mut Command) -> String {
    let result = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&result.stderr);
    assert!(result.status.success(), "{command:?}: {}: {errors}", result.status);
    String::from_utf8(result.stdout).unwrap()
}

/// A directory of its own with `disk` and `config`, removed at the end.
pub(crate) struct Medium {
    dir: PathBuf,
    layout: Layout,
}

impl Drop for Medium {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Medium {
    /// A medium with one copy or two.
    pub(crate) fn new(copies: &[&[u8]]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = env::temp_dir().join(format!("uboot-env-{}-{number}", process::id()));
        fs::create_dir(&dir).unwrap();
        let layout = if copies.len() == 1 { Layout::Single } else { Layout::Redundant };
        let lines = if copies.len() == 1 { 3 } else { 5 };
        let text: String = CONFIG.split_inclusive('\n').take(lines).collect();
        let text = text.replace("DISK", dir.join("disk").to_str().unwrap());
        fs::write(dir.join("config"), text).unwrap();
        fs::write(dir.join("disk"), vec![0xa5; 0xb000]).unwrap();
        let medium = Self { dir, layout };
        for (copy, which) in copies.iter().zip([Which::First, Which::Second]) {
            medium.write(which, copy);
        }
        medium
    }

    /// The text of its fw_env.config.
    pub(crate) fn config(&self) -> String {
        fs::read_to_string(self.dir.join("config")).unwrap()
    }

    /// The bytes of a copy, at the place that our reading of the config gives.
    pub(crate) fn read(&self, which: Which) -> Vec<u8> {
        let start = self.start(which);
        fs::read(self.dir.join("disk")).unwrap()[start..start + COPY_BYTES].to_vec()
    }

    pub(crate) fn write(&self, which: Which, copy: &[u8]) {
        assert_eq!(copy.len(), COPY_BYTES);
        let mut disk = fs::read(self.dir.join("disk")).unwrap();
        let start = self.start(which);
        disk[start..start + COPY_BYTES].copy_from_slice(copy);
        fs::write(self.dir.join("disk"), disk).unwrap();
    }

    fn start(&self, which: Which) -> usize {
        let text = self.config();
        let starts = match Config::parse(&text).unwrap() {
            Config::Single(place) => [place.start(0xb000).unwrap(); 2],
            Config::Redundant(pair) => pair.starts(0xb000).unwrap().into(),
        };
        let index = usize::from(which == Which::Second);
        let start = usize::try_from(starts[index]).unwrap();
        assert_eq!(start, STARTS[index]);
        start
    }

    /// What `fw_printenv` prints, its lines sorted: U-Boot's keeps the order of the medium,
    /// libubootenv's sorts by name.
    pub(crate) fn printed(&self, maker: Maker) -> Vec<String> {
        let text = output(&mut self.tool(maker, "fw_printenv"));
        let mut lines: Vec<String> = text.lines().map(String::from).collect();
        lines.sort();
        lines
    }

    /// Saves once with `fw_setenv`: `name=value` each.
    pub(crate) fn set(&self, maker: Maker, lines: &[&str]) {
        let script = self.dir.join("script");
        fs::write(&script, lines.join("\n") + "\n").unwrap();
        output(self.tool(maker, "fw_setenv").arg("-s").arg(script));
    }

    /// Saves once with `fw_setenv`: a name and perhaps a value; a name alone deletes.
    pub(crate) fn set_arguments(&self, maker: Maker, arguments: &[&str]) {
        output(self.tool(maker, "fw_setenv").args(arguments));
    }

    /// U-Boot's tool locks in a directory of ours; libubootenv's waits for a lock of a fixed
    /// name. glibc is told to fill what malloc gives, so that a tail that was not cleared shows.
    fn tool(&self, maker: Maker, name: &str) -> Command {
        let mut command = match maker {
            Maker::UBoot => {
                let mut command = Command::new(tools("TWINSLOT_UBOOT_TOOLS", name).join(name));
                command.arg("-l").arg(&self.dir);
                command
            }
            Maker::Libubootenv => {
                let wanted = format!("usr/bin/{name}");
                let root = tools("TWINSLOT_LIBUBOOTENV", &wanted);
                let mut command = Command::new(root.join(wanted));
                command.env("LD_LIBRARY_PATH", root.join("usr/lib/x86_64-linux-gnu"));
                command
            }
        };
        command.env("MALLOC_PERTURB_", "165");
        command.env("GLIBC_TUNABLES", "glibc.malloc.perturb=165");
        command.arg("-c").arg(self.dir.join("config"));
        command
    }

    /// Our reading of the two copies, given to `look`.
    pub(crate) fn chosen<T>(&self, look: impl FnOnce(Chosen<'_, BadCopy>) -> T) -> T {
        let (first, second) = (self.read(Which::First), self.read(Which::Second));
        look(choose(decode(&first, self.layout), decode(&second, self.layout)).unwrap())
    }

    /// What we read, like [`Medium::printed`].
    pub(crate) fn ours(&self) -> Vec<String> {
        let mut lines: Vec<String> = match self.layout {
            Layout::Single => {
                let copy = self.read(Which::First);
                decode(&copy, Layout::Single).unwrap().vars().map(line).collect()
            }
            Layout::Redundant => self.chosen(|chosen| chosen.current().vars().map(line).collect()),
        };
        lines.sort();
        lines
    }
}

fn line((name, value): (&[u8], &[u8])) -> String {
    String::from_utf8([name, b"=", value].concat()).unwrap()
}

/// A copy made by mkenvimage from `lines`, with further `options`.
pub(crate) fn made(options: &[&str], lines: &[&str]) -> Vec<u8> {
    let medium = Medium::new(&[]);
    let (text, image) = (medium.dir.join("text"), medium.dir.join("image"));
    fs::write(&text, lines.join("\n") + "\n").unwrap();
    output(mkenvimage().args(options).args(["-s", "0x4000", "-o"]).arg(&image).arg(text));
    fs::read(image).unwrap()
}

//! A board in QEMU: Arm's virt machine with U-Boot, an eMMC and a watchdog, driven over its serial
//! console. Ends with what started it, and never waits for ever.

pub(crate) mod console;

use crate::board::Board;
use crate::command::{program, quiet, text};
use crate::tools;
use crate::uboot::{self, EMULATED};
use anyhow::{Context, Result, bail};
use console::Console;
use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const PROGRAM: &str = "qemu-system-aarch64";

/// A QEMU, and what it calls the card.
#[derive(Clone, Debug)]
pub(crate) struct Emulator {
    words: Vec<PathBuf>,
    card: &'static str,
}

impl Emulator {
    /// The machine's own if that has an eMMC, else the one `setup` unpacked, else the machine's
    /// with an SD card in its place.
    pub(crate) fn find() -> Result<Self> {
        let own = Self::of_the_machine().or_else(|| Self::unpacked(&tools::emulator().ok()?));
        let sd = || Self::named(PROGRAM, "sd-card");
        own.or_else(sd).context("no QEMU: run `cargo xtask setup`")
    }

    /// The machine's own, if users may ask it for an eMMC (since 10.2).
    pub(crate) fn of_the_machine() -> Option<Self> {
        Self::named(PROGRAM, "emmc")
    }

    fn named(program: &str, card: &'static str) -> Option<Self> {
        let path = env::var_os("PATH")?;
        let found = env::split_paths(&path).map(|path| path.join(program)).find(|p| p.is_file())?;
        let emulator = Self { words: vec![found], card };
        let devices = text(emulator.command().args(["-M", "virt", "-device", "help"])).ok()?;
        devices.contains(&format!("name \"{card}\"")).then_some(emulator)
    }

    /// One whose libraries are unpacked beside it.
    pub(crate) fn unpacked(directory: &Path) -> Option<Self> {
        let usr = directory.join("root/usr");
        let qemu = usr.join("bin").join(PROGRAM);
        let mut libraries = fs::read_dir(usr.join("lib")).ok()?.filter_map(|entry| {
            let path = entry.ok()?.path();
            path.file_name()?.to_string_lossy().ends_with("-linux-gnu").then_some(path)
        });
        let libraries = libraries.next()?;
        let mut loaders = fs::read_dir(&libraries).ok()?.filter_map(|entry| {
            let path = entry.ok()?.path();
            path.file_name()?.to_string_lossy().starts_with("ld-linux").then_some(path)
        });
        let loader = loaders.next()?;
        let words = [loader, "--library-path".into(), libraries, qemu, "-L".into()];
        let words = words.into_iter().chain([usr.join("share/qemu")]).collect();
        Some(Self { words, card: "emmc" })
    }

    /// Whether the card is an eMMC, with its EXT_CSD and boot partitions.
    pub(crate) fn has_emmc(&self) -> bool {
        self.card == "emmc"
    }

    /// It, without arguments.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.words.iter();
        let mut command = Command::new(words.next().map_or(Path::new(PROGRAM), PathBuf::as_path));
        command.args(words);
        command
    }
}

/// What a board has, and where its console's log goes.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) memory_mib: u32,
    /// Everything the console says, with what is sent to it in `>>> ` lines; appended to.
    pub(crate) log: PathBuf,
    /// Also shows the console on stdout.
    pub(crate) echo: bool,
    /// The port of this machine's loopback that is behind [`SERVER`]; without one the board has
    /// no network card.
    pub(crate) network: Option<u16>,
}

/// The one address that a board's network leads to, and its port.
pub(crate) const SERVER: &str = "10.0.2.100:443";

impl Machine {
    /// 512 MiB, and a log.
    pub(crate) fn new(log: &Path) -> Self {
        Self { memory_mib: 512, log: log.to_owned(), echo: false, network: None }
    }
}

/// A board that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// What it says, and what it is told.
    pub(crate) console: Console,
}

/// How long anything may take on a slow machine, unless it is known to take longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

impl Running {
    /// Switches a board on whose eMMC is a file. The file is written to; see [`copy`].
    pub(crate) fn start(image: &Path, machine: &Machine) -> Result<Self> {
        let emulator = Emulator::find()?;
        let uboot = uboot::binary(&Board::load(EMULATED)?)?;
        let drive = format!(
            // Writes are in the host's page cache at once, so they outlive a QEMU that is killed.
            "if=none,id=card,format=raw,cache=unsafe,discard=ignore,file={}",
            image.display().to_string().replace(',', ",,"),
        );
        // The kernel ends it with whoever started it.
        let mut command = program("setpriv", &["--pdeathsig", "KILL", "--"]);
        let started = emulator.command();
        command.arg(started.get_program()).args(started.get_args());
        command.args(["-M", "virt", "-cpu", "cortex-a72", "-nodefaults", "-display", "none"]);
        command.args(["-m", &machine.memory_mib.to_string(), "-serial", "stdio"]);
        command.arg("-bios").arg(uboot);
        command.args(["-drive", &drive, "-device", "sdhci-pci,addr=1"]);
        command.args(["-device", &format!("{},drive=card", emulator.card)]);
        // Where board.env looks for it.
        command.args(["-device", "i6300esb,addr=4", "-action", "watchdog=reset"]);
        if let Some(port) = machine.network {
            command.args(network(port)?);
        }
        let log = File::options().create(true).append(true).open(&machine.log);
        let log = log.with_context(|| format!("cannot write {}", machine.log.display()))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log.try_clone()?);
        let mut child = command.spawn().context("cannot start QEMU")?;
        let input = child.stdin.take().context("QEMU has no input")?;
        let output = child.stdout.take().context("QEMU has no output")?;
        let console = Console::open(input, output, log, machine);
        Ok(Self { child, console })
    }

    /// Waits until the console says this; returns what it said before, without control sequences.
    ///
    /// # Errors
    /// It does not within [`PATIENCE`], or the board is switched off.
    pub(crate) fn expect(&mut self, text: &str) -> Result<String> {
        self.console.expect(&[text], PATIENCE).map(|(_, before)| before)
    }

    /// Types a line.
    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        self.console.send(&format!("{line}\n"))
    }

    /// The power fails.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.console.finish()
    }

    /// Waits until the board switches itself off.
    pub(crate) fn wait_exit(mut self, patience: Duration) -> Result<ExitStatus> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                self.console.finish()?;
                return Ok(status);
            }
            if start.elapsed() > patience {
                bail!("the board is still on after {patience:?}; see {}", self.console.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops U-Boot in the boot that has just begun, and waits for its prompt.
    pub(crate) fn stop_in_uboot(&mut self) -> Result<()> {
        // U-Boot empties its UART, of 16 characters, whenever it sets it up; QEMU fills it again
        // from what waits. What is left over stands before the first command.
        self.console.send(&" ".repeat(128))?;
        self.expect(UBOOT_PROMPT).map(drop)
    }

    /// Runs one command in U-Boot, which has its prompt; returns what it said.
    pub(crate) fn uboot(&mut self, command: &str) -> Result<String> {
        self.send(command)?;
        let said = self.expect(UBOOT_PROMPT)?;
        // The first line is the command's echo.
        Ok(said.split_once('\n').map_or("", |(_, said)| said).to_owned())
    }
}

/// A network card behind which there is one server and nothing else: a connection to it is another
/// `xtask relay`, all others are refused.
fn network(port: u16) -> Result<[String; 4]> {
    let relay = env::current_exe()?.display().to_string().replace(',', ",,");
    let forward = format!("guestfwd=tcp:{SERVER}-cmd:'{relay}' relay {port}");
    let card = "virtio-net-pci,addr=5,netdev=network,romfile=";
    Ok([
        "-netdev".to_owned(),
        format!("user,id=network,restrict=on,{forward}"),
        "-device".to_owned(),
        card.to_owned(),
    ])
}

/// What U-Boot says when it waits for a command.
pub(crate) const UBOOT_PROMPT: &str = "\n=> ";

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        if matches!(self.child.try_wait(), Ok(None)) && self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Copies an image for a board of its own, holes as holes.
pub(crate) fn copy(image: &Path, to: &Path) -> Result<()> {
    quiet(program("cp", &["--sparse=always", "--reflink=auto"]).arg(image).arg(to))
}

//! One scenario's board: a chip of its own, the serial console, and what a person would do there.

use super::lab::{Lab, Release};
use super::medium::{Copies, Medium};
use crate::qemu::{self, Machine, PATIENCE, Running};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// What the boot service says last.
const READY: &str = "TWINSLOT-READY ";
const PROMPT: &str = "qemu-virt# ";

/// A board, on or off.
pub(crate) struct Bench<'l> {
    pub(crate) lab: &'l Lab,
    image: PathBuf,
    machine: Machine,
    running: Option<Running>,
    commands: u32,
    /// What the console said before the system was up.
    boot_text: String,
}

/// What a system said when it was up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) slot: String,
    pub(crate) release: String,
    /// The exit code of `twinslot settle`.
    pub(crate) settle: String,
}

/// What a command said, and its exit code.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: u8,
}

impl<'l> Bench<'l> {
    /// A board as it leaves the factory, switched off.
    pub(crate) fn new(lab: &'l Lab, name: &str) -> Result<Self> {
        let image = lab.directory.join(format!("{name}.img"));
        let log = lab.directory.join(format!("{name}.log"));
        if log.exists() {
            fs::remove_file(&log)?;
        }
        qemu::copy(&lab.factory, &image)?;
        let machine = Machine { memory_mib: 256, ..Machine::new(&log) };
        Ok(Self { lab, image, machine, running: None, commands: 0, boot_text: String::new() })
    }

    /// Fills slot b with what slot a holds, so that an installation writes little.
    pub(crate) fn fill_slot_b(&self) -> Result<()> {
        self.medium()?.fill("slot-b", &self.lab.factory_root()?)
    }

    /// How much memory it has from the next time it is switched on.
    pub(crate) fn set_memory_mib(&mut self, memory_mib: u32) {
        self.machine.memory_mib = memory_mib;
    }

    /// Which port of this machine it reaches as [`qemu::SERVER`] from the next time it is switched
    /// on.
    pub(crate) fn set_network(&mut self, port: u16) {
        self.machine.network = Some(port);
    }

    /// Shows the console on stdout from the next time it is switched on.
    pub(crate) fn show_console(&mut self) {
        self.machine.echo = true;
    }

    /// What is on its chip.
    pub(crate) fn medium(&self) -> Result<Medium<'l>> {
        Medium::open(&self.image, &self.lab.board)
    }

    /// Both environment copies as they are now.
    pub(crate) fn copies(&self) -> Result<Copies> {
        self.medium()?.copies()
    }

    /// Switches it on.
    pub(crate) fn start(&mut self) -> Result<()> {
        ensure!(self.running.is_none(), "the board is on already");
        self.running = Some(Running::start(&self.image, &self.machine)?);
        Ok(())
    }

    /// Switches it on and waits until its system is up.
    pub(crate) fn boot(&mut self) -> Result<Ready> {
        self.start()?;
        self.ready()
    }

    /// The power fails.
    pub(crate) fn cut(&mut self) -> Result<()> {
        self.running.take().context("the board is off already")?.kill()
    }

    /// The system shuts down and switches the board off.
    pub(crate) fn power_off(&mut self) -> Result<()> {
        let mut running = self.running.take().context("the board is off already")?;
        running.send("poweroff")?;
        let status = running.wait_exit(PATIENCE)?;
        ensure!(status.success(), "QEMU ended with {status}");
        Ok(())
    }

    /// Takes the board away; its log stays.
    pub(crate) fn remove(self) -> Result<()> {
        drop(self.running);
        Ok(fs::remove_file(self.image)?)
    }

    /// The board that is on.
    pub(crate) fn running(&mut self) -> Result<&mut Running> {
        self.running.as_mut().context("the board is off")
    }

    /// Waits until a system is up, which may be about to leave again.
    pub(crate) fn passing(&mut self) -> Result<Ready> {
        let running = self.running()?;
        let boot_text = running.expect(READY)?;
        let line = running.expect("\n")?;
        self.boot_text = boot_text;
        Ready::parse(&line).with_context(|| format!("not understood: {line:?}"))
    }

    /// Waits until a system is up and its shell takes commands.
    pub(crate) fn ready(&mut self) -> Result<Ready> {
        let ready = self.passing()?;
        self.running()?.expect(PROMPT)?;
        // The kernel's lines would stand among those of commands.
        self.ok("dmesg -n 1")?;
        Ok(ready)
    }

    /// What the console said before the system was up the last time.
    pub(crate) fn boot_text(&self) -> &str {
        &self.boot_text
    }

    /// Reboots and waits until a system is up.
    pub(crate) fn reboot(&mut self) -> Result<Ready> {
        self.running()?.send("reboot")?;
        self.ready()
    }

    /// Runs a command.
    pub(crate) fn shell(&mut self, command: &str) -> Result<Said> {
        self.begin(command)?;
        self.end(PATIENCE)
    }

    /// Starts a command and does not wait for its end.
    pub(crate) fn begin(&mut self, command: &str) -> Result<()> {
        self.commands += 1;
        let tag = self.commands;
        // The quotes keep the echo of the line from being taken for what it says.
        let line = format!("echo E2E''-BEGIN-{tag}; {command}; echo E2E''-END-{tag}-$?");
        let running = self.running()?;
        running.send(&line)?;
        running.expect(&format!("E2E-BEGIN-{tag}\n")).map(drop)
    }

    /// Waits for the end of the command that was started.
    pub(crate) fn end(&mut self, patience: Duration) -> Result<Said> {
        let mark = self.end_mark();
        let (_, text) = self.running()?.console.expect(&[&mark], patience)?;
        Ok(Said { text, code: self.exit_code()? })
    }

    /// What the console says at the end of the command that was started, before its exit code.
    pub(crate) fn end_mark(&self) -> String {
        format!("E2E-END-{}-", self.commands)
    }

    /// Reads what follows the mark.
    pub(crate) fn exit_code(&mut self) -> Result<u8> {
        let running = self.running()?;
        let code = running.expect("\n")?;
        running.expect(PROMPT)?;
        code.parse().with_context(|| format!("exit code {code:?}"))
    }

    /// Runs a command that must succeed; returns what it said.
    pub(crate) fn ok(&mut self, command: &str) -> Result<String> {
        self.exits(0, command)
    }

    /// Runs a command that must end with that exit code; returns what it said.
    pub(crate) fn exits(&mut self, code: u8, command: &str) -> Result<String> {
        let said = self.shell(command)?;
        if said.code != code {
            bail!("`{command}` ended with {}, wanted {code}:\n{}", said.code, said.text);
        }
        Ok(said.text)
    }

    /// Brings a release's artifact to the board; returns a command that writes it to stdout.
    pub(crate) fn store(&mut self, release: Release) -> Result<String> {
        let artifact = self.lab.artifact(release)?;
        let (start_mib, bytes) = self.medium()?.store(release.number(), &artifact)?;
        Ok(format!("dd if=/dev/emmc bs=1M skip={start_mib} 2>/dev/null | head -c {bytes}"))
    }

    /// Brings a release's artifact to the board; returns its path there.
    pub(crate) fn bring(&mut self, release: Release) -> Result<String> {
        let read = self.store(release)?;
        let path = format!("/tmp/{}.mender", release.name());
        self.ok(&format!("{read} >{path}"))?;
        Ok(path)
    }

    /// Installs a release, which must arm the other slot.
    pub(crate) fn install(&mut self, release: Release) -> Result<String> {
        let read = self.store(release)?;
        self.ok(&format!("{read} | twinslot install --progress none -"))
    }

    /// Checks the fields of `twinslot status --json`.
    pub(crate) fn status(&mut self, wanted: &[(&str, &str)]) -> Result<String> {
        let json = self.ok("twinslot status --json")?;
        for (name, value) in wanted {
            let field = format!("\"{name}\":\"{value}\"");
            ensure!(json.contains(&field), "status has no {field}: {json}");
        }
        Ok(json)
    }
}

impl Ready {
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut words = line.split_whitespace();
            words.find_map(|word| Some(word.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
        };
        Some(Self { slot: field("slot")?, release: field("release")?, settle: field("settle")? })
    }

    /// Must be that slot and release.
    pub(crate) fn must_be(&self, slot: &str, release: &str) -> Result<()> {
        ensure!(
            (self.slot.as_str(), self.release.as_str()) == (slot, release),
            "slot {} with {} is up, wanted slot {slot} with {release}",
            self.slot,
            self.release
        );
        Ok(())
    }
}

/// What a person was told must contain this.
pub(crate) fn must_say(text: &str, wanted: &str) -> Result<()> {
    ensure!(text.contains(wanted), "wanted {wanted:?} in:\n{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_the_boot_service_is_read() {
        let ready = Ready::parse("slot=b release=release-2 settle=0").unwrap();
        assert!(ready.must_be("b", "release-2").is_ok());
        assert!(ready.must_be("a", "release-2").is_err());
        assert_eq!(ready.settle, "0");
        assert_eq!(Ready::parse("slot=b settle=0"), None);
    }
}

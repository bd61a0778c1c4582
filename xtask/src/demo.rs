//! A board updates itself, breaks, and comes back: a short story, told by the board. Says only
//! what was seen; what should have been seen and was not is an error.

mod keep;
mod owner;

use crate::e2e::bench::{Bench, must_say};
use crate::e2e::lab::{FACTORY, Lab, Release};
use crate::qemu::PATIENCE;
use crate::setup;
use anyhow::{Result, bail, ensure};
use std::io::{IsTerminal, Write, stdout};
use std::time::Instant;

/// The task: `demo [--keep]`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let keep = match arguments {
        [] => false,
        [option] if option == "--keep" => true,
        _ => bail!("demo takes [--keep]"),
    };
    setup::run(&[])?;
    let lab = Lab::open("demo")?;
    let start = Instant::now();
    let mut bench = Bench::new(&lab, "demo")?;
    let mut story = Story { bench: &mut bench };
    story.factory()?;
    story.update()?;
    story.broken()?;
    owner::tell(&lab)?;
    println!("\nEverything was seen that should be, in {} s.", start.elapsed().as_secs());
    if keep {
        return keep::console(&mut bench);
    }
    bench.remove()
}

fn heading(text: &str) {
    println!("\n== {text}");
}

struct Story<'b, 'l> {
    bench: &'b mut Bench<'l>,
}

impl Story<'_, '_> {
    fn factory(&mut self) -> Result<()> {
        heading("A board leaves the factory with release-1 in slot a; slot b is empty");
        let up = self.bench.boot()?;
        show_boot(self.bench);
        up.must_be("a", FACTORY)?;
        let status = told(self.bench, "twinslot status")?;
        must_say(&status, "settled")
    }

    fn update(&mut self) -> Result<()> {
        heading("release-2 arrives, signed by the owner's key: written, read back, armed");
        let path = self.bench.bring(Release::Good)?;
        self.install(&path)?;
        heading("The board reboots: U-Boot tries slot b once, and its health checks decide");
        let up = self.bench.reboot()?;
        show_boot(self.bench);
        up.must_be("b", "release-2")?;
        self.bench.status(&[("booted", "b"), ("next", "b"), ("state", "settled")])?;
        told(self.bench, "twinslot status")?;
        must_say(&told(self.bench, "twinslot why")?, "committed release-2")
    }

    fn broken(&mut self) -> Result<()> {
        heading("The next release is signed as well, but its application does not work");
        let path = self.bench.bring(Release::Unhealthy)?;
        self.install(&path)?;
        heading("The board reboots into it, and comes back by itself");
        let up = self.bench.reboot()?;
        show_boot(self.bench);
        let tried = self.bench.boot_text().contains("loading slot a, trial");
        ensure!(tried, "the broken release was not tried");
        up.must_be("b", "release-2")?;
        self.bench.status(&[("booted", "b"), ("next", "b"), ("outcome", "rolled-back")])?;
        let why = told(self.bench, "twinslot why --last")?;
        must_say(&why, "rolled-back release-unhealthy: health check 10-app failed")?;
        must_say(&told(self.bench, "twinslot status")?, "settled")
    }

    /// Installs an artifact and shows its bar: as it moves on a terminal, else when it is full.
    fn install(&mut self, path: &str) -> Result<()> {
        const BAR_END: &str = " MiB";
        println!("    $ twinslot install {path}");
        self.bench.begin(&format!("twinslot install {path}"))?;
        let mark = self.bench.end_mark();
        let mut bars = 0;
        loop {
            let console = &mut self.bench.running()?.console;
            let (found, text) = console.expect(&[BAR_END, &mark], PATIENCE)?;
            if found == 1 {
                text.lines().filter(|line| !line.is_empty()).for_each(|l| println!("    {l}"));
                break;
            }
            bars += 1;
            show_bar(text.trim_start_matches('\n'), BAR_END)?;
        }
        let code = self.bench.exit_code()?;
        ensure!(code == 0, "the installation ended with {code}");
        ensure!(bars > 0, "the installation showed no progress");
        self.bench.status(&[("state", "armed")]).map(drop)
    }
}

/// Runs a command that succeeds, and shows it with what it says.
fn told(bench: &mut Bench<'_>, command: &str) -> Result<String> {
    println!("    $ {command}");
    let text = bench.ok(command)?;
    for line in text.lines() {
        println!("    {line}");
    }
    Ok(text)
}

/// Shows what U-Boot and the boot service said of slots.
fn show_boot(bench: &Bench<'_>) {
    let ours = |line: &&str| {
        ["twinslot:", "slot ", "settled", "Warning: Bootlimit"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    for line in bench.boot_text().lines().filter(ours) {
        println!("    {line}");
    }
}

fn show_bar(bar: &str, end: &str) -> Result<()> {
    let is_full = bar.contains("100 %");
    let mut out = stdout();
    if out.is_terminal() {
        write!(out, "\r    {bar}{end}")?;
    }
    match (out.is_terminal(), is_full) {
        (true, true) => writeln!(out)?,
        (false, true) => writeln!(out, "    {bar}{end}")?,
        (_, false) => {}
    }
    Ok(out.flush()?)
}

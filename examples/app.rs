//! An app as a box would have it, in a terminal: tells how the last update ended, asks whether to
//! install the one that waits, shows how far it is. Speaks to the daemon's socket, and never
//! parses anything but its JSON lines.
//!
//! `cargo run --example app -- --socket /run/twinslot.sock`

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use twinslot::json::{self, Object, Text, Value};

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut socket = "/run/twinslot.sock".to_owned();
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--socket", Some(path)) => socket = path,
            _ => return Err(io::Error::other("usage: app [--socket PATH]")),
        }
    }
    App::connect(&socket)?.run()
}

struct App(BufReader<UnixStream>);

impl App {
    fn connect(path: &str) -> io::Result<Self> {
        Ok(Self(BufReader::new(UnixStream::connect(path)?)))
    }

    fn run(&mut self) -> io::Result<()> {
        let status = self.ask("{\"do\":\"status\"}")?;
        tell_last(parsed(&status)?);
        let check = self.ask("{\"do\":\"check\"}")?;
        let check = parsed(&check)?;
        if let Some(message) = refused(check) {
            println!("No answer about updates: {message}");
            return Ok(());
        }
        let Some(offer) = object(check, "offered") else {
            println!("This system is up to date.");
            return Ok(());
        };
        if !wants(offer, check)? {
            return Ok(());
        }
        // What the person was told, they said yes to.
        let failed = object(check, "failed_before").is_some();
        let older = check.get("downgrade").and_then(Value::to_bool) == Some(true);
        let request = format!(
            "{{\"do\":\"install\",\"reboot\":true,\"retry\":{failed},\"downgrade\":{older}}}"
        );
        let begun = self.ask(&request)?;
        match refused(parsed(&begun)?) {
            Some(message) => println!("Not installed: {message}"),
            None => self.watch()?,
        }
        Ok(())
    }

    /// Shows the installation to its end.
    fn watch(&mut self) -> io::Result<()> {
        let mut line = self.ask("{\"do\":\"progress\"}")?;
        loop {
            let event = parsed(&line)?;
            match text(event, "event").as_deref() {
                Some("progress") => show(event),
                Some("result") => {
                    match object(event, "error") {
                        None => println!("\nInstalled. The box reboots into it now."),
                        Some(error) => {
                            println!(
                                "\nNot installed: {}",
                                text(error, "message").unwrap_or_default()
                            );
                        }
                    }
                    return Ok(());
                }
                _ => {}
            }
            line = self.line()?;
        }
    }

    fn ask(&mut self, request: &str) -> io::Result<String> {
        self.0.get_mut().write_all(format!("{request}\n").as_bytes())?;
        self.line()
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::Error::other("the daemon went away")),
            _ => Ok(line),
        }
    }
}

/// How the last update ended.
fn tell_last(status: Object<'_>) {
    let Some(last) = object(status, "last") else { return };
    let name = text(last, "artifact_name").unwrap_or_else(|| "The last update".to_owned());
    let reason = text(last, "reason").map(|reason| format!(": {reason}")).unwrap_or_default();
    match text(last, "outcome").as_deref() {
        Some("committed") => println!("{name} was installed and runs."),
        Some("rolled-back") => println!("{name} did not work, the old system runs again{reason}"),
        Some("failed") => println!("{name} was not installed{reason}"),
        _ => {}
    }
}

/// Whether the person wants what is offered.
fn wants(offer: Object<'_>, check: Object<'_>) -> io::Result<bool> {
    let name = text(offer, "artifact_name").unwrap_or_default();
    println!("A new version is available: {name}");
    for (label, key) in [("Severity", "severity"), ("Notes", "notes")] {
        if let Some(value) = text(offer, key) {
            println!("  {label}: {value}");
        }
    }
    if let Some(bytes) = offer.get("size").and_then(Value::to_u64) {
        println!("  Size: {} MiB", bytes.div_ceil(1 << 20));
    }
    if check.get("downgrade").and_then(Value::to_bool) == Some(true) {
        println!("  It is older than what runs.");
    }
    if let Some(failed) = object(check, "failed_before") {
        println!("  It failed here before: {}", text(failed, "reason").unwrap_or_default());
    }
    print!("Update now? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

fn show(event: Object<'_>) {
    let number = |key| event.get(key).and_then(Value::to_u64).unwrap_or_default();
    let percent = (number("bytes") * 100).checked_div(number("total")).unwrap_or_default();
    print!("\r{:<10} {percent:>3} %", text(event, "phase").unwrap_or_default());
    // A terminal that is gone shows nothing.
    let _ = io::stdout().flush();
}

/// The message, if the daemon did not do as asked.
fn refused(answer: Object<'_>) -> Option<String> {
    text(object(answer, "error")?, "message")
}

fn parsed(line: &str) -> io::Result<Object<'_>> {
    let value =
        json::parse(line.as_bytes()).map_err(|error| io::Error::other(error.to_string()))?;
    value.to_object().ok_or_else(|| io::Error::other("the daemon said no JSON object"))
}

fn object<'a>(object: Object<'a>, key: &str) -> Option<Object<'a>> {
    object.get(key).and_then(Value::to_object)
}

/// Without what a terminal would take for a command.
fn text(object: Object<'_>, key: &str) -> Option<String> {
    let text: Text<'_> = object.get(key)?.to_text()?;
    Some(text.chars().filter(|char| !char.is_control()).collect())
}

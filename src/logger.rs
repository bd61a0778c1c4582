//! What the program says beside its results: a line each on standard error, a service's also in
//! the kernel's log. Never on standard output, and never a result.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::sync::OnceLock;

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger;

static LOGGER: Logger = Logger;

/// The kernel's log, which survives where a service's standard error goes nowhere.
static KERNEL: OnceLock<File> = OnceLock::new();

/// From now on says the same to the kernel's log. Not where standard error is read by systemd's
/// journal, which reads the kernel's log too (`JOURNAL_STREAM` in systemd.exec(5)).
pub(crate) fn tell_kernel() {
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        return;
    }
    match OpenOptions::new().write(true).open("/dev/kmsg") {
        // It fails only where it was called before.
        Ok(file) => drop(KERNEL.set(file)),
        Err(error) => log::info!("no kernel log: {error}"),
    }
}

/// From now on shows warnings; with `verbosity` more, with less only errors.
pub(crate) fn listen(verbosity: i8) {
    // It fails only where it was called before, and then changes nothing.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(match verbosity {
        ..0 => LevelFilter::Error,
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        2.. => LevelFilter::Debug,
    });
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Libraries say nothing that an owner could act upon.
        metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Where nobody listens there is nobody to tell that.
        let _ = writeln!(io::stderr(), "twinslot: {}{}", word(record), record.args());
        if let Some(mut kernel) = KERNEL.get() {
            // One write is one record (the kernel's dev-kmsg ABI); the number is syslog's.
            let line = format!("<{}>twinslot: {}\n", severity(record), record.args());
            let _ = kernel.write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}

fn word(record: &Record<'_>) -> &'static str {
    match record.level() {
        Level::Error => "error: ",
        Level::Warn => "warning: ",
        _ => "",
    }
}

/// syslog(3)'s number.
fn severity(record: &Record<'_>) -> u8 {
    match record.level() {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

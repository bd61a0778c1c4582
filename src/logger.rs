//! What the program says beside its results: a line each on standard error. Never on standard
//! output, and never a result.

use std::io::{self, Write as _};

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger;

static LOGGER: Logger = Logger;

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

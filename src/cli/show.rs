//! What a person or an app sees while an update runs: a bar on standard error, or JSON lines on
//! standard output, or nothing.

use std::fmt;
use std::io::Write as _;
use std::time::{Duration, Instant};

use twinslot::progress::{Phase, Progress};

use super::args::ProgressStyle;
use crate::events::{Began, Went};
use crate::sys::terminal;

/// At most five lines a second.
const PAUSE: Duration = Duration::from_millis(200);

/// Shows progress in one style.
pub(crate) struct Show {
    style: Style,
    phase: Phase,
    total_bytes: u64,
    shown: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Bar { columns: usize },
    Json,
    Nothing,
}

/// Columns of a terminal that does not tell.
const COLUMNS: u16 = 80;

impl Show {
    /// The style asked for; `Auto` is a bar when standard error is a terminal.
    pub(crate) fn new(asked: ProgressStyle) -> Self {
        let columns = usize::from(terminal::columns().unwrap_or(COLUMNS));
        let style = match asked {
            ProgressStyle::Json => Style::Json,
            ProgressStyle::Bar => Style::Bar { columns },
            ProgressStyle::Auto if terminal::is_terminal() => Style::Bar { columns },
            ProgressStyle::Auto | ProgressStyle::None => Style::Nothing,
        };
        Self { style, phase: Phase::Header, total_bytes: 0, shown: None }
    }

    /// Leaves the line of the bar.
    pub(crate) fn end(&self) {
        if matches!(self.style, Style::Bar { .. }) && self.shown.is_some() {
            tell(format_args!("\n"));
        }
    }

    fn is_due(&mut self, bytes: u64) -> bool {
        let due =
            bytes == self.total_bytes || self.shown.is_none_or(|shown| shown.elapsed() >= PAUSE);
        if due {
            self.shown = Some(Instant::now());
        }
        due
    }
}

impl Progress for Show {
    fn phase(&mut self, phase: Phase, total_bytes: u64) {
        self.end();
        (self.phase, self.total_bytes, self.shown) = (phase, total_bytes, None);
        if self.style == Style::Json {
            print(format_args!("{}", Began(phase)));
        }
    }

    fn advance(&mut self, bytes: u64, skipped: u64) {
        if self.style == Style::Nothing || !self.is_due(bytes) {
            return;
        }
        match self.style {
            Style::Nothing => {}
            Style::Json => {
                let (phase, total_bytes) = (self.phase, self.total_bytes);
                print(format_args!("{}", Went { phase, bytes, total_bytes, skipped }));
            }
            Style::Bar { columns } => {
                let (phase, total_bytes) = (self.phase, self.total_bytes);
                tell(format_args!("\r{}", Bar { phase, bytes, total_bytes, columns }));
            }
        }
    }
}

/// One line on standard output, without an allocation: payload is on its way. A reader that
/// went away must not stop an update.
pub(crate) fn print(line: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// On standard error, as [`print`]: `eprint!` would end the program where nobody listens.
pub(crate) fn tell(text: fmt::Arguments<'_>) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// `write      [########............]   42 %  240/570 MiB`
struct Bar {
    phase: Phase,
    bytes: u64,
    total_bytes: u64,
    columns: usize,
}

/// What a bar's line holds besides the bar: phase, percent, and sizes of up to 8 digits.
const AROUND_COLUMNS: usize = 43;

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.bytes.saturating_mul(100).checked_div(self.total_bytes);
        let percent = percent.unwrap_or(100).min(100);
        let room = self.columns.saturating_sub(AROUND_COLUMNS).min(50);
        let done = usize::try_from(percent).unwrap_or(100) * room / 100;
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        write!(
            f,
            "{:<10} [{:#<done$}{:.<left$}]  ",
            self.phase.word(),
            "",
            "",
            left = room - done
        )?;
        write!(f, "{percent:>3} %  {}/{} MiB", mib(self.bytes), mib(self.total_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(bytes: u64, total_bytes: u64, columns: usize) -> String {
        Bar { phase: Phase::ReadBack, bytes, total_bytes, columns }.to_string()
    }

    #[test]
    fn the_bar_fits_its_terminal_and_tells_percent_and_sizes() {
        let half = bar(5 << 20, 10 << 20, 43 + 20);
        assert!(half.ends_with("]   50 %  5/10 MiB"), "{half}");
        assert_eq!(half.matches('#').count(), half.matches('.').count());
        for columns in [0, 1, 43, 44, 80, 200] {
            let shown = bar(99_999_999 << 20, 99_999_999 << 20, columns);
            assert!(shown.len() <= columns.max(AROUND_COLUMNS), "{columns}: {shown}");
        }
    }

    #[test]
    fn a_phase_without_bytes_is_shown_as_done() {
        assert!(bar(0, 0, 80).contains("100 %"));
    }
}

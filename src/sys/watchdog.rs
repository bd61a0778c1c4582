//! The hardware watchdog: brings a board back whose system on trial hangs. Never decides how
//! long a system may take.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Failure;

/// Often enough for the shortest heartbeat in use, which is some seconds.
const FEED: Duration = Duration::from_secs(1);

/// An open watchdog, which runs from now on.
#[derive(Debug)]
pub(crate) struct Watchdog {
    file: File,
    path: PathBuf,
    fed: Instant,
}

impl Watchdog {
    /// Opens the device, which starts it; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be opened: somebody else may feed it.
    pub(crate) fn start(path: &Path) -> Result<Option<Self>, Failure> {
        match OpenOptions::new().write(true).open(path) {
            Ok(file) => {
                let mut watchdog = Self { file, path: path.to_owned(), fed: Instant::now() };
                watchdog.write(b"\0")?;
                Ok(Some(watchdog))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::new("open", path, &error)),
        }
    }

    /// Feeds it, once a second at most. A watchdog that cannot be fed will bite, which is what it
    /// is there for.
    pub(crate) fn feed(&mut self) {
        if self.fed.elapsed() >= FEED && self.write(b"\0").is_ok() {
            self.fed = Instant::now();
        }
    }

    /// Stops it, where the driver allows that: closing after a `V` (the kernel's
    /// watchdog-api.rst, "magic close").
    ///
    /// # Errors
    /// The device's; it then goes on.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        self.write(b"V")
    }

    fn write(&mut self, byte: &[u8]) -> Result<(), Failure> {
        self.file.write_all(byte).map_err(|error| Failure::new("write", &self.path, &error))
    }
}

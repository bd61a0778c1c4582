//! Where an artifact comes from: a file or standard input.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Stdin};

use embedded_io::ErrorType;
use twinslot::stream::{self, Error, Source};

use crate::failure::{Exit, Failure};
use crate::sys;
use crate::sys::signal;

/// The bytes of an artifact, as they come.
pub(crate) enum Input {
    File(File),
    Stdin(Stdin),
}

impl Input {
    /// Opens a file, or for `-` standard input.
    ///
    /// # Errors
    /// The file cannot be opened, or it is a URL: there is no network here yet.
    pub(crate) fn open(source: &OsStr) -> Result<Self, Failure> {
        if source == "-" {
            return Ok(Self::Stdin(io::stdin()));
        }
        let text = source.to_string_lossy();
        if text.starts_with("http://") || text.starts_with("https://") {
            let message = format!("{text}: servers are not supported, wanted a file or -");
            return Err(Failure::new(Exit::Usage, "usage", message));
        }
        let unreadable = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Io, "artifact-unreadable", format!("cannot open {text}: {error}"))
        };
        let file = File::open(source).map_err(|error| unreadable(&sys::cause(&error)))?;
        let is_directory = file.metadata().is_ok_and(|found| found.is_dir());
        if is_directory {
            return Err(unreadable(&"it is a directory"));
        }
        Ok(Self::File(file))
    }

    /// Whether bytes can be passed over without reading them.
    pub(crate) fn skips(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl ErrorType for Input {
    type Error = Error;
}

impl Source for Input {
    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let sought = match (&mut *self, i64::try_from(bytes)) {
            (Self::File(file), Ok(bytes)) => file.seek(SeekFrom::Current(bytes)).is_ok(),
            _ => false,
        };
        // A pipe with a name is a file, too.
        if sought { Ok(()) } else { stream::read_through(self, bytes) }
    }
}

impl embedded_io::Read for Input {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        loop {
            let read = match self {
                Self::File(file) => file.read(into),
                Self::Stdin(stdin) => stdin.read(into),
            };
            match read {
                Ok(len) => return Ok(len),
                // A signal that asks to stop ends the wait, any other does not.
                Err(error)
                    if error.kind() == io::ErrorKind::Interrupted && !signal::requested() => {}
                Err(error) => return Err(Error::Source(sys::cause(&error))),
            }
        }
    }
}

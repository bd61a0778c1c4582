//! Where an artifact comes from: a file, standard input or a server.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Stdin};

use embedded_io::{ErrorType, Read};
use twinslot::stream::{self, Error, Source};

use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::net::download::{Account, Download, Tally, Wanted};
use crate::net::http::Stop;
use crate::sys::signal;
use crate::{session, sys};

/// The bytes of an artifact, as they come.
pub(crate) enum Input {
    File(File),
    Stdin(Stdin),
    Download(Download),
}

impl Input {
    /// Opens a file, or for `-` standard input; a URL is asked for at the first read.
    ///
    /// # Errors
    /// The file cannot be opened, or the configuration is not fit to ask a server.
    pub(crate) fn open(source: &OsStr, config: &Config) -> Result<Self, Failure> {
        if source == "-" {
            return Ok(Self::Stdin(io::stdin()));
        }
        let text = source.to_string_lossy();
        if text.starts_with("http://") {
            let message = "only https is allowed, found a URL with http";
            return Err(Failure::new(Exit::Usage, "usage", message));
        }
        if text.starts_with("https://") {
            let wanted = Wanted::url(&text, session::patience(config));
            let client = session::client(config, Stop::new(signal::requested))?;
            return Ok(Self::Download(Download::new(&client, wanted)));
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

    /// What can be told of it once it is gone.
    pub(crate) fn told(&self) -> Told {
        Told(match self {
            Self::Download(download) => Some(download.account()),
            Self::File(_) | Self::Stdin(_) => None,
        })
    }

    /// Whether bytes can be passed over without reading them.
    pub(crate) fn skips(&self) -> bool {
        matches!(self, Self::File(_) | Self::Download(_))
    }
}

/// What an input came to; of a file or a pipe there is nothing to tell.
pub(crate) struct Told(Option<Account>);

impl Told {
    pub(crate) fn tally(&self) -> Option<Tally> {
        self.0.as_ref().map(Account::tally)
    }

    /// Why reading failed, where there is more to say than reading could.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.0.as_ref().and_then(Account::failure).map(Failure::from)
    }

    /// The same in place of what the reader could say.
    pub(crate) fn reason(&self, failure: Failure) -> Failure {
        self.failure().unwrap_or(failure)
    }
}

impl ErrorType for Input {
    type Error = Error;
}

impl Source for Input {
    fn skip(&mut self, bytes: u64) -> Result<(), Error> {
        let sought = match (&mut *self, i64::try_from(bytes)) {
            (Self::Download(download), _) => return download.skip(bytes),
            // A pipe with a name is a file, too.
            (Self::File(file), Ok(bytes)) => file.seek(SeekFrom::Current(bytes)).is_ok(),
            _ => false,
        };
        if sought { Ok(()) } else { stream::read_through(self, bytes) }
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        loop {
            let read = match self {
                Self::File(file) => file.read(into),
                Self::Stdin(stdin) => stdin.read(into),
                Self::Download(download) => return download.read(into),
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

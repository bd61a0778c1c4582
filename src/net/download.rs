//! A download that reads like a file: a thread of its own receives and decrypts ahead of the
//! reader, and goes on where a connection broke. Bytes of two versions never meet. Never knows
//! what the file is.

mod account;
mod fault;
mod origin;
mod pace;
mod pipe;
mod source;
mod version;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use embedded_io::ErrorType;
use twinslot::device::Cause;
use twinslot::stream;

pub(crate) use account::{Account, Tally};
pub(crate) use fault::Error;
pub(crate) use pace::Patience;

use super::exchange;
use super::http::{Client, Stop};
use origin::Origin;
use pipe::{Buffer, Next, Order, Pipe};
use source::Source;

/// Stack of the receiving thread, in bytes: a handshake with the largest keys fits.
const STACK_BYTES: usize = 512 << 10;
/// The reader looks this often whether someone asked to stop.
const TURN: Duration = Duration::from_millis(500);

/// What is to be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// One is as good as another.
    pub(crate) urls: Vec<String>,
    pub(crate) size_bytes: Option<u64>,
    /// SHA-256 of the whole file.
    pub(crate) digest: Option<[u8; 32]>,
    pub(crate) patience: Patience,
}

impl Wanted {
    /// What a person named.
    pub(crate) fn url(url: &str, patience: Patience) -> Self {
        Self { urls: vec![url.to_owned()], size_bytes: None, digest: None, patience }
    }
}

/// The file's bytes from the first on; asks no server before the first read.
pub(crate) struct Download {
    state: State,
    /// The buffer being read.
    buffer: Option<Buffer>,
    /// Where in the file the next byte is.
    at: u64,
    stop: Stop,
    /// Nobody reads any more.
    gone: Arc<AtomicBool>,
    account: Account,
}

enum State {
    /// Nobody was asked yet.
    Idle(Box<Source<Client>>),
    /// A thread receives.
    Running(Arc<Pipe>),
    /// No thread could be had.
    Alone(Box<Source<Client>>),
    Ended(Result<(), Error>),
}

impl Download {
    /// Carried by connections like those of `client`, and stopped when it is.
    pub(crate) fn new(client: &Client, wanted: Wanted) -> Self {
        let (account, gone) = (Account::default(), Arc::new(AtomicBool::new(false)));
        let (stop, dropped) = (client.stop().clone(), gone.clone());
        let stop = Stop::new(move || stop.asked() || dropped.load(Ordering::Relaxed));
        let client = client.stopped_by(stop.clone());
        let source = Source::new(client, wanted, stop.clone(), account.clone());
        let (buffer, at) = (None, 0);
        Self { state: State::Idle(Box::new(source)), buffer, at, stop, gone, account }
    }

    /// What it came to so far, also after this is gone.
    pub(crate) fn account(&self) -> Account {
        self.account.clone()
    }

    /// Leaves out the next bytes: the next read begins that much further on. What is far is not
    /// downloaded. The digest of the whole file is then not checked.
    ///
    /// # Errors
    /// The file is known to end before.
    pub(crate) fn skip(&mut self, bytes: u64) -> Result<(), stream::Error> {
        let at = self.at.saturating_add(bytes);
        if at == self.at {
            return Ok(());
        }
        if !self.buffer.as_mut().is_some_and(|buffer| buffer.cut(at)) {
            self.seek(at).map_err(|error| self.failed(error))?;
        }
        self.at = at;
        Ok(())
    }

    fn seek(&mut self, at: u64) -> Result<(), Error> {
        let used = self.buffer.take();
        match &mut self.state {
            State::Idle(source) | State::Alone(source) => source.seek(at)?,
            State::Running(pipe) => pipe.seek(at, used),
            State::Ended(_) => {
                return Err(Error::Truncated { host: String::new(), missing: at - self.at });
            }
        }
        Ok(())
    }

    /// The next bytes into `into`.
    fn next(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        loop {
            if let Some(buffer) = &mut self.buffer
                && buffer.start < buffer.end
            {
                let len = into.len().min(buffer.end - buffer.start);
                into[..len].copy_from_slice(&buffer.bytes[buffer.start..buffer.start + len]);
                buffer.take(len);
                return Ok(len);
            }
            match &mut self.state {
                State::Idle(_) => self.start(),
                State::Alone(source) => return source.read(into),
                State::Ended(result) => return result.clone().map(|()| 0),
                State::Running(pipe) => match pipe.next(self.buffer.take(), TURN) {
                    Next::Buffer(buffer) => self.buffer = Some(buffer),
                    Next::End(result) => self.state = State::Ended(result),
                    Next::Late if self.stop.asked() => {
                        return Err(exchange::Error::Interrupted.into());
                    }
                    Next::Late => {}
                },
            }
        }
    }

    fn start(&mut self) {
        let State::Idle(source) = std::mem::replace(&mut self.state, State::Ended(Ok(()))) else {
            return;
        };
        let pipe = Arc::new(Pipe::new());
        // A thread that does not start would take the source with it.
        let shelf = Arc::new(Mutex::new(Some(source)));
        let (theirs, end) = (shelf.clone(), pipe.clone());
        let run = move || {
            if let Some(source) = taken(&theirs) {
                receive(*source, &end);
            }
        };
        let started = Builder::new().stack_size(STACK_BYTES).spawn(run);
        self.state = match started {
            Ok(_) => State::Running(pipe),
            Err(_) => taken(&shelf).map_or(State::Ended(Ok(())), State::Alone),
        };
    }

    /// The person gets the reason from the account.
    fn failed(&self, error: Error) -> stream::Error {
        self.account.failed(error);
        stream::Error::Source(Cause { code: 0, text: "the download failed" })
    }
}

fn taken<T>(shelf: &Mutex<Option<T>>) -> Option<T> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl stream::Source for Download {
    fn skip(&mut self, bytes: u64) -> Result<(), stream::Error> {
        Self::skip(self, bytes)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Relaxed);
        if let State::Running(pipe) = &self.state {
            pipe.close();
        }
    }
}

/// Fills buffers until the file ends or nobody reads any more.
fn receive<O: Origin>(mut source: Source<O>, pipe: &Pipe) {
    loop {
        match pipe.order() {
            Order::Fill(mut buffer) => match fill(&mut source, &mut buffer, pipe) {
                Ok(()) => {
                    let ended = buffer.end == 0;
                    pipe.put(buffer);
                    if ended {
                        pipe.end(Ok(()));
                    }
                }
                Err(error) => {
                    pipe.put(buffer);
                    return pipe.end(Err(error));
                }
            },
            Order::Seek(at) => {
                if let Err(error) = source.seek(at) {
                    return pipe.end(Err(error));
                }
            }
            Order::End => return,
        }
    }
}

/// Fills a buffer, or a part of it where the reader waits for any or the file ends.
fn fill<O: Origin>(source: &mut Source<O>, buffer: &mut Buffer, pipe: &Pipe) -> Result<(), Error> {
    (buffer.start, buffer.end, buffer.at) = (0, 0, source.at());
    while buffer.end < buffer.bytes.len() {
        let len = source.read(&mut buffer.bytes[buffer.end..])?;
        buffer.end += len;
        if len == 0 || pipe.is_waited_for() {
            break;
        }
    }
    Ok(())
}

impl ErrorType for Download {
    type Error = stream::Error;
}

impl embedded_io::Read for Download {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, stream::Error> {
        if into.is_empty() {
            return Ok(0);
        }
        let len = self.next(into).map_err(|error| self.failed(error))?;
        self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(len)
    }
}

#[cfg(test)]
mod tests;

//! Serves the control socket: a thread a client, each waiting for its next line, so that nothing
//! wakes up while nobody asks. Bounds how many there are, how long a line is and how long a
//! client may take to read. Never knows what a request means.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, sleep};
use std::time::Duration;

use super::{Answer, Request};
use crate::failure::{Exit, Failure};

/// The most clients at a time.
const CLIENTS_MAX: usize = 8;

/// The longest request with its line feed, in bytes.
const LINE_BYTES: u64 = 4096;

/// How long a client may leave an answer unread before it is let go.
const SLOW: Duration = Duration::from_secs(5);

/// Stack of a client's thread, in bytes: status holds what each slot provides. Only what is
/// touched counts as memory, until the client goes.
const STACK_BYTES: usize = 1 << 20;

/// After an `accept` that failed, for example for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers requests.
pub(crate) trait Desk: Send + Sync + 'static {
    /// Answers with lines; the first one by `super::line`.
    ///
    /// # Errors
    /// The client is gone.
    fn answer(&self, request: Request, client: &mut Client) -> io::Result<()>;
}

/// The other side of a connection.
pub(crate) struct Client(UnixStream);

impl Client {
    /// Writes a line.
    ///
    /// # Errors
    /// The client is gone, or does not read.
    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(format!("{line}\n").as_bytes())
    }

    /// Writes an answer.
    ///
    /// # Errors
    /// The client is gone, or does not read.
    pub(crate) fn reply(&mut self, answer: &Answer) -> io::Result<()> {
        self.say(&super::line(answer))
    }
}

/// Serves `listener` for as long as the process lives.
pub(crate) fn serve(listener: &UnixListener, desk: &Arc<impl Desk>) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let taken = stream.and_then(|stream| take(stream, desk, &clients));
        if let Err(error) = taken {
            log::warn!("a client of the control socket is not served: {error}");
            sleep(PAUSE);
        }
    }
}

fn take(stream: UnixStream, desk: &Arc<impl Desk>, clients: &Arc<AtomicUsize>) -> io::Result<()> {
    stream.set_write_timeout(Some(SLOW))?;
    let place = Place(Arc::clone(clients));
    if clients.fetch_add(1, Ordering::AcqRel) >= CLIENTS_MAX {
        let message = format!("{CLIENTS_MAX} clients are served already");
        let refused = Failure::new(Exit::Failed, "too-many-clients", message);
        // It may be gone.
        let _ = Client(stream).reply(&Err(refused));
        return Ok(());
    }
    let desk = Arc::clone(desk);
    let talk = move || {
        let _place = place;
        // A client that is gone or too slow is let go, and that is all.
        if let Err(error) = talk(stream, &*desk) {
            log::debug!("a client of the control socket is gone: {error}");
        }
    };
    Builder::new().name("client".into()).stack_size(STACK_BYTES).spawn(talk).map(drop)
}

/// Counts a client until it is gone.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Answers line after line until the client ends.
fn talk(stream: UnixStream, desk: &impl Desk) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(512, stream.try_clone()?);
    let mut client = Client(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line)?;
        match line.last() {
            Some(b'\n') => {}
            Some(_) if u64::try_from(line.len()) == Ok(LINE_BYTES) => {
                let message = format!("a request is at most {LINE_BYTES} bytes long");
                return client.reply(&Err(Failure::new(Exit::Usage, "usage", message)));
            }
            _ => return Ok(()),
        }
        match Request::parse(&line) {
            Ok(request) => desk.answer(request, &mut client)?,
            Err(failure) => client.reply(&Err(failure))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Object;
    use std::path::{Path, PathBuf};

    struct Echo;

    impl Desk for Echo {
        fn answer(&self, request: Request, client: &mut Client) -> io::Result<()> {
            if request == Request::Progress {
                // More than the socket holds, to one who does not read.
                let line = "x".repeat(1 << 20);
                return (0..8).try_for_each(|_| client.say(&line));
            }
            client.reply(&Ok(Object::default().text("asked", format!("{request:?}"))))
        }
    }

    fn served() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        std::thread::spawn(move || serve(&listener, &Arc::new(Echo)));
        (directory, path)
    }

    fn connect(path: &Path) -> BufReader<UnixStream> {
        BufReader::new(UnixStream::connect(path).unwrap())
    }

    fn ask(client: &mut BufReader<UnixStream>, line: &str) -> String {
        client.get_ref().write_all(line.as_bytes()).unwrap();
        read(client)
    }

    fn read(client: &mut BufReader<UnixStream>) -> String {
        let mut answer = String::new();
        client.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    #[test]
    fn each_line_is_answered_in_turn_also_one_that_is_nonsense() {
        let (_directory, path) = served();
        let mut client = connect(&path);
        assert_eq!(ask(&mut client, "{\"do\":\"why\"}\n"), r#"{"ok":true,"asked":"Why"}"#);
        assert!(ask(&mut client, "nonsense\n").contains(r#""code":"usage""#));
        let halves = ask(&mut client, "{\"do\":\"why\"}\n{\"do\":\"check\"}\n");
        assert_eq!(halves, r#"{"ok":true,"asked":"Why"}"#);
        assert_eq!(read(&mut client), r#"{"ok":true,"asked":"Check"}"#);
    }

    #[test]
    fn a_request_has_a_bound() {
        let (_directory, path) = served();
        let longest = format!("{:4095}\n", "{\"do\":\"why\"}");
        assert!(ask(&mut connect(&path), &longest).starts_with(r#"{"ok":true"#));
        let refused = ask(&mut connect(&path), &format!(" {longest}"));
        assert!(refused.contains("at most 4096 bytes"), "{refused}");
    }

    #[test]
    fn a_ninth_client_is_told_so_and_a_place_that_is_left_is_free() {
        let (_directory, path) = served();
        let mut clients: Vec<_> = (0..8).map(|_| connect(&path)).collect();
        for client in &mut clients {
            assert!(ask(client, "{\"do\":\"why\"}\n").starts_with(r#"{"ok":true"#));
        }
        assert!(read(&mut connect(&path)).contains("too-many-clients"));
        clients.pop();
        let is_free = (0..100).any(|_| {
            sleep(Duration::from_millis(20));
            let mut client = connect(&path);
            // The one that is refused may find the connection closed.
            let sent = client.get_ref().write_all(b"{\"do\":\"why\"}\n");
            sent.is_ok() && read(&mut client).starts_with(r#"{"ok":true"#)
        });
        assert!(is_free);
    }

    #[test]
    fn a_client_that_does_not_read_does_not_stop_another() {
        let (_directory, path) = served();
        let slow = connect(&path);
        slow.get_ref().write_all(b"{\"do\":\"progress\"}\n").unwrap();
        let answer = ask(&mut connect(&path), "{\"do\":\"why\"}\n");
        assert_eq!(answer, r#"{"ok":true,"asked":"Why"}"#);
    }
}

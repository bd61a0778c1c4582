//! What all threads of a server share, and one connection's requests, one after another. Never
//! outlives the server.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;

use crate::content::{self, Content, Reply};
use crate::device_api::DeviceApi;
use crate::fault::{Fault, Faults};
use crate::http::{self, Request, header};
use crate::listener::Door;
use crate::record::{Record, Seen};
use crate::sending::{Next, Sending};
use crate::wire::Wire;

/// All that changes.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<String, Content>,
    pub(crate) faults: Faults,
    pub(crate) api: DeviceApi,
    pub(crate) record: Record,
    pub(crate) door: Door,
    stopping: bool,
    sockets: BTreeMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
    connections: u64,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    tls: Option<Arc<ServerConfig>>,
}

impl Shared {
    pub(crate) fn new(tls: Option<Arc<ServerConfig>>) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), tls }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes or reads the state, and wakes all who wait.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until the state is so, or the server stops; whether it is so.
    pub(crate) fn wait(&self, limit: Duration, mut so: impl FnMut(&State) -> bool) -> bool {
        let go_on = |state: &mut State| !state.stopping && !so(state);
        let waited = self.changed.wait_timeout_while(self.lock(), limit, go_on);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        so(&state)
    }

    /// Pauses; whether the server still runs then.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        self.wait(time, |_| false);
        !self.stopping()
    }

    pub(crate) fn stopping(&self) -> bool {
        self.lock().stopping
    }

    /// Ends all connections, and wakes the thread that takes new ones.
    pub(crate) fn stop(&self, port: u16) {
        self.change(|state| {
            state.stopping = true;
            // One that is gone already cannot be shut down.
            state.sockets.values().for_each(|socket| drop(socket.shutdown(Shutdown::Both)));
        });
        drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    }

    pub(crate) fn keep(&self, thread: JoinHandle<()>) {
        self.lock().threads.push(thread);
    }

    /// Waits for all threads of connections.
    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut self.lock().threads);
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }

    /// Keeps a handle of the socket, so that it can be shut down.
    fn enter(&self, socket: &TcpStream) -> io::Result<u64> {
        let handle = socket.try_clone()?;
        let mut state = self.lock();
        if state.stopping {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        state.connections += 1;
        let number = state.connections;
        state.sockets.insert(number, handle);
        Ok(number)
    }

    fn leave(&self, number: u64) {
        self.lock().sockets.remove(&number);
    }

    /// Writes a request down; returns its number in the record.
    fn note(&self, request: &Request) -> usize {
        self.change(|state| {
            let request = request.clone();
            state.record.requests.push(Seen {
                method: request.method,
                path: request.path,
                query: request.query,
                headers: request.headers,
                body: request.body,
                ..Seen::default()
            });
            state.record.requests.len() - 1
        })
    }

    /// Writes down how far the answer to a request is.
    pub(crate) fn tell(&self, number: usize, tell: impl FnOnce(&mut Seen)) {
        self.change(|state| state.record.requests.get_mut(number).map(tell));
    }

    fn reply(&self, request: &Request, fault: Option<&Fault>) -> io::Result<Reply> {
        if let Some(reply) = self.refusal(request, fault)? {
            return Ok(reply);
        }
        let file = self.lock().files.get(&request.path).cloned();
        if let Some(content) = file {
            return content::reply(request, &content, fault);
        }
        let answer = self.change(|state| {
            let State { api, record, .. } = state;
            api.answer(request, record)
        });
        match answer {
            Some(answer) => Reply::of(answer.status, answer.headers, answer.body),
            None => Reply::of(404, Vec::new(), b"nothing here\n".to_vec()),
        }
    }

    /// The answer of faults that need no file.
    fn refusal(&self, request: &Request, fault: Option<&Fault>) -> io::Result<Option<Reply>> {
        let (status, headers) = match fault {
            Some(Fault::RedirectLoop) => (302, vec![header("Location", &request.path)]),
            Some(Fault::Redirect { to }) => (302, vec![header("Location", to)]),
            Some(Fault::Status { status, retry_after }) => {
                let header = retry_after.iter().map(|after| header("Retry-After", after));
                (*status, header.collect())
            }
            _ => return Ok(None),
        };
        Reply::of(status, headers, format!("{status} as told\n").into_bytes()).map(Some)
    }
}

/// Answers one request after another, until either side has had enough.
pub(crate) fn converse(socket: TcpStream, shared: &Shared) {
    let Ok(number) = shared.enter(&socket) else { return };
    // How a connection ends is the client's affair: what it got stands in the record.
    if let Ok(end) = answer_all(socket, shared) {
        shared.leave(number);
        drop(end.map(Wire::reset));
    }
    shared.leave(number);
}

/// The connection is returned where it is to be reset.
fn answer_all(socket: TcpStream, shared: &Shared) -> io::Result<Option<Wire>> {
    let mut wire = Wire::new(socket, shared.tls.as_ref())?;
    let mut rest = Vec::new();
    loop {
        let request = match Request::read(&mut wire, &mut rest) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                wire.write_all(&http::head(400, &[header("Connection", "close")]))?;
                return wire.close().map(|()| None);
            }
            Err(error) => return Err(error),
        };
        let number = shared.note(&request);
        let fault = shared.change(|state| state.faults.next(&request.path));
        let reply = shared.reply(&request, fault.as_ref())?;
        let sending = Sending { shared, number, request: &request, fault: fault.as_ref() };
        match sending.send(&mut wire, &reply)? {
            Next::Request => {}
            Next::Close => return wire.close().map(|()| None),
            Next::Drop => return Ok(None),
            Next::Reset => return Ok(Some(wire)),
        }
    }
}

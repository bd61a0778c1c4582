//! A server of updates for tests: files with ranges, and Mender's device API, over TLS on a
//! loopback address, in threads that end with the handle. It is held against Debian's Mender
//! client before twinslot is held against it, and uses none of twinslot's code. Never for use
//! outside of tests.

mod certificates;
mod connection;
mod content;
mod control;
mod device_api;
mod fault;
mod http;
mod listener;
mod record;
mod sending;
mod signature;
mod wire;

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub use certificates::{Authority, Pair};
pub use content::Content;
pub use control::obey;
pub use device_api::{Admission, Deployment, Edition};
pub use fault::{Fault, When};
pub use listener::{Clients, Door, Identity, Setup};
pub use record::{Device, LogMessage, Record, Report, Seen, Upload};

use connection::Shared;

/// A server that runs until it is dropped.
pub struct Server {
    shared: Arc<Shared>,
    authority: Authority,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// A server that is who it says it is, on a port of its own.
    ///
    /// # Errors
    /// No port, or no randomness.
    pub fn start() -> io::Result<Self> {
        Self::start_as(Setup::default())
    }

    /// `https://127.0.0.1:PORT` and the path, which starts with `/`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// The port it listens at, of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The root that clients are given, in PEM; of [`Identity::UnknownAuthority`], a wrong one.
    #[must_use]
    pub fn root(&self) -> String {
        self.authority.pem()
    }

    /// A certificate for a client of this server.
    ///
    /// # Errors
    /// No randomness.
    pub fn client(&self, name: &str) -> io::Result<Pair> {
        self.authority.client(name)
    }

    /// Serves a file under a path, in place of what was there.
    pub fn serve(&self, path: &str, content: impl Into<Content>) {
        self.shared.change(|state| state.files.insert(path.to_owned(), content.into()));
    }

    /// Has something go wrong with requests of a path; they are counted from here on.
    pub fn fault(&self, path: &str, when: When, fault: Fault) {
        self.shared.change(|state| state.faults.add(path, when, fault));
    }

    /// All is well with a path again.
    pub fn heal(&self, path: &str) {
        self.shared.change(|state| state.faults.clear(path));
    }

    /// Lets connections in, or closes each as it comes.
    pub fn door(&self, door: Door) {
        self.shared.change(|state| state.door = door);
    }

    /// What devices are told that ask to be let in.
    pub fn admit(&self, admission: Admission) {
        self.shared.change(|state| state.api.admission = admission);
    }

    /// From here on devices must bring this token.
    pub fn require_tenant(&self, token: &str) {
        self.shared.change(|state| state.api.tenant_token = Some(token.to_owned()));
    }

    /// Which of Mender's servers it is.
    pub fn edition(&self, edition: Edition) {
        self.shared.change(|state| state.api.edition = edition);
    }

    /// Forgets all tokens: whoever has one is answered with 401.
    pub fn expire_tokens(&self) {
        self.shared.change(|state| state.api.tokens.clear());
    }

    /// Offers a deployment, behind those that are there.
    pub fn deploy(&self, deployment: Deployment) {
        self.shared.change(|state| state.api.deployments.add(deployment));
    }

    /// Aborts all deployments that have not ended: reports of them are answered with 409.
    pub fn abort(&self) {
        self.shared.change(|state| state.api.deployments.abort());
    }

    /// All it saw so far.
    #[must_use]
    pub fn record(&self) -> Record {
        self.shared.change(|state| state.record.clone())
    }

    /// Waits until the record is so; whether it came to that in time.
    pub fn wait_for(&self, limit: Duration, mut so: impl FnMut(&Record) -> bool) -> bool {
        self.shared.wait(limit, |state| so(&state.record))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop(self.port);
        if let Some(acceptor) = self.acceptor.take() {
            // A thread that panicked has said so.
            let _ = acceptor.join();
        }
        self.shared.join();
    }
}

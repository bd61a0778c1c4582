//! `twinslot daemon`: asks a server for updates, installs what its owner lets it install by
//! itself, and answers apps over the control socket. One thread works, one takes signals, and one
//! a client waits for its next line: nothing wakes up while there is nothing to do. Never decides
//! what an artifact is worth.

mod attend;
mod board;
mod desk;
mod offered;
mod policy;
mod reports;
mod schedule;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::control::socket;
use crate::control::{Answer, Request};
use crate::failure::{Exit, Failure};
use crate::net::http;
use crate::net::server::Server;
use crate::servers;
use crate::session;
use crate::sys::signal::{self, Held, Wish};
use crate::sys::socket::listen;
use board::Own;
use desk::Counter;
use offered::Offered;
use schedule::Schedule;
use watch::{Stop, Watch};
use worker::Worker;

/// How long the work under way may take to stop; after it the process ends as it would by a
/// power cut, which is safe at any moment.
const PATIENCE: Duration = Duration::from_secs(10);

/// Messages that wait for the worker: one of each client, and some signals.
const MESSAGES: usize = 32;

/// Stack of the threads that only wait, in bytes.
const STACK_BYTES: usize = 64 << 10;

/// Where the worker's answer goes.
pub(crate) type Reply = SyncSender<Answer>;

/// What the worker is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// By a client.
    Asked(Request, Reply),
    /// Look for an update now.
    Check,
    /// Send the inventory now.
    Inventory,
    /// End.
    Quit,
    /// The installation is in its next phase.
    Phase,
    /// The installation has ended.
    Ended,
}

/// Runs until a signal ends it.
///
/// # Errors
/// Another daemon runs, the configuration is not fit, or it cannot be told where the board is.
pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    let held = signal::hold().map_err(|cause| Failure::new(Exit::Failed, "internal", cause))?;
    let path = &config.server.control_socket;
    let listener = listen(path)?;
    let (sender, messages) = sync_channel(MESSAGES);
    let (watch, offered) = (Arc::new(Watch::default()), Arc::new(Offered::default()));
    let counter = Arc::new(Counter {
        config: config.clone(),
        watch: Arc::clone(&watch),
        offered: Arc::clone(&offered),
        worker: sender.clone(),
    });
    start("socket", move || socket::serve(&listener, &counter))?;
    let (stopper, ender) = (Arc::clone(&watch), sender.clone());
    start("signals", move || take_signals(&held, &stopper, &ender))?;
    let server = connect(config, Arc::clone(&watch))?;
    let worker = Worker {
        config: config.server.clone(),
        server,
        board: Own {
            config: config.clone(),
            buffers: session::buffers()?,
            watch: Arc::clone(&watch),
        },
        watch,
        offered,
        messages,
        sender,
        schedule: Schedule::new(&config.server, Instant::now()),
        unsettled: false,
    };
    let ran = worker.run();
    remove(path);
    ran
}

/// The configured servers; none where none is configured: then people and their apps are served.
fn connect(config: &Config, watch: Arc<Watch>) -> Result<Option<Box<dyn Server + Send>>, Failure> {
    if config.server.urls.is_empty() {
        log::info!("no server is configured: nobody is asked for updates");
        return Ok(None);
    }
    let stop = move || watch.stopped() == Some(Stop::Quit);
    servers::connect(config, http::Stop::new(stop)).map(Some)
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let builder = Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
    builder.spawn(work).map(drop).map_err(|error| {
        Failure::new(Exit::Failed, "internal", format!("no thread for the {name}: {error}"))
    })
}

fn remove(socket: &Path) {
    if let Err(error) = std::fs::remove_file(socket) {
        log::info!("cannot remove {}: {error}", socket.display());
    }
}

/// Hands on what signals ask for.
fn take_signals(held: &Held, watch: &Watch, worker: &SyncSender<Message>) {
    loop {
        let message = match held.wait() {
            Ok(Wish::Check) => Message::Check,
            Ok(Wish::Inventory) => Message::Inventory,
            Ok(Wish::Stop) => break,
            Err(cause) => return log::error!("signals are not heard any more: {cause}"),
        };
        // One that waits already is as good.
        let _ = worker.try_send(message);
    }
    watch.stop(Stop::Quit);
    // A worker that has no room for this looks at the watch.
    let _ = worker.try_send(Message::Quit);
    sleep(PATIENCE);
    log::warn!("stopped in the middle of something");
    std::process::exit(Exit::Done.number().into());
}

/// An installation is under way.
fn busy() -> Failure {
    let message = "an update is in progress already: it is being installed";
    Failure::new(Exit::InProgress, "update-in-progress", message)
}

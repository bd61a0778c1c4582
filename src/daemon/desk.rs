//! The daemon's side of the control socket: what can be told at once is told here, the rest is
//! asked of the worker. Never changes anything itself.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::sleep;
use std::time::Duration;

use super::offered::Offered;
use super::watch::{Seen, Stop, Watch};
use super::{Message, busy};
use crate::config::Config;
use crate::control::socket::{Client, Desk};
use crate::control::{Answer, Request};
use crate::events::{Began, Went};
use crate::failure::{Exit, Failure};
use crate::machine::Machine;
use crate::object::Object;
use crate::session::{self, Place};
use crate::state::StateDir;
use crate::status::Status;
use crate::sys::pool;
use crate::why;

/// At most five lines a second.
const PAUSE: Duration = Duration::from_millis(200);

/// What clients are answered from.
pub(crate) struct Counter {
    pub(crate) config: Config,
    pub(crate) watch: Arc<Watch>,
    pub(crate) offered: Arc<Offered>,
    pub(crate) worker: SyncSender<Message>,
}

impl Desk for Counter {
    fn answer(&self, request: Request, client: &mut Client) -> io::Result<()> {
        match request {
            Request::Status => client.reply(&self.status()),
            Request::Why => client.reply(&self.why()),
            Request::Cancel => client.reply(&self.cancel()),
            Request::Progress => self.progress(client),
            Request::Check | Request::Install(_) | Request::Commit | Request::Rollback => {
                client.reply(&self.ask(request))
            }
        }
    }
}

impl Counter {
    /// What `status --json` tells, and what the daemon knows besides.
    fn status(&self) -> Answer {
        let mut buffers = pool::copies();
        let status = Status::find(&self.config, &mut buffers)?.fields();
        let update = self.offered.waiting().map(|waiting| waiting.fields().to_string());
        let update = update.unwrap_or_else(|| "null".to_owned());
        let busy = self.watch.seen().running;
        Ok(status.raw("update", update).raw("installing", busy))
    }

    /// What `why --json` tells.
    fn why(&self) -> Answer {
        let mut buffers = pool::copies();
        let journal = StateDir::new(&self.config.state_dir).journal()?;
        let machine = Machine::find(&self.config)?;
        let environment = session::environment(&self.config.fw_env_config, &mut buffers)?;
        let place = Place::find(&machine, &environment)?;
        let last = session::last(&journal, place.now());
        Ok(why::answer(&last, why::records(&journal).1))
    }

    fn cancel(&self) -> Answer {
        if self.watch.stop(Stop::Cancelled) { Ok(Object::default()) } else { Err(nothing()) }
    }

    /// The worker's answer.
    fn ask(&self, request: Request) -> Answer {
        if self.watch.seen().running {
            return Err(busy());
        }
        let gone = || Failure::new(Exit::Failed, "ending", "the daemon is about to end");
        let (reply, answer) = sync_channel(1);
        self.worker.send(Message::Asked(request, reply)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }

    /// The lines of `--progress json` until the installation has ended.
    fn progress(&self, client: &mut Client) -> io::Result<()> {
        let mut seen = self.watch.seen();
        if !seen.running && seen.result.is_none() {
            return client.reply(&Err(nothing()));
        }
        client.reply(&Ok(Object::default().raw("running", seen.running)))?;
        let (run, mut began) = (seen.run, 0);
        loop {
            for (phase, _) in seen.phases.iter().skip(began) {
                client.say(&Began(*phase).to_string())?;
            }
            began = seen.phases.len();
            if let Some(result) = &seen.result {
                return client.say(result);
            }
            if let Some(went) = went(&seen) {
                client.say(&went.to_string())?;
                sleep(PAUSE);
            }
            seen = self.watch.newer(seen.version);
            if seen.run != run {
                return client.reply(&Err(nothing()));
            }
        }
    }
}

/// How far the phase is, where that is known in bytes.
fn went(seen: &Seen) -> Option<Went> {
    let (phase, total_bytes) = seen.phase();
    let went = Went { phase, bytes: seen.bytes, total_bytes, skipped: seen.skipped };
    (seen.bytes > 0).then_some(went)
}

fn nothing() -> Failure {
    Failure::new(Exit::NothingInProgress, "nothing-in-progress", "nothing is being installed")
}

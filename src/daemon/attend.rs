//! An installation under way: one thread works, the daemon looks after it. Never decides what
//! follows when it has ended.

use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::{Builder, scope};
use std::time::Duration;

use super::board::{Board, Source};
use super::reports::Reports;
use super::watch::{Stop, Teller, Watch};
use super::{Message, busy};
use crate::events;
use crate::failure::{Exit, Failure};
use crate::installer::Done;
use crate::net::server::{Heard, Server};
use crate::object::Object;
use crate::sys::notify;

/// Stack of the thread that installs, in bytes: that of a main thread, of which only what is
/// touched counts.
const STACK_BYTES: usize = 8 << 20;

/// Without anything to report.
const LONG: Duration = Duration::from_secs(86_400);

/// Installs `source`, and meanwhile reports, and turns away who wants something else.
///
/// # Errors
/// Nothing is armed.
pub(crate) fn attend<S: Server + Send>(
    (board, source): (&mut impl Board, &Source),
    watch: &Watch,
    (messages, sender): (&Receiver<Message>, &SyncSender<Message>),
    mut reports: Reports<'_, S>,
) -> Result<Done, Failure> {
    scope(|scope| {
        let work = || {
            let _ended = Ended(sender);
            board.install(source, Teller { watch, daemon: sender.clone() })
        };
        let builder = Builder::new().name("install".into()).stack_size(STACK_BYTES);
        let work = builder.spawn_scoped(scope, work).map_err(|error| {
            Failure::new(Exit::Failed, "internal", format!("no thread to install on: {error}"))
        })?;
        look_after(watch, messages, &mut reports);
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Says so when the work has ended, however it did.
struct Ended<'s>(&'s SyncSender<Message>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        // A daemon that does not listen any more is about to end.
        let _ = self.0.send(Message::Ended);
    }
}

/// Reports until the work has ended.
fn look_after<S: Server>(
    watch: &Watch,
    messages: &Receiver<Message>,
    reports: &mut Reports<'_, S>,
) {
    loop {
        notify::beat();
        let pause = reports.pause().unwrap_or(LONG);
        let pause = notify::heartbeat().map_or(pause, |heartbeat| pause.min(heartbeat / 2));
        match messages.recv_timeout(pause) {
            Ok(Message::Ended) => return,
            Ok(Message::Quit) => {
                watch.stop(Stop::Quit);
            }
            // A client that went away misses its answer.
            Ok(Message::Asked(_, reply)) => drop(reply.send(Err(busy()))),
            // The server knows of the deployment; its next poll comes soon enough.
            Ok(Message::Check | Message::Inventory | Message::Phase) | Err(_) => {}
        }
        if reports.tell(&watch.seen()) == Heard::Aborted {
            watch.stop(Stop::Aborted);
        }
    }
}

/// The last line that is seen of an installation.
pub(crate) fn result(result: &Result<Done, Failure>) -> String {
    let head = Object::default().text("event", "result");
    match result {
        Ok(done) => head
            .raw("exit", Exit::Done.number())
            .text("artifact_name", &done.artifact_name)
            .text_or_null("slot", done.slot),
        Err(failure) => {
            head.raw("exit", failure.exit.number()).raw("error", events::error(failure))
        }
    }
    .to_string()
}

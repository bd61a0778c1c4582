//! The built-in check of a system on trial that a server deployed: it must reach that server, or
//! nobody could ever update it again. Never decides what follows.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::net::exchange;
use crate::net::server::Heard;
use crate::program::{Tend, Wish};

/// How often the wait looks up, so that a watchdog is fed.
const LOOK: Duration = Duration::from_millis(100);

/// The pauses between tries: doubled from the first to the last.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(15);

/// Speaks to the server once.
pub(crate) type Reach<'r> = dyn FnMut() -> Result<Heard, exchange::Error> + Send + 'r;

/// Whom to reach, and in which time.
pub(crate) struct Contact<'c> {
    pub(crate) limit: Duration,
    pub(crate) reach: &'c mut Reach<'c>,
}

/// Why the system on trial is not kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cut {
    #[error("the server could not be reached within {limit_s} s: {error}")]
    Unreached { limit_s: u64, error: exchange::Error },
    #[error("the deployment was aborted by the server")]
    Aborted,
}

impl Contact<'_> {
    /// Tries until the server answers, `tend` being called every so often. A try that is under way
    /// when the time is over is waited for.
    ///
    /// # Errors
    /// It did not answer in time, or to say that the deployment is aborted.
    pub(crate) fn make(self, tend: Tend<'_>) -> Result<(), Cut> {
        let Self { limit, reach } = self;
        scope(|scope| {
            let tries = scope.spawn(move || try_until(Instant::now() + limit, reach));
            while !tries.is_finished() {
                // A trial is not stopped.
                let _: Wish = tend();
                sleep(LOOK);
            }
            match tries.join() {
                Ok(Ok(Heard::GoOn)) => Ok(()),
                Ok(Ok(Heard::Aborted)) => Err(Cut::Aborted),
                Ok(Err(error)) => Err(Cut::Unreached { limit_s: limit.as_secs(), error }),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

/// The first answer, or the last error.
fn try_until(end: Instant, reach: &mut Reach<'_>) -> Result<Heard, exchange::Error> {
    let mut pause = FIRST;
    loop {
        match reach() {
            Ok(heard) => return Ok(heard),
            Err(error) => {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(error);
                }
                log::info!("the server of the deployment is not reached yet: {error}");
                sleep(pause.min(left));
                pause = (2 * pause).min(LONGEST);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable() -> exchange::Error {
        exchange::Error::Unreachable { host: "x".into(), reason: "no route".into() }
    }

    fn contact(limit_ms: u64, answers: &[Result<Heard, ()>]) -> (Result<(), Cut>, usize, usize) {
        let (mut asked, mut alive) = (0, 0);
        let mut reach = || {
            asked += 1;
            answers.get(asked - 1).copied().unwrap_or(Err(())).map_err(|()| unreachable())
        };
        let contact = Contact { limit: Duration::from_millis(limit_ms), reach: &mut reach };
        let made = contact.make(&mut || {
            alive += 1;
            Wish::GoOn
        });
        (made, asked, alive)
    }

    #[test]
    fn a_server_that_answers_late_is_reached_and_the_watchdog_fed_meanwhile() {
        let (made, asked, alive) = contact(60_000, &[Err(()), Ok(Heard::GoOn)]);
        assert_eq!((made, asked), (Ok(()), 2));
        assert!(alive >= 9, "{alive}");
    }

    #[test]
    fn a_server_that_stays_away_is_the_reason() {
        let (made, asked, _) = contact(1_000, &[]);
        let said = made.map_err(|cut| cut.to_string());
        let wanted = "the server could not be reached within 1 s: cannot reach x: no route";
        assert_eq!((said, asked), (Err(wanted.into()), 2));
    }

    #[test]
    fn an_abort_is_an_answer() {
        let (made, asked, _) = contact(60_000, &[Ok(Heard::Aborted)]);
        assert_eq!((made, asked), (Err(Cut::Aborted), 1));
    }
}

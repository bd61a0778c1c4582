//! Work that is done several pieces at a time.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does every piece of `work`, `hands` at a time and the first ones first; returns what came of
/// each, in the order in which they ended.
pub(crate) fn together<T: Send, R: Send>(
    hands: usize,
    work: Vec<T>,
    one: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let waiting = Mutex::new(work.into_iter());
    let done = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                while let Some(piece) = next() {
                    let result = one(piece);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn all_is_done_by_as_many_hands_as_there_are() {
        // Nobody gets past it alone.
        let both = Barrier::new(2);
        let mut doubled = together(2, (0..10).collect(), |number| {
            both.wait();
            number * 2
        });
        doubled.sort_unstable();
        assert_eq!(doubled, (0..10).map(|number| number * 2).collect::<Vec<_>>());
    }
}

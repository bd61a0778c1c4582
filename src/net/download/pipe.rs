//! Buffers on their way from the thread that receives to the one that reads: claimed before, never
//! more of them, and handed over whole. Never looks at a byte.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Error;

/// Bytes of a buffer, and how many there are.
const BUFFER_BYTES: usize = 128 << 10;
const BUFFERS: usize = 4;

/// A buffer: filled up to `end`, read up to `start`.
pub(super) struct Buffer {
    pub(super) bytes: Box<[u8]>,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where in the file the byte at `start` is.
    pub(super) at: u64,
}

impl Buffer {
    /// Leaves out what is before byte `at` of the file; whether anything is left.
    pub(super) fn cut(&mut self, at: u64) -> bool {
        let bytes = usize::try_from(at.saturating_sub(self.at)).unwrap_or(usize::MAX);
        self.take(bytes.min(self.end - self.start));
        self.start < self.end
    }

    /// The next `len` bytes are read.
    pub(super) fn take(&mut self, len: usize) {
        self.start += len;
        self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }
}

/// What the receiving side is to do.
pub(super) enum Order {
    /// Fill this one.
    Fill(Buffer),
    /// Go on at this byte of the file.
    Seek(u64),
    /// Nobody reads any more.
    End,
}

/// What the reading side gets.
pub(super) enum Next {
    Buffer(Buffer),
    /// The file ended, or the receiver did.
    End(Result<(), Error>),
    /// Nothing yet.
    Late,
}

pub(super) struct Pipe {
    state: Mutex<State>,
    moved: Condvar,
}

struct State {
    free: Vec<Buffer>,
    full: VecDeque<Buffer>,
    seek: Option<u64>,
    end: Option<Result<(), Error>>,
    /// The reader has nothing to read.
    waiting: bool,
    closed: bool,
}

impl Pipe {
    pub(super) fn new() -> Self {
        let bytes = || vec![0; BUFFER_BYTES].into_boxed_slice();
        let buffer = || Buffer { bytes: bytes(), start: 0, end: 0, at: 0 };
        let state = State {
            free: (0..BUFFERS).map(|_| buffer()).collect(),
            full: VecDeque::with_capacity(BUFFERS),
            seek: None,
            end: None,
            waiting: false,
            closed: false,
        };
        Self { state: Mutex::new(state), moved: Condvar::new() }
    }

    /// Waits for the receiver's next order.
    pub(super) fn order(&self) -> Order {
        let idle = |state: &mut State| {
            !state.closed && state.seek.is_none() && (state.free.is_empty() || state.end.is_some())
        };
        let waited = self.moved.wait_while(self.lock(), idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        match (state.closed, state.seek.take(), state.free.pop()) {
            (true, ..) => Order::End,
            (false, Some(at), free) => {
                state.free.extend(free);
                Order::Seek(at)
            }
            (false, None, Some(buffer)) => Order::Fill(buffer),
            (false, None, None) => Order::End,
        }
    }

    /// A buffer is filled as far as it is; what the reader meanwhile left out is of no use.
    pub(super) fn put(&self, mut buffer: Buffer) {
        let mut state = self.lock();
        if buffer.cut(state.seek.unwrap_or(0)) {
            state.seek = None;
            state.full.push_back(buffer);
        } else {
            state.free.push(buffer);
        }
        drop(state);
        self.moved.notify_all();
    }

    /// Whether the reader would have a buffer that is not full yet.
    pub(super) fn is_waited_for(&self) -> bool {
        let state = self.lock();
        state.waiting || state.seek.is_some() || state.closed
    }

    /// Nothing follows.
    pub(super) fn end(&self, result: Result<(), Error>) {
        let mut state = self.lock();
        // Where the reader wants to go on elsewhere, that this end was reached means nothing.
        if state.seek.is_none() || result.is_err() {
            state.end = Some(result);
        }
        drop(state);
        self.moved.notify_all();
    }

    /// The next buffer, waited for at most so long; `used` goes back to be filled again.
    pub(super) fn next(&self, used: Option<Buffer>, wait: Duration) -> Next {
        let mut state = self.lock();
        if let Some(used) = used {
            state.free.push(used);
            self.moved.notify_all();
        }
        let idle = |state: &mut State| {
            state.waiting = state.full.is_empty() && state.end.is_none();
            state.waiting
        };
        let waited = self.moved.wait_timeout_while(state, wait, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting = false;
        match (state.full.pop_front(), &state.end) {
            (Some(buffer), _) => Next::Buffer(buffer),
            (None, Some(result)) => Next::End(result.clone()),
            (None, None) => Next::Late,
        }
    }

    /// The reader goes on at byte `at` of the file, which is further on.
    pub(super) fn seek(&self, at: u64, used: Option<Buffer>) {
        let mut state = self.lock();
        let state = &mut *state;
        state.free.extend(used);
        while let Some(mut buffer) = state.full.pop_front() {
            if buffer.cut(at) {
                state.full.push_front(buffer);
                return;
            }
            state.free.push(buffer);
        }
        state.seek = Some(at);
        if state.end == Some(Ok(())) {
            state.end = None;
        }
        self.moved.notify_all();
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

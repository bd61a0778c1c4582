//! A serial console: what it says, line by line into a log and as text to wait for, without the
//! control sequences of terminals. Every wait has an end.

use super::Machine;
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How much of it an error shows.
const SHOWN_LINES: usize = 25;
/// What is kept of it for those who wait; a board that says more than this between two waits is
/// not understood any more.
const KEPT_BYTES: usize = 4 << 20;

/// A console.
#[derive(Debug)]
pub(crate) struct Console {
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    plain: Plain,
    /// Said, and not yet waited for.
    ahead: String,
    /// The last lines, for errors.
    last: VecDeque<String>,
    log: File,
    log_name: String,
    echo: bool,
}

impl Console {
    pub(super) fn open(
        input: ChildStdin,
        output: ChildStdout,
        log: File,
        machine: &Machine,
    ) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut output = output;
            let mut bytes = [0; 4096];
            loop {
                match output.read(&mut bytes) {
                    Ok(0) => return,
                    Ok(count) if sender.send(bytes[..count].to_vec()).is_ok() => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Ok(_) | Err(_) => return,
                }
            }
        });
        Self {
            input,
            output: receiver,
            plain: Plain::default(),
            ahead: String::new(),
            last: VecDeque::new(),
            log,
            log_name: machine.log.display().to_string(),
            echo: machine.echo,
        }
    }

    /// Where the log is, for a person.
    pub(crate) fn log(&self) -> &str {
        &self.log_name
    }

    /// Waits for one of several texts, the one that comes first; returns its index and what stood
    /// before it.
    pub(crate) fn expect(&mut self, texts: &[&str], patience: Duration) -> Result<(usize, String)> {
        let start = Instant::now();
        loop {
            let places = texts
                .iter()
                .enumerate()
                .filter_map(|(index, text)| Some((self.ahead.find(text)?, index, text.len())));
            if let Some((at, index, length)) = places.min() {
                let rest = self.ahead.split_off(at + length);
                let mut before = std::mem::replace(&mut self.ahead, rest);
                before.truncate(at);
                return Ok((index, before));
            }
            let left = patience.saturating_sub(start.elapsed());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.take(&bytes)?,
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{}", self.missed(texts, &format!("in {patience:?}")))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{}", self.missed(texts, "before the board was off"))
                }
            }
        }
    }

    fn missed(&self, texts: &[&str], when: &str) -> String {
        let wanted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
        let last: Vec<&str> = self.last.iter().map(String::as_str).collect();
        format!(
            "the console did not say {} {when}; see {}, which ends\n    {}",
            wanted.join(" or "),
            self.log_name,
            last.join("\n    ")
        )
    }

    /// Types text as it is.
    pub(crate) fn send(&mut self, text: &str) -> Result<()> {
        writeln!(self.log, "\n>>> {}", text.trim_end_matches('\n'))?;
        self.input.write_all(text.as_bytes()).context("the board is off")?;
        Ok(self.input.flush()?)
    }

    /// Takes what is still to come from a board that is off.
    pub(super) fn finish(&mut self) -> Result<()> {
        while let Ok(bytes) = self.output.recv() {
            self.take(&bytes)?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        let text = self.plain.text(bytes);
        self.log.write_all(text.as_bytes())?;
        if self.echo {
            print!("{text}");
            std::io::stdout().flush()?;
        }
        if self.ahead.len() + text.len() > KEPT_BYTES {
            self.ahead.clear();
        }
        self.ahead.push_str(&text);
        for piece in text.split_inclusive('\n') {
            match self.last.back_mut().filter(|line| !line.ends_with('\n')) {
                Some(line) => line.push_str(piece),
                None => self.last.push_back(piece.to_owned()),
            }
        }
        let over = self.last.len().saturating_sub(SHOWN_LINES);
        self.last.drain(..over);
        Ok(())
    }
}

/// Takes a terminal's control sequences out of a stream (ECMA-48), which may be cut anywhere.
#[derive(Debug, Default)]
struct Plain {
    state: State,
    /// The start of a character that is not whole yet.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// Behind ESC.
    Escape,
    /// Behind `ESC [`, until a letter.
    Sequence,
}

impl Plain {
    fn text(&mut self, bytes: &[u8]) -> String {
        for byte in bytes {
            self.state = match (self.state, byte) {
                (State::Text, 0x1b) => State::Escape,
                (State::Text, b'\n' | b'\t' | b' '..) => {
                    self.partial.push(*byte);
                    State::Text
                }
                (State::Escape, b'[') => State::Sequence,
                (State::Sequence, b' '..=b'?') => State::Sequence,
                _ => State::Text,
            };
        }
        // A byte that starts no character is replaced once the next shows that.
        let whole = match std::str::from_utf8(&self.partial) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.partial.len(),
        };
        let rest = self.partial.split_off(whole);
        let text = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial = rest;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(pieces: &[&[u8]]) -> String {
        let mut plain = Plain::default();
        pieces.iter().map(|piece| plain.text(piece)).collect()
    }

    #[test]
    fn control_sequences_and_carriage_returns_are_taken_out() {
        assert_eq!(
            plain(&[b"\x1b7\x1b[r\x1b[999;999H\x1b[6n\x1b8a\r\n\x1b[1;32mb\x1b[0m\tc\x07"]),
            "a\nb\tc"
        );
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let stream = "=> \x1b[31mé\x1b[0m\r\n".as_bytes();
        for cut in 0..=stream.len() {
            assert_eq!(plain(&[&stream[..cut], &stream[cut..]]), "=> é\n", "{cut}");
        }
    }

    #[test]
    fn noise_is_text() {
        assert_eq!(plain(&[b"a\xffb"]), "a\u{fffd}b");
    }
}

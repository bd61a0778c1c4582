//! What happened, for `why`: one checksummed line a record, durable before the step that it
//! announces. Lives on the data partition, so it survives a rollback. Decides nothing.
//!
//! A line is `<CRC-32 of the rest, 8 hex digits> <JSON object>`. One that a power cut tore fails
//! its checksum and is passed over.

use core::fmt::{self, Write as _};

use heapless::String;

use crate::device::Cause;
use crate::json::{self, Escaped, Object, Text};
use crate::provides::Provides;
use crate::slot::Slot;

pub mod outcome;

/// The longest line, in bytes with its line feed.
pub const LINE_BYTES: usize = 1024;

/// The longest text in a line, in bytes as it stands there, escapes included; a longer one is
/// cut. Two such texts are the most a line holds.
const TEXT_BYTES: usize = 440;

/// Something that happened. `T` is text: `&str` to write, [`Text`] when read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<T> {
    /// An installation is about to write the slot.
    Started {
        /// The slot.
        slot: Slot,
        /// The artifact's name.
        artifact: T,
    },
    /// An installation was refused or failed.
    Failed {
        /// The error code.
        code: T,
        /// The sentence for a person.
        reason: T,
    },
    /// The slot holds the artifact; the environment is about to name it.
    Armed {
        /// The slot.
        slot: Slot,
        /// The environment's serial before.
        serial: u8,
    },
    /// The environment is about to name the old slot again.
    Reverting {
        /// The environment's serial before.
        serial: u8,
        /// Why.
        reason: T,
    },
    /// The new system was given up; recorded by whoever notices it first.
    RolledBack {
        /// Why.
        reason: T,
    },
    /// The new system was kept.
    Committed,
    /// An artifact without payload was taken: only names changed.
    Adopted {
        /// The artifact's name.
        artifact: T,
    },
    /// A program of the owner's or of the artifact's ran. Says nothing of where the update is.
    Ran(Ran<T>),
}

impl<T> Event<T> {
    /// Whether the event is a step of an update, and not something that went on beside it.
    #[must_use]
    pub fn is_step(&self) -> bool {
        !matches!(self, Self::Ran(_))
    }
}

/// A program that ran on behalf of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran<T> {
    /// What it was.
    pub program: Program,
    /// Its file's name.
    pub name: T,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Its exit code, where that is worth a word, and its last words.
    pub said: T,
}

/// What an update runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A state script.
    Script,
    /// A health check.
    Check,
}

impl Program {
    const ALL: [Self; 2] = [Self::Script, Self::Check];

    /// The word of the record.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Script => "state-script",
            Self::Check => "health-check",
        }
    }
}

/// How a program of the owner's ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It exited with 0.
    Passed,
    /// It did not, or could not be run.
    Failed,
    /// It did not end in time.
    TimedOut,
    /// It failed, as it did before the update: nothing that the update is to blame for.
    FailedBefore,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Passed, Self::Failed, Self::TimedOut, Self::FailedBefore];

    /// The word of the record.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::FailedBefore => "failed-before-too",
        }
    }

    /// The verdict of this word.
    #[must_use]
    pub fn of(word: Text<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| word == *verdict.word())
    }
}

/// Keeps the records. What it returned from is durable.
pub trait Journal: Send {
    /// Appends a record; the implementor adds the time.
    ///
    /// # Errors
    /// The medium's; the record may then be there, torn or not at all.
    fn append(&mut self, event: Event<&str>) -> Result<(), Cause>;

    /// Replaces what is known of the system in `slot`, in one step.
    ///
    /// # Errors
    /// The medium's; the old knowledge is then still there.
    fn remember(&mut self, slot: Slot, provides: &Provides) -> Result<(), Cause>;

    /// Forgets what was in `slot`, which is about to be written.
    ///
    /// # Errors
    /// The medium's.
    fn forget(&mut self, slot: Slot) -> Result<(), Cause>;

    /// Replaces the checkpoint, in one step. Allocates nothing.
    ///
    /// # Errors
    /// The medium's; the checkpoint before then still stands.
    fn keep(&mut self, checkpoint: &str) -> Result<(), Cause>;

    /// Removes the checkpoint, if there is one.
    ///
    /// # Errors
    /// The medium's.
    fn discard(&mut self) -> Result<(), Cause>;
}

/// The line for `event` at `at_s` seconds since 1970, with its line feed.
#[must_use]
pub fn line(at_s: u64, event: Event<&str>) -> String<LINE_BYTES> {
    let mut object = String::<{ LINE_BYTES - 10 }>::new();
    // The bounds above make it fit; the tests write the longest line there is.
    let _ = write!(object, "{}", Json { at_s, event });
    sealed(&object)
}

/// `object` as a line.
pub(crate) fn sealed<const N: usize>(object: &str) -> String<N> {
    let mut line = String::new();
    let _ = writeln!(line, "{:08x} {object}", crc32fast::hash(object.as_bytes()));
    line
}

struct Json<'e> {
    at_s: u64,
    event: Event<&'e str>,
}

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"at\":{},\"event\":", self.at_s)?;
        match self.event {
            Event::Started { slot, artifact } => {
                write!(f, "\"started\",\"slot\":\"{slot}\",\"artifact\":{}", text(artifact))
            }
            Event::Failed { code, reason } => {
                write!(f, "\"failed\",\"code\":{},\"reason\":{}", text(code), text(reason))
            }
            Event::Armed { slot, serial } => {
                write!(f, "\"armed\",\"slot\":\"{slot}\",\"serial\":{serial}")
            }
            Event::Reverting { serial, reason } => {
                write!(f, "\"reverting\",\"serial\":{serial},\"reason\":{}", text(reason))
            }
            Event::RolledBack { reason } => {
                write!(f, "\"rolled-back\",\"reason\":{}", text(reason))
            }
            Event::Committed => f.write_str("\"committed\""),
            Event::Adopted { artifact } => write!(f, "\"adopted\",\"artifact\":{}", text(artifact)),
            Event::Ran(ran) => write!(
                f,
                "\"{}\",\"name\":{},\"verdict\":\"{}\",\"took_ms\":{},\"said\":{}",
                ran.program.word(),
                text(ran.name),
                ran.verdict.word(),
                ran.took_ms,
                text(ran.said),
            ),
        }?;
        f.write_str("}")
    }
}

/// `text` as JSON, cut to [`TEXT_BYTES`] at a character's end where it needs it.
fn text(text: &str) -> Escaped<&str> {
    let fits = |end: usize| {
        let mut counted = Counted(0);
        // Counting cannot fail.
        let _ = write!(counted, "{}", Escaped(&text[..end]));
        counted.0 <= TEXT_BYTES
    };
    let ends = (0..=text.len().min(TEXT_BYTES)).rev();
    let end = ends.into_iter().find(|end| text.is_char_boundary(*end) && fits(*end));
    Escaped(&text[..end.unwrap_or(0)])
}

struct Counted(usize);

impl fmt::Write for Counted {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += text.len();
        Ok(())
    }
}

/// A record that was read.
#[derive(Clone, Copy, Debug)]
pub struct Record<'j> {
    /// Seconds since 1970 by the device's clock then, which may have been wrong.
    pub at_s: u64,
    /// What happened.
    pub event: Event<Text<'j>>,
}

/// The records of a journal's text, oldest first; torn lines are passed over.
pub fn records(journal: &[u8]) -> impl Iterator<Item = Record<'_>> {
    journal.split(|byte| *byte == b'\n').filter_map(record)
}

fn record(line: &[u8]) -> Option<Record<'_>> {
    let object = unsealed(line)?;
    Some(Record { at_s: object.get("at")?.to_u64()?, event: event(object)? })
}

/// The object of a line, its line feed taken off; none where the line is torn.
pub(crate) fn unsealed(line: &[u8]) -> Option<Object<'_>> {
    let (crc, object) = (line.get(..8)?, line.get(9..)?);
    let crc = u32::from_str_radix(core::str::from_utf8(crc).ok()?, 16).ok()?;
    if crc32fast::hash(object) != crc {
        return None;
    }
    json::parse(object).ok()?.to_object()
}

fn event(object: Object<'_>) -> Option<Event<Text<'_>>> {
    let of = |key| object.get(key)?.to_text();
    let slot = || {
        let named = of("slot")?;
        [Slot::A, Slot::B].into_iter().find(|slot| named == *slot.letter())
    };
    let serial = || u8::try_from(object.get("serial")?.to_u64()?).ok();
    let event = of("event")?;
    Some(match event.to_str()? {
        "started" => Event::Started { slot: slot()?, artifact: of("artifact")? },
        "failed" => Event::Failed { code: of("code")?, reason: of("reason")? },
        "armed" => Event::Armed { slot: slot()?, serial: serial()? },
        "reverting" => Event::Reverting { serial: serial()?, reason: of("reason")? },
        "rolled-back" => Event::RolledBack { reason: of("reason")? },
        "committed" => Event::Committed,
        "adopted" => Event::Adopted { artifact: of("artifact")? },
        _ => Event::Ran(Ran {
            program: Program::ALL.into_iter().find(|program| event == *program.word())?,
            name: of("name")?,
            verdict: Verdict::of(of("verdict")?)?,
            took_ms: object.get("took_ms")?.to_u64()?,
            said: of("said")?,
        }),
    })
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::{String as Owned, ToString as _};
    use std::vec::Vec;

    use super::*;

    fn shown(journal: &[u8]) -> Vec<Owned> {
        records(journal).map(|record| format!("{} {:?}", record.at_s, word(record.event))).collect()
    }

    /// The event with its texts decoded.
    fn word(event: Event<Text<'_>>) -> Event<Owned> {
        let own = |text: Text<'_>| text.to_string();
        match event {
            Event::Started { slot, artifact } => Event::Started { slot, artifact: own(artifact) },
            Event::Failed { code, reason } => {
                Event::Failed { code: own(code), reason: own(reason) }
            }
            Event::Armed { slot, serial } => Event::Armed { slot, serial },
            Event::Reverting { serial, reason } => Event::Reverting { serial, reason: own(reason) },
            Event::RolledBack { reason } => Event::RolledBack { reason: own(reason) },
            Event::Committed => Event::Committed,
            Event::Adopted { artifact } => Event::Adopted { artifact: own(artifact) },
            Event::Ran(Ran { program, name, verdict, took_ms, said }) => {
                Event::Ran(Ran { program, name: own(name), verdict, took_ms, said: own(said) })
            }
        }
    }

    const EVENTS: [Event<&str>; 9] = [
        Event::Started { slot: Slot::B, artifact: "release-2" },
        Event::Failed { code: "digest-mismatch", reason: "said \"no\"\n\u{1}" },
        Event::Armed { slot: Slot::A, serial: 255 },
        Event::Reverting { serial: 0, reason: "asked" },
        Event::RolledBack { reason: "watchdog" },
        Event::Committed,
        Event::Adopted { artifact: "ü" },
        Event::Ran(Ran {
            program: Program::Script,
            name: "ArtifactInstall_Enter_00",
            verdict: Verdict::TimedOut,
            took_ms: u64::MAX,
            said: "",
        }),
        Event::Ran(Ran {
            program: Program::Check,
            name: "10-app",
            verdict: Verdict::FailedBefore,
            took_ms: 0,
            said: "exit code 7: \"no\"",
        }),
    ];

    #[test]
    fn every_event_is_read_as_it_was_written() {
        for event in EVENTS {
            let line = line(7, event);
            let read: Vec<_> = records(line.as_bytes()).map(|record| word(record.event)).collect();
            assert_eq!(format!("{read:?}"), format!("[{event:?}]"));
        }
    }

    #[test]
    fn a_line_torn_at_any_byte_hides_nothing_but_itself() {
        let (first, second, third) = (line(1, EVENTS[0]), line(2, EVENTS[1]), line(3, EVENTS[2]));
        for end in 1..second.len() - 1 {
            let torn = format!("{first}{}\n{third}", &second[..end]);
            assert_eq!(
                shown(torn.as_bytes()),
                shown(format!("{first}{third}").as_bytes()),
                "{end}"
            );
        }
    }

    #[test]
    fn a_flipped_bit_makes_a_line_unread_and_never_another_record() {
        let whole = line(1, EVENTS[0]);
        for bit in 0..(whole.len() - 1) * 8 {
            let mut flipped: Vec<u8> = whole.as_bytes().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = shown(&flipped);
            // An upper-case hexadecimal digit of the checksum is the same checksum.
            assert!(read.is_empty() || read == shown(whole.as_bytes()), "bit {bit}: {read:?}");
        }
    }

    #[test]
    fn the_longest_texts_are_cut_and_the_line_stays_whole() {
        for filler in ["x", "\u{1}", "ü", "\u{10ffff}", "\""] {
            let long = &filler.repeat(2000)[..];
            let ran = Ran {
                program: Program::Check,
                name: long,
                verdict: Verdict::FailedBefore,
                took_ms: u64::MAX,
                said: long,
            };
            for event in [Event::Failed { code: long, reason: long }, Event::Ran(ran)] {
                let line = line(u64::MAX, event);
                assert!(line.ends_with("}\n"), "{filler:?}");
                assert_eq!(records(line.as_bytes()).count(), 1, "{filler:?}");
            }
        }
    }
}

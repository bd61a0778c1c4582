//! JSON, the journal and what a slot provides.

use super::said;
use serde_json::Value as Theirs;
use twinslot::artifact::header::WORD_MAX_BYTES;
use twinslot::journal::outcome::{self, Now};
use twinslot::journal::{Event, LINE_BYTES, Ran, Record, line, records};
use twinslot::json::{self, Escaped, Text, Value};
use twinslot::provides::Provides;
use twinslot::slot::Slot;

/// What we take another parser takes, and reads the same in it.
pub fn json(data: &[u8]) {
    let ours = match json::parse(data) {
        Ok(ours) => ours,
        Err(error) => return said(error),
    };
    if let Some(theirs) = theirs(data) {
        same(ours, &theirs);
    }
}

/// What serde_json makes of what we take: nothing only of a number that it has no room for, which
/// is text here until somebody asks for it.
pub(super) fn theirs(data: &[u8]) -> Option<Theirs> {
    match serde_json::from_slice(data) {
        Ok(theirs) => Some(theirs),
        Err(error) => {
            assert!(error.to_string().starts_with("number out of range"), "{error}");
            None
        }
    }
}

fn same(ours: Value<'_>, theirs: &Theirs) {
    match (ours, theirs) {
        (Value::Null, Theirs::Null) => {}
        (Value::Bool(ours), Theirs::Bool(theirs)) => assert_eq!(ours, *theirs),
        (Value::Number(ours), Theirs::Number(theirs)) => {
            assert!(theirs.as_u64().is_none_or(|number| ours.to_u64() == Some(number)));
            assert!(theirs.as_i64().is_none_or(|number| ours.to_i64() == Some(number)));
        }
        (Value::Text(ours), Theirs::String(theirs)) => {
            assert_eq!(ours.to_string(), *theirs);
            assert!(ours == **theirs && ours.len_bytes() == theirs.len());
            written(ours);
        }
        (Value::Array(ours), Theirs::Array(theirs)) => {
            assert_eq!(ours.iter().count(), theirs.len());
            ours.iter().zip(theirs).for_each(|(ours, theirs)| same(ours, theirs));
        }
        (Value::Object(ours), Theirs::Object(theirs)) => {
            assert_eq!(ours.iter().count(), theirs.len());
            for (key, value) in ours.iter() {
                same(value, &theirs[&key.to_string()]);
            }
        }
        (ours, theirs) => panic!("{ours:?} is {theirs:?}"),
    }
}

/// A text that we write is read as the same again, by us and by them.
fn written(text: Text<'_>) {
    let written = Escaped(text).to_string();
    let again = json::parse(written.as_bytes()).unwrap().to_text().unwrap();
    assert!(again == text && again.is_empty() == text.is_empty());
    assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text.to_string());
}

/// A journal that may have been torn and spoilt anywhere: it always tells something, and a line
/// that is added is told.
pub fn journal(data: &[u8]) {
    let (mut journal, before) = (data.to_vec(), records(data).count());
    records(data).for_each(again);
    let places = [(Slot::A, false), (Slot::B, true), (Slot::B, false)];
    for ((next, in_progress), serial) in places.into_iter().flat_map(|at| [(at, 7), (at, 9)]) {
        let now = Now { next, in_progress, serial };
        let last = outcome::last(records(data), now);
        said(last.outcome.word());
        if let Some(reason) = last.reason {
            // What was recorded may be any text; whoever shows it escapes it.
            let _ = reason.to_string();
        }
    }
    // A torn line ends where the next begins.
    if journal.last().is_some_and(|byte| *byte != b'\n') {
        journal.push(b'\n');
    }
    let reason = String::from_utf8_lossy(data);
    journal.extend_from_slice(line(1, Event::RolledBack { reason: &reason }).as_bytes());
    assert!(records(&journal).count() > before);
    let Some(Event::RolledBack { reason: told }) = records(&journal).last().map(|last| last.event)
    else {
        panic!("the last line is not told");
    };
    assert!(reason.starts_with(&told.to_string()));
}

/// A record is written, but for what is cut off a text, and read as the same again.
fn again(record: Record<'_>) {
    let first = rewritten(record);
    let read = records(first.as_bytes()).next().unwrap();
    assert_eq!(rewritten(read), first);
    if first.len() < LINE_BYTES / 3 {
        assert_eq!(read.event, record.event);
    }
}

fn rewritten(Record { at_s, event }: Record<'_>) -> String {
    let line = |event: Event<&str>| line(at_s, event).to_string();
    match event {
        Event::Started { slot, artifact } => {
            line(Event::Started { slot, artifact: &artifact.to_string() })
        }
        Event::Failed { code, reason } => {
            line(Event::Failed { code: &code.to_string(), reason: &reason.to_string() })
        }
        Event::Armed { slot, serial } => line(Event::Armed { slot, serial }),
        Event::Reverting { serial, reason } => {
            line(Event::Reverting { serial, reason: &reason.to_string() })
        }
        Event::RolledBack { reason } => line(Event::RolledBack { reason: &reason.to_string() }),
        Event::Committed => line(Event::Committed),
        Event::Adopted { artifact } => line(Event::Adopted { artifact: &artifact.to_string() }),
        Event::Ran(Ran { program, name, verdict, took_ms, said }) => {
            let (name, said) = (name.to_string(), said.to_string());
            line(Event::Ran(Ran { program, name: &name, verdict, took_ms, said: &said }))
        }
    }
}

/// What is kept of a slot is read as it was written, or not at all.
pub fn provides(data: &[u8]) {
    let mut provides = match Provides::parse(data) {
        Ok(provides) => provides,
        Err(error) => return said(error),
    };
    assert_eq!(provides.as_str().as_bytes(), data);
    assert!(provides.iter().is_sorted());
    let pairs: Vec<_> =
        provides.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    for (key, value) in pairs {
        assert_eq!(provides.get(&key), Some(&value[..]));
        // What is set comes from a header, whose words are shorter than a file's may be.
        let fits = key.len() + value.len() <= 2 * WORD_MAX_BYTES;
        assert!(provides.set(&key, &value).is_ok() || !fits);
    }
    assert_eq!(provides.as_str().as_bytes(), data);
}

//! Two copies of the environment, any bytes: read as the model of U-Boot reads them, and saved so
//! that it reads what was saved.

use uboot_env::{BadCopy, Decoded, Layout, Which, choose, decode};

use super::said;
use crate::sim::store::Store;
use crate::sim::uboot::{self, COPY_BYTES};

/// The first byte says which of the copies get a good CRC; the rest is both, one after the other.
pub fn copies(data: &[u8]) {
    let Some((seal, rest)) = data.split_first() else { return };
    let (first, second) = rest.split_at(rest.len() / 2);
    let copies = [copy(first, seal & 1), copy(second, seal & 2)];
    let model = uboot::load(&Store::new(&copies[0]), &Store::new(&copies[1]));
    // As long as they come, most are too short, and no CRC of theirs is right.
    let _ = [first, second].map(decoded);
    let [first, second] = copies.each_ref().map(|copy| decoded(copy));
    // U-Boot takes such a copy and imports nothing of it; we take the other one.
    if [&first, &second].iter().any(|copy| matches!(copy, Err(BadCopy::Nameless))) {
        return;
    }
    let chosen = match choose(first, second) {
        Ok(chosen) => chosen,
        Err(both) => {
            assert!(model.is_none());
            return said(both);
        }
    };
    if let Err(bad) = chosen.spare() {
        said(bad);
    }
    said(chosen.which());
    let model = model.unwrap();
    assert_eq!((chosen.which(), chosen.current().serial()), (model.place(), model.flags));
    let copy = &copies[usize::from(model.place() == Which::Second)];
    for (name, value) in &model.vars {
        if is_plain(name, value) && entries_of(copy, name) == 1 {
            assert_eq!(chosen.current().get(name), Some(value.as_bytes()), "{name:?}");
        }
    }
    let name = String::from_utf8_lossy(&rest[..rest.len().min(9)]).into_owned();
    edited(chosen.current(), &name);
    saved(&copies, chosen.which(), chosen.target());
}

/// The copy, or what is wrong with it, told.
fn decoded(copy: &[u8]) -> Result<Decoded<'_>, BadCopy> {
    decode(copy, Layout::Redundant).inspect_err(|bad| said(bad))
}

/// A change of any name and value is made, or refused and nothing else changed.
fn edited(current: &Decoded<'_>, text: &str) {
    let (name, value) = text.split_once('|').unwrap_or((text, "value"));
    let mut next = vec![0; COPY_BYTES];
    let changes = [(name, Some(value)), ("other", Some("x"))];
    match current.write_next(&changes, &mut next) {
        Ok(()) => {
            let next = decode(&next, Layout::Redundant).unwrap();
            assert_eq!(next.get(name).unwrap_or_default(), value.as_bytes());
            assert_eq!(next.serial(), current.serial().wrapping_add(1));
        }
        Err(error) => {
            said(error);
            assert_eq!(next, vec![0; COPY_BYTES]);
        }
    }
    said(current.write_next(&[], &mut next[1..]).unwrap_err());
}

/// The model knows no comments, no blanks before a name, and nothing that deletes.
fn is_plain(name: &str, value: &str) -> bool {
    !name.starts_with([' ', '\t', '#']) && !name.is_empty() && !value.is_empty()
}

/// How many entries are about a name: with a value, without one, or behind blanks.
fn entries_of(copy: &[u8], name: &str) -> usize {
    let about = |entry: &&[u8]| {
        let entry = entry.trim_ascii_start();
        entry.split(|byte| *byte == b'=').next() == Some(name.as_bytes())
    };
    copy[5..].split(|byte| *byte == 0).filter(about).count()
}

/// As long as the model's, so with its last bytes zero or cut.
fn copy(bytes: &[u8], sealed: u8) -> Vec<u8> {
    let mut copy = vec![0; COPY_BYTES];
    let len = bytes.len().min(COPY_BYTES);
    copy[..len].copy_from_slice(&bytes[..len]);
    if sealed != 0 {
        let crc = crc32fast::hash(&copy[5..]).to_le_bytes();
        copy[..4].copy_from_slice(&crc);
    }
    copy
}

fn saved(copies: &[Vec<u8>; 2], which: Which, target: Which) {
    let index = usize::from(which == Which::Second);
    let current = decode(&copies[index], Layout::Redundant).unwrap();
    let mut next = vec![0; COPY_BYTES];
    let changes = [("mender_boot_part", Some("3")), ("gone", None)];
    if let Err(error) = current.write_next(&changes, &mut next) {
        assert_eq!(next, vec![0; COPY_BYTES]);
        return said(error);
    }
    let mut both = copies.clone();
    both[1 - index].clone_from(&next);
    let model = uboot::load(&Store::new(&both[0]), &Store::new(&both[1])).unwrap();
    assert_eq!(model.place(), target);
    assert_eq!(model.vars.get("mender_boot_part").map(String::as_str), Some("3"));
    assert!(!model.vars.contains_key("gone"));
    let decoded = decode(&next, Layout::Redundant).unwrap();
    let kept = |(name, value): (&[u8], &[u8])| {
        name == b"mender_boot_part" || decoded.get(&String::from_utf8_lossy(name)) == Some(value)
    };
    assert!(current.vars().filter(|(name, _)| name.is_ascii() && *name != b"gone").all(kept));
    // A repair leaves the same copy in use, and both good.
    both[1 - index].fill(0xff);
    current.write_repair(&mut both[1 - index]).unwrap();
    let model = uboot::load(&Store::new(&both[0]), &Store::new(&both[1])).unwrap();
    assert_eq!(model.place(), which);
    assert!(both.iter().all(|copy| uboot::is_good(copy)));
}

//! Edges of the images to write.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::copy::tests::made;
use crate::{Which, decode, newer};
use std::string::ToString;
use std::vec::Vec;

/// The text after `changes` to `data`, without the zeros behind its last variable; checked to be
/// a good copy with the next serial.
fn edited<'c>(data: &[u8], changes: &[Change<'c>]) -> Result<Vec<u8>, EditError<'c>> {
    let current = made(Layout::Redundant, 255, data);
    let mut next = std::vec![0xee; current.len()];
    let current = decode(&current, Layout::Redundant).unwrap();
    if let Err(error) = current.write_next(changes, &mut next) {
        assert!(next.iter().all(|byte| *byte == 0xee), "touched after an error");
        return Err(error);
    }
    assert_eq!(decode(&next, Layout::Redundant).unwrap().serial(), 0);
    let used = next.iter().rposition(|byte| *byte != 0).map_or(5, |last| last + 1).max(5);
    Ok(next[5..used].to_vec())
}

#[test]
fn variables_keep_their_place_and_new_ones_come_last() {
    let data = b"c=3\0a=1\0b=\xff\xfe\0\0\0\0\0\0\0\0\0\0\0";
    let next = edited(data, &[("e", Some("5")), ("a", Some("11")), ("d", Some("4"))]);
    assert_eq!(next.unwrap(), b"c=3\0a=11\0b=\xff\xfe\0e=5\0d=4");
}

#[test]
fn no_value_and_an_empty_value_delete() {
    let data = b"a=1\0b=2\0c=3\0\0";
    let changes = [("a", None), ("c", Some("")), ("x", None), ("y", Some(""))];
    assert_eq!(edited(data, &changes).unwrap(), b"b=2");
}

#[test]
fn deleting_everything_leaves_an_environment_of_zeros() {
    let next = edited(b"a=1\0b=2\0\0", &[("a", None), ("b", None)]).unwrap();
    assert_eq!(next, b"");
}

#[test]
fn no_changes_make_the_same_variables_with_a_clean_tail() {
    let next = edited(b"a=1\0b=2\0\0garbage\xff", &[]).unwrap();
    assert_eq!(next, b"a=1\0b=2");
}

#[test]
fn a_name_that_stood_twice_stands_once_where_the_last_was() {
    let data = b"a=1\0b=2\0a=3\0c=4\0\0";
    assert_eq!(edited(data, &[]).unwrap(), b"b=2\0a=3\0c=4");
    let next = edited(data, &[("a", Some("9"))]).unwrap();
    assert_eq!(next, b"b=2\0a=9\0c=4");
    assert_eq!(edited(data, &[("a", None)]).unwrap(), b"b=2\0c=4");
}

#[test]
fn what_u_boot_does_not_import_is_not_copied() {
    let data = b"#x=1\0y\0 z=1\0a=1\0a=\0\0";
    assert_eq!(edited(data, &[]).unwrap(), b"z=1");
}

#[test]
fn a_variable_deleted_by_an_entry_without_a_value_can_be_set_again() {
    let next = edited(b"a=1\0b=2\0a=\0\0", &[("a", Some("7"))]).unwrap();
    assert_eq!(next, b"b=2\0a=7");
}

#[test]
fn the_last_byte_can_be_used_and_one_more_cannot() {
    let data = b"a=1\0\0\0\0\0\0\0";
    assert_eq!(edited(data, &[("b", Some("2"))]).unwrap(), b"a=1\0b=2");
    assert_eq!(edited(data, &[("b", Some("23"))]).unwrap(), b"a=1\0b=23");
    let error = edited(data, &[("b", Some("234"))]).unwrap_err();
    assert_eq!(error, EditError::NoRoom { asked: 11, available: 10 });
    let swapped = edited(data, &[("b", Some("234")), ("a", None)]).unwrap();
    assert_eq!(swapped, b"b=234");
}

#[test]
fn the_smallest_copy_can_be_saved() {
    assert_eq!(edited(b"\0", &[]).unwrap(), b"");
    let error = edited(b"a", &[("a", Some("1"))]).unwrap_err();
    assert_eq!(error, EditError::NoRoom { asked: 5, available: 1 });
}

#[test]
fn names_that_u_boot_would_not_read_back_are_refused() {
    for name in ["", "=", "a=b", "a\0b", "\0", "#a", " a", "\ta"] {
        for value in [Some("1"), None] {
            let error = edited(b"\0\0", &[(name, value)]).unwrap_err();
            assert_eq!(error, EditError::BadName { name });
        }
    }
    let changes = [("a b", Some("1")), ("a#", Some("2")), ("\u{e9}", Some("3"))];
    let next = edited(&[0; 17], &changes).unwrap();
    assert_eq!(next, "a b=1\0a#=2\0\u{e9}=3".as_bytes());
}

#[test]
fn a_nul_in_a_value_cannot_smuggle_in_a_variable() {
    let error = edited(&[0; 32], &[("a", Some("1\0b=2"))]).unwrap_err();
    assert_eq!(error, EditError::NulInValue { name: "a" });
}

#[test]
fn two_changes_for_one_variable_are_refused() {
    for second in [Some("2"), Some("1"), None] {
        let changes = [("a", Some("1")), ("b", None), ("a", second)];
        let error = edited(&[0; 32], &changes).unwrap_err();
        assert_eq!(error, EditError::Twice { name: "a" });
    }
}

#[test]
fn the_buffer_must_be_as_long_as_the_copy() {
    let bytes = made(Layout::Redundant, 1, b"a=1\0\0");
    let copy = decode(&bytes, Layout::Redundant).unwrap();
    for found in [0, 9, 11] {
        let mut out = std::vec![0; found];
        let wrong = WrongSize { wanted: 10, found };
        assert_eq!(copy.write_next(&[], &mut out), Err(EditError::WrongSize(wrong)));
        assert_eq!(copy.write_repair(&mut out), Err(wrong));
    }
    assert!(copy.write_next(&[], &mut [0; 10]).is_ok());
}

#[test]
fn a_single_copy_is_saved_without_a_serial() {
    let bytes = made(Layout::Single, 0, b"a=1\0\0");
    let mut next = [0; 9];
    let copy = decode(&bytes, Layout::Single).unwrap();
    copy.write_next(&[("a", Some("2"))], &mut next).unwrap();
    assert_eq!(next[..], made(Layout::Single, 0, b"a=2\0\0"));
}

#[test]
fn a_repair_leaves_the_good_copy_current_for_every_serial() {
    for serial in 0..=u8::MAX {
        let good = made(Layout::Redundant, serial, b"a=1\0a=2\0\0tail");
        let mut repaired = std::vec![0xff; good.len()];
        let copy = decode(&good, Layout::Redundant).unwrap();
        copy.write_repair(&mut repaired).unwrap();
        let other = decode(&repaired, Layout::Redundant).unwrap();
        assert_eq!(newer(serial, other.serial()), Which::First);
        assert_eq!(newer(other.serial(), serial), Which::Second);
        assert_eq!(good[..4], repaired[..4]);
        assert_eq!(good[5..], repaired[5..]);
    }
}

#[test]
fn the_save_after_a_repair_is_what_u_boot_chooses() {
    for serial in 0..=u8::MAX {
        let saved = serial.wrapping_add(1);
        assert_eq!(newer(serial, saved), Which::Second);
        assert_eq!(newer(saved, serial), Which::First);
    }
}

#[test]
fn a_repair_torn_at_any_byte_leaves_the_same_variables() {
    let good = made(Layout::Redundant, 0, b"a=2\0\0\0");
    let stale = made(Layout::Redundant, 255, b"a=1\0\0\0");
    let copy = decode(&good, Layout::Redundant).unwrap();
    let mut repaired = stale.clone();
    copy.write_repair(&mut repaired).unwrap();
    for torn in 0..=repaired.len() {
        let mixed = [&repaired[..torn], &stale[torn..]].concat();
        let found =
            crate::choose(decode(&mixed, Layout::Redundant), decode(&good, Layout::Redundant));
        assert_eq!(found.unwrap().current().get("a"), Some(&b"2"[..]), "{torn}");
    }
}

#[test]
fn an_error_says_what_was_asked_and_what_there_is() {
    let error = edited(b"\0\0", &[("ab", Some("1"))]).unwrap_err().to_string();
    assert_eq!(error, "no room in the environment: asked 6 bytes, available 2");
    let error = EditError::BadName { name: "a\0" }.to_string();
    assert_eq!(error, "not a variable's name: \"a\\0\"");
}

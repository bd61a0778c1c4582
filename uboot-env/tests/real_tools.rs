//! The codec against the tools that people have: mkenvimage, and both makers' `fw_printenv` and
//! `fw_setenv`. Never touches a device: every medium is a file in a directory of its own.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

#[path = "real_tools/medium.rs"]
mod medium;

use medium::{COPY_BYTES, MAKERS, Maker, Medium, made};
use uboot_env::config::Config;
use uboot_env::{Change, Layout, Which, decode, newer};

const VARS: [&str; 5] = [
    "altbootcmd=run mender_altbootcmd; run bootcmd",
    "bootcount=0",
    "bootlimit=1",
    "mender_boot_part=2",
    "upgrade_available=0",
];

/// A redundant copy with this serial; the CRC does not cover it.
fn copy(serial: u8, lines: &[&str]) -> Vec<u8> {
    let mut bytes = made(&["-r"], lines);
    bytes[4] = serial;
    bytes
}

/// A copy of any text, by hand.
fn raw(serial: u8, text: &[u8]) -> Vec<u8> {
    let mut data = text.to_vec();
    data.resize(COPY_BYTES - 5, 0);
    let crc = crc32fast::hash(&data).to_le_bytes();
    [&crc[..], &[serial], &data].concat()
}

/// Saves on the medium with this crate.
fn save(medium: &Medium, changes: &[Change<'_>]) {
    let mut next = vec![0xee; COPY_BYTES];
    let target = medium.chosen(|chosen| {
        chosen.current().write_next(changes, &mut next).unwrap();
        chosen.target()
    });
    medium.write(target, &next);
}

fn assert_all_read(medium: &Medium, wanted: &[&str]) {
    assert_eq!(medium.ours(), wanted, "ours");
    for maker in MAKERS {
        assert_eq!(medium.printed(maker), wanted, "{maker:?}");
    }
}

#[test]
fn environments_made_by_mkenvimage_are_read() {
    for pad in ["0x00", "0xff"] {
        let single = Medium::new(&[&made(&["-p", pad], &VARS)]);
        assert_all_read(&single, &VARS);
        let copy = made(&["-r", "-p", pad], &VARS);
        let redundant = Medium::new(&[&copy, &copy]);
        assert_all_read(&redundant, &VARS);
        assert_eq!(decode(&copy, Layout::Redundant).unwrap().serial(), 1);
        redundant.chosen(|chosen| assert_eq!(chosen.which(), Which::First));
    }
}

#[test]
fn one_config_means_the_same_to_both_tools_and_to_us() {
    let medium = Medium::new(&[&copy(1, &["a=1"]), &copy(2, &["a=2"])]);
    let text = medium.config();
    assert_eq!(Config::parse(&text).unwrap().copy_bytes(), COPY_BYTES);
    assert_all_read(&medium, &["a=2"]);
    medium.write(Which::Second, &copy(0, &["a=2"]));
    assert_all_read(&medium, &["a=1"]);
}

#[test]
fn saves_of_both_fw_setenv_are_read_alike_over_the_wrap() {
    for maker in MAKERS {
        let medium = Medium::new(&[&copy(253, &VARS), &copy(252, &["stale=1"])]);
        for (save, serial) in [254, 255, 0, 1, 2].into_iter().enumerate() {
            let count = format!("bootcount={save}x");
            medium.set(maker, &[&count, "upgrade_available=1"]);
            let wanted = [VARS[0], &count, VARS[2], VARS[3], "upgrade_available=1"];
            assert_all_read(&medium, &wanted);
            let target = [Which::Second, Which::First][save % 2];
            medium.chosen(|chosen| {
                assert_eq!((chosen.which(), chosen.current().serial()), (target, serial));
            });
        }
    }
}

#[test]
fn the_garbage_that_libubootenv_leaves_behind_the_text_is_accepted() {
    let medium = Medium::new(&[&raw(2, b"a=1\0"), &raw(1, b"a=0\0")]);
    medium.set(Maker::Libubootenv, &["b=2"]);
    let saved = medium.read(Which::Second);
    assert_eq!(saved[5..14], *b"a=1\0b=2\0\0");
    assert!(saved[14..].iter().any(|byte| *byte != 0), "the tail is clean: nothing was tested");
    assert_all_read(&medium, &["a=1", "b=2"]);
    save(&medium, &[("c", Some("3"))]);
    assert_all_read(&medium, &["a=1", "b=2", "c=3"]);
    assert!(medium.read(Which::First)[18..].iter().all(|byte| *byte == 0));
}

#[test]
fn our_saves_are_read_alike_by_both_tools_over_the_wrap() {
    let medium = Medium::new(&[&copy(252, &["stale=1"]), &copy(253, &VARS)]);
    for serial in [254, 255, 0, 1, 2] {
        let count = serial.to_string();
        save(&medium, &[("bootcount", Some(&count)), ("upgrade_available", None)]);
        let count = format!("bootcount={serial}");
        assert_all_read(&medium, &[VARS[0], &count, VARS[2], VARS[3]]);
        medium.chosen(|chosen| assert_eq!(chosen.current().serial(), serial));
    }
    save(&medium, &[("new", Some("a b=c")), ("bootcount", Some("")), ("bootlimit", None)]);
    assert_all_read(&medium, &[VARS[0], VARS[3], "new=a b=c"]);
}

#[test]
fn the_tools_and_we_take_turns() {
    let medium = Medium::new(&[&copy(250, &VARS), &copy(251, &VARS)]);
    for turn in 0..4 {
        for maker in MAKERS {
            let count = format!("bootcount={turn}");
            medium.set(maker, &[&count]);
            assert_all_read(&medium, &[VARS[0], &count, VARS[2], VARS[3], VARS[4]]);
            medium.set_arguments(maker, &["bootcount"]);
            assert_all_read(&medium, &[VARS[0], VARS[2], VARS[3], VARS[4]]);
            save(&medium, &[("bootcount", Some("9"))]);
            assert_all_read(&medium, &[VARS[0], "bootcount=9", VARS[2], VARS[3], VARS[4]]);
        }
    }
}

#[test]
fn the_tools_choose_the_copy_that_we_choose() {
    let medium = Medium::new(&[&copy(0, &["which=First"]), &copy(0, &["which=Second"])]);
    let (mut one, mut two) = (medium.read(Which::First), medium.read(Which::Second));
    let serials = [0, 1, 127, 128, 254, 255];
    for (first, second) in serials.iter().flat_map(|a| serials.map(|b| (*a, b))) {
        (one[4], two[4]) = (first, second);
        medium.write(Which::First, &one);
        medium.write(Which::Second, &two);
        let wanted = format!("which={:?}", newer(first, second));
        assert_all_read(&medium, &[&wanted]);
    }
}

#[test]
fn one_bad_copy_leaves_the_other_to_the_tools_and_to_us() {
    for bad in [Which::First, Which::Second] {
        let medium = Medium::new(&[&copy(9, &VARS), &copy(9, &VARS)]);
        medium.write(bad, &[0xff; COPY_BYTES]);
        assert_all_read(&medium, &VARS);
        medium.chosen(|chosen| assert_eq!(chosen.target(), bad));
    }
}

#[test]
fn after_a_repair_either_copy_alone_gives_the_same_variables() {
    for serial in [0, 1, 255] {
        let medium = Medium::new(&[&copy(serial, &VARS), &[0; COPY_BYTES]]);
        let mut repaired = vec![0xee; COPY_BYTES];
        medium.chosen(|chosen| chosen.current().write_repair(&mut repaired)).unwrap();
        medium.write(Which::Second, &repaired);
        assert_all_read(&medium, &VARS);
        medium.chosen(|chosen| assert_eq!(chosen.which(), Which::First));
        medium.write(Which::First, &[0; COPY_BYTES]);
        assert_all_read(&medium, &VARS);
    }
}

#[test]
fn a_single_copy_is_read_and_saved_by_all() {
    let medium = Medium::new(&[&made(&[], &["a=1", "b=2"])]);
    for maker in MAKERS {
        medium.set(maker, &["a=3"]);
        assert_all_read(&medium, &["a=3", "b=2"]);
        let bytes = medium.read(Which::First);
        let mut next = vec![0; COPY_BYTES];
        let copy = decode(&bytes, Layout::Single).unwrap();
        copy.write_next(&[("a", Some("4"))], &mut next).unwrap();
        medium.write(Which::First, &next);
        assert_all_read(&medium, &["a=4", "b=2"]);
    }
}

/// U-Boot's import and libubootenv let the last of two win, U-Boot's own Linux tool the first.
#[test]
fn a_name_that_stands_twice_is_one_variable_to_all_after_our_save() {
    let medium = Medium::new(&[&raw(1, b"a=old\0b=1\0a=new\0"), &raw(0, b"")]);
    assert_eq!(medium.ours(), ["a=new", "b=1"]);
    assert_eq!(medium.printed(Maker::Libubootenv), ["a=new", "b=1"]);
    assert_eq!(medium.printed(Maker::UBoot), ["a=new", "a=old", "b=1"]);
    save(&medium, &[]);
    assert_all_read(&medium, &["a=new", "b=1"]);
}

/// libubootenv saves an empty value as `name=`, which U-Boot's import takes for "delete".
#[test]
fn an_empty_value_is_no_variable_whoever_saves_it() {
    let medium = Medium::new(&[&raw(1, b"a=1\0b=2\0"), &raw(0, b"")]);
    medium.set_arguments(Maker::Libubootenv, &["a", ""]);
    assert_eq!(medium.printed(Maker::Libubootenv), ["a=", "b=2"]);
    assert_eq!(medium.ours(), ["b=2"]);
    save(&medium, &[]);
    assert_all_read(&medium, &["b=2"]);
    medium.set(Maker::UBoot, &["a=1"]);
    medium.set_arguments(Maker::UBoot, &["a", ""]);
    assert_all_read(&medium, &["b=2"]);
}

#[test]
fn the_fullest_environment_is_read_by_all() {
    let text = "x".repeat(COPY_BYTES - 5 - "a=".len() - 2);
    let medium = Medium::new(&[&raw(1, b"a=1\0"), &raw(0, b"")]);
    save(&medium, &[("a", Some(&text))]);
    assert_all_read(&medium, &[&format!("a={text}")]);
    let mut next = vec![0; COPY_BYTES];
    let longer = format!("{text}x");
    medium.chosen(|chosen| {
        assert!(chosen.current().write_next(&[("a", Some(&longer))], &mut next).is_err());
    });
}

//! What `provides` must do, and what it must refuse.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::artifact::Texts;
use crate::artifact::forge::{self, Recipe};

fn provides(lines: &str) -> Provides {
    Provides::parse(lines.as_bytes()).unwrap()
}

/// `before`, after the commit of an artifact with this group and `type-info`.
fn applied(before: &str, group: &str, type_info: &str) -> Result<String, Error> {
    let recipe = Recipe {
        header_info: concat!(
            r#"{"payloads":[{"type":"rootfs-image"}],"artifact_provides":{"artifact_name":"new""#,
            r#"GROUP},"artifact_depends":{"device_type":["d"]}}"#
        )
        .replace("GROUP", group),
        type_info: type_info.into(),
        ..Recipe::default()
    };
    let mut texts = Texts::new();
    let header = forge::header(&recipe, &mut texts).unwrap();
    let mut provides = provides(before);
    let copy = provides.clone();
    let applied = provides.apply(&header);
    assert!(applied.is_ok() || provides == copy, "an error changed something");
    applied.map(|()| provides.as_str().into())
}

#[test]
fn the_text_reads_back_as_it_was() {
    let lines = "a=1\nartifact_name=release-1\nb=\nc=x=y z\n\u{e9}=\u{e9}\n";
    let provides = provides(lines);
    assert_eq!(provides.as_str(), lines);
    let pairs: Vec<_> = provides.iter().collect();
    assert_eq!(pairs[2..], [("b", ""), ("c", "x=y z"), ("\u{e9}", "\u{e9}")]);
    assert_eq!((provides.get("c"), provides.get("d")), (Some("x=y z"), None));
    assert_eq!(Provides::parse(b"").unwrap(), Provides::new());
}

#[test]
fn torn_or_edited_texts_are_refused_by_line() {
    for (text, line) in [
        (&b"a=1\nb=2"[..], 2),
        (b"a=1\nb\n", 2),
        (b"=1\n", 1),
        (b"\n", 1),
        (b"b=1\na=2\n", 2),
        (b"a=1\na=1\n", 2),
        (b"a=1\r\n", 1),
        (b"a=\0\n", 1),
        (b"a=\xff\n", 1),
        (b"a=1\ndevice_type=x\n", 2),
    ] {
        assert_eq!(Provides::parse(text), Err(Error::Line { line }), "{}", text.escape_ascii());
    }
}

#[test]
fn sixteen_kib_fit_and_not_a_byte_more() {
    let text = |len: usize| format!("a={}\n", "x".repeat(len - 3)).into_bytes();
    assert!(Provides::parse(&text(PROVIDES_MAX_BYTES - 1)).is_ok());
    assert!(Provides::parse(&text(PROVIDES_MAX_BYTES)).is_ok());
    assert_eq!(Provides::parse(&text(PROVIDES_MAX_BYTES + 1)), Err(Error::Full));
}

#[test]
fn set_keeps_the_keys_sorted_and_each_once() {
    let mut provides = Provides::new();
    for (key, value) in [("m", "1"), ("z", "2"), ("a", "3"), ("m", "4"), ("n", ""), ("ma", "5")] {
        provides.set(key, value).unwrap();
    }
    assert_eq!(provides.as_str(), "a=3\nm=4\nma=5\nn=\nz=2\n");
    assert_eq!(Provides::parse(provides.as_str().as_bytes()).unwrap(), provides);
}

#[test]
fn keys_sort_by_themselves_and_not_by_what_follows() {
    let mut provides = Provides::new();
    for key in ["a!", "a", "a>"] {
        provides.set(key, "v").unwrap();
    }
    assert_eq!(provides.as_str(), "a=v\na!=v\na>=v\n");
    assert_eq!(Provides::parse(provides.as_str().as_bytes()).unwrap(), provides);
}

#[test]
fn set_refuses_what_is_no_line() {
    let mut provides = provides("a=1\n");
    let long = "x".repeat(512);
    for (key, value) in
        [("", "v"), ("a=b", "v"), ("a\n", "v"), ("a", "v\nb=c"), ("device_type", "v"), ("a", &long)]
    {
        assert_eq!(provides.set(key, value), Err(Error::Line { line: 1 }));
    }
    assert_eq!(provides.as_str(), "a=1\n");
}

#[test]
fn a_full_map_stays_as_it_is() {
    let mut full = provides(&format!("a={}\n", "x".repeat(PROVIDES_MAX_BYTES - 7)));
    assert_eq!(full.set("b", "12"), Err(Error::Full));
    assert_eq!(full.set("b", "1"), Ok(()));
    assert_eq!(full.as_str().len(), PROVIDES_MAX_BYTES);
    assert_eq!(full.set("b", ""), Ok(()));
}

#[test]
fn the_usual_rootfs_image_replaces_what_it_clears() {
    let before = concat!(
        "artifact_group=g\nartifact_name=old\nother=kept\nrootfs-image.checksum=a\n",
        "rootfs-image.extra=b\nrootfs_image_checksum=c\n",
    );
    let type_info = concat!(
        r#"{"type":"","artifact_provides":{"rootfs-image.checksum":"d","#,
        r#""rootfs-image.version":"new"},"clears_artifact_provides":["#,
        r#""artifact_group","rootfs_image_checksum","rootfs-image.*"]}"#
    );
    let after =
        "artifact_name=new\nother=kept\nrootfs-image.checksum=d\nrootfs-image.version=new\n";
    assert_eq!(applied(before, "", type_info).unwrap(), after);
    let after = format!("artifact_group=h\n{after}");
    assert_eq!(applied(before, r#","artifact_group":"h""#, type_info).unwrap(), after);
}

#[test]
fn an_artifact_that_does_not_say_what_it_clears_clears_everything() {
    let before = "artifact_group=g\nartifact_name=old\nx=1\n";
    assert_eq!(applied(before, "", "{}").unwrap(), "artifact_name=new\n");
    let provides = r#"{"artifact_provides":{"y":"2"}}"#;
    assert_eq!(applied(before, "", provides).unwrap(), "artifact_name=new\ny=2\n");
}

#[test]
fn an_artifact_that_clears_nothing_keeps_everything_but_its_name() {
    let before = "artifact_group=g\nartifact_name=old\nx=1\n";
    let type_info = r#"{"clears_artifact_provides":[]}"#;
    let after = "artifact_group=g\nartifact_name=new\nx=1\n";
    assert_eq!(applied(before, "", type_info).unwrap(), after);
    let type_info = r#"{"artifact_provides":{"x":"2"},"clears_artifact_provides":[]}"#;
    let after = "artifact_group=h\nartifact_name=new\nx=2\n";
    assert_eq!(applied(before, r#","artifact_group":"h""#, type_info).unwrap(), after);
}

#[test]
fn name_and_group_of_header_info_win_over_those_of_type_info() {
    let type_info = concat!(
        r#"{"artifact_provides":{"artifact_name":"x","artifact_group":"y"},"#,
        r#""clears_artifact_provides":["*"]}"#
    );
    let group = r#","artifact_group":"h""#;
    assert_eq!(applied("", group, type_info).unwrap(), "artifact_group=h\nartifact_name=new\n");
    assert_eq!(applied("", "", type_info).unwrap(), "artifact_group=y\nartifact_name=new\n");
}

#[test]
fn escaped_words_are_stored_as_what_they_mean() {
    let type_info =
        r#"{"artifact_provides":{"\u0061":"\u00e9\\"},"clears_artifact_provides":["\u002a"]}"#;
    assert_eq!(applied("b=1\n", "", type_info).unwrap(), "a=\u{e9}\\\nartifact_name=new\n");
}

#[test]
fn what_does_not_fit_is_not_applied() {
    let before = format!("a={}\n", "x".repeat(PROVIDES_MAX_BYTES - 3));
    let type_info = r#"{"clears_artifact_provides":[]}"#;
    assert_eq!(applied(&before, "", type_info), Err(Error::Full));
    assert_eq!(applied(&before, "", "{}").unwrap(), "artifact_name=new\n");
}

/// Whether the JSON string `pattern` clears `key`.
fn clears(pattern: &str, key: &str) -> bool {
    let document = format!("\"{pattern}\"");
    matches(crate::json::parse(document.as_bytes()).unwrap().to_text().unwrap(), key)
}

#[test]
fn a_star_stands_for_any_characters() {
    for (pattern, key) in [
        ("*", "a"),
        ("*", ""),
        ("", ""),
        ("a", "a"),
        ("a*", "a"),
        ("a*", "abc"),
        ("*a", "a"),
        ("*a", "bca"),
        ("a*b", "ab"),
        ("a*b", "axxb"),
        ("a*b*c", "a1b2b3c"),
        ("**", "x"),
        ("*ab", "aab"),
        ("*aab*", "aaab"),
        ("a.b", "a.b"),
        ("*.*", "a.b"),
        ("a**b", "ab"),
        ("\u{e9}*", "\u{e9}x"),
        ("a*a", "aba"),
        ("*a*a*", "aa"),
    ] {
        assert!(clears(pattern, key), "{pattern} clears {key}");
    }
    for (pattern, key) in [
        ("", "a"),
        ("a", ""),
        ("a", "ab"),
        ("a", "ba"),
        ("a*", "ba"),
        ("*a", "ab"),
        ("a*a", "a"),
        ("a*b", "abc"),
        ("a.b", "axb"),
        ("a?", "ab"),
        ("[a]", "a"),
        ("*a*a*", "a"),
        ("A", "a"),
        ("a*b*c", "acb"),
        ("ab*ba", "aba"),
    ] {
        assert!(!clears(pattern, key), "{pattern} does not clear {key}");
    }
}

/// The rule in its simplest words, as slow as it may be.
fn plainly(pattern: &[u8], key: &[u8]) -> bool {
    match (pattern, key) {
        ([], key) => key.is_empty(),
        ([b'*', rest @ ..], key) => (0..=key.len()).any(|at| plainly(rest, &key[at..])),
        ([first, rest @ ..], [found, after @ ..]) => first == found && plainly(rest, after),
        _ => false,
    }
}

#[test]
fn every_short_pattern_clears_what_the_plain_rule_says() {
    let words = |letters: &'static [char]| {
        let mut words = std::vec![String::new()];
        for len in 0..5 {
            let longest: Vec<_> = words.iter().filter(|word| word.len() == len).cloned().collect();
            words.extend(
                longest.iter().flat_map(|w| letters.iter().map(move |c| format!("{w}{c}"))),
            );
        }
        words
    };
    for pattern in words(&['a', 'b', '*']) {
        for key in words(&['a', 'b']) {
            let plain = plainly(pattern.as_bytes(), key.as_bytes());
            assert_eq!(clears(&pattern, &key), plain, "{pattern} {key}");
        }
    }
}

#[test]
fn the_worst_pattern_takes_no_longer_than_its_lengths_multiplied() {
    let pattern = "*a".repeat(128);
    assert!(!clears(&pattern, &"a".repeat(127)));
    assert!(clears(&pattern, &"a".repeat(128)));
    assert!(!clears(&pattern, &("a".repeat(255) + "b")));
    assert_eq!(pattern.len().to_string(), "256");
}

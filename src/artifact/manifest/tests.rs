//! What `artifact::manifest` must do, and what it must refuse.

use std::format;
use std::string::{String, ToString};

use super::*;

const HEX: &str = "96bcd965947569404798bcbdb614f103db5a004eb6e364cfc162c146890ea35b";

fn lines(names: &[&str]) -> String {
    names.iter().map(|name| format!("{HEX}  {name}\n")).collect()
}

fn refused(text: &str) -> String {
    Manifest::parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_lines_may_stand_in_any_order() {
    for names in [
        ["data/0000/rootfs.ext4", "header.tar.gz", "version"],
        ["version", "data/0000/rootfs.ext4", "header.tar.gz"],
        ["header.tar.gz", "version", "data/0000/rootfs.ext4"],
    ] {
        let manifest = Manifest::parse(lines(&names).as_bytes()).unwrap();
        assert_eq!(manifest.version.to_string(), HEX);
        assert_eq!(manifest.header_coding, Coding::Gzip);
        assert_eq!(manifest.payload.unwrap().0, "rootfs.ext4");
    }
}

#[test]
fn a_manifest_without_a_payload_is_one() {
    let manifest = Manifest::parse(lines(&["header.tar", "version"]).as_bytes()).unwrap();
    assert!(manifest.payload.is_none());
    assert_eq!(manifest.header_coding, Coding::None);
}

#[test]
fn each_digest_is_that_of_its_own_line() {
    let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(64));
    let text = format!("{a}  version\n{b}  header.tar.zst\n{c}  data/0000/x\n");
    let manifest = Manifest::parse(text.as_bytes()).unwrap();
    assert_eq!(manifest.version.to_string(), a);
    assert_eq!((manifest.header.to_string(), manifest.header_coding), (b, Coding::Zstd));
    assert_eq!(manifest.payload.unwrap().1.to_string(), c);
}

#[test]
fn lines_of_another_form_are_refused() {
    for line in [
        format!("{HEX}  version"),
        format!("{HEX} version\n"),
        format!("{HEX}\t\tversion\n"),
        format!("{HEX} *version\n"),
        format!("{}  version\n", HEX.to_uppercase()),
        format!("{}  version\n", &HEX[1..]),
        format!("{HEX}0  version\n"),
        format!("{HEX}  "),
        "\n".into(),
        "  version\n".into(),
    ] {
        let text = lines(&["header.tar"]) + &line;
        let expected = "line 2 of the manifest is not a SHA-256, two blanks, a name and a line end";
        assert_eq!(refused(&text), expected, "{line:?}");
    }
}

#[test]
fn names_that_are_not_supported_are_refused_by_name() {
    for name in [
        "",
        " version",
        "version ",
        "Version",
        "header.tar.bz2",
        "header.tar.gz.gz",
        "header",
        "header-augment.tar.gz",
        "manifest",
        "data/0001/x",
        "data/0000/",
        "data/0000/.",
        "data/0000/..",
        "data/0000/a/b",
        "data/0000/a b",
        "data/0000/\u{e9}",
        "data/0000/a\\b",
        "/data/0000/x",
        "data/0000.tar.gz",
        "scripts/a",
        "version\r",
    ] {
        let shown = name.replace('\r', "?");
        let expected = format!(
            "the manifest lists {shown}, expected version, header.tar and one file in data/0000/"
        );
        assert_eq!(refused(&lines(&[name])), expected);
    }
}

#[test]
fn a_second_line_of_a_sort_is_refused_even_when_it_says_the_same() {
    for (names, sort) in [
        (["version", "version"], "version"),
        (["header.tar.gz", "header.tar.gz"], "header"),
        (["header.tar.gz", "header.tar.xz"], "header"),
        (["data/0000/a", "data/0000/a"], "payload"),
        (["data/0000/a", "data/0000/b"], "payload"),
    ] {
        let expected = format!("the manifest lists {} where it lists a {sort} already", names[1]);
        assert_eq!(refused(&lines(&names)), expected);
    }
}

#[test]
fn version_and_header_are_always_listed() {
    assert_eq!(refused(""), "the manifest does not list header.tar");
    assert_eq!(refused(&lines(&["version"])), "the manifest does not list header.tar");
    assert_eq!(refused(&lines(&["header.tar.xz"])), "the manifest does not list version");
}

#[test]
fn a_ninth_line_is_not_looked_at() {
    assert!(refused(&lines(&["version"; 9])).contains("already"));
    let long: String = ["\n"; 9].concat();
    assert!(refused(&long).starts_with("line 1 "));
    assert_eq!(LINES_MAX, 8);
}

#[test]
fn a_file_name_may_be_255_bytes_and_not_256() {
    let named =
        |len: usize| lines(&["version", "header.tar", &format!("data/0000/{}", "n".repeat(len))]);
    assert!(Manifest::parse(named(254).as_bytes()).is_ok());
    assert!(Manifest::parse(named(255).as_bytes()).is_ok());
    assert!(refused(&named(256)).starts_with("the manifest lists data/0000/nnn"));
}

#[test]
fn the_suffix_tells_the_coding() {
    for (name, expected) in [
        ("data/0000.tar", Some(Coding::None)),
        ("data/0000.tar.gz", Some(Coding::Gzip)),
        ("data/0000.tar.xz", Some(Coding::Xz)),
        ("data/0000.tar.zst", Some(Coding::Zstd)),
        ("data/0000.tar.bz2", None),
        ("data/0000.targz", None),
        ("data/0000", None),
        ("data/0001.tar", None),
        ("data/00000.tar", None),
    ] {
        assert_eq!(coding(name, "data/0000"), expected, "{name}");
    }
}

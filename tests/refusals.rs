//! Bad artifacts, table by table: each row is refused with its exit code and its error code, in
//! one sentence, before the first write, and leaves environment and slots as they were.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod board;

use board::artifacts::kept;
use board::forge::{Coding, Compression, Forge, Member};
use board::plan::Plan;
use board::refuser::{Refuser, Row, row};
use board::slot::Slot;
use board::{Board, tar};
use serde_json::{Value, json};
use std::fs;

#[test]
fn what_the_forge_makes_unspoilt_is_installed() {
    let compressions = [Compression::None, Compression::Gzip, Compression::Xz, Compression::Zstd];
    let codings = [Coding::Raw, Coding::Der, Coding::Raw, Coding::Der];
    for (compression, coding) in compressions.into_iter().zip(codings) {
        let board = Board::new(Plan::default());
        let forge = Forge {
            header_compression: compression,
            data_compression: compression,
            coding,
            ..Forge::default()
        };
        let path = board.put("good.mender", &forge.build());
        board.twinslot(&["install", &path]).expect(0);
        assert!(board.slot_bytes(Slot::B)[..forge.payload.len()] == forge.payload);
        board.assert_armed(Slot::B);
    }
}

#[test]
fn files_that_are_no_artifact() {
    let refuser = Refuser::new();
    let image = fs::read(kept("rootfs.ext4")).unwrap();
    for (what, bytes) in [
        ("an empty file", vec![]),
        ("one byte", vec![b'v']),
        ("zeros", vec![0; 4096]),
        ("ones", vec![0xFF; 4096]),
        ("a disk image", image),
        ("text", b"#!/bin/sh\nexit 0\n".repeat(100)),
        ("an empty archive", tar::archive(&[])),
    ] {
        refuser.refuse(what, &bytes).expect(65);
        refuser.assert_slot_untouched(what);
    }
}

fn rename(members: &mut [Member], at: usize, name: &str) {
    let block = &mut members[at].1;
    block[..100].fill(0);
    block[..name.len()].copy_from_slice(name.as_bytes());
    tar::seal(block);
}

#[test]
fn signatures_that_do_not_hold() {
    let base = |what, code, spoil| Row { exit: 77, ..row(what, code, spoil) };
    Refuser::new().refuse_all(&[
        base("no manifest.sig", "signature-missing", |forge| {
            forge.members = |members| drop(members.remove(2));
        }),
        base("of a key nobody enrolled", "signature-invalid", |forge| forge.key = "other.key"),
        base("empty", "signature-malformed", |forge| forge.signature = |_| String::new()),
        base("no base64", "signature-malformed", |forge| {
            forge.signature = |text| text.replace('A', "*") + "*";
        }),
        base("of another manifest", "signature-invalid", |forge| {
            forge.members = |members| {
                let other = Forge { payload: b"other".to_vec(), ..Forge::default() }.build();
                let span = tar::spans(&other)[2].clone();
                members[2].1 = other[span.header..span.end.next_multiple_of(512)].to_vec();
            };
        }),
        base("with a line feed behind it", "signature-malformed", |forge| {
            forge.signature = |text| text + "\n\n";
        }),
        base("cut short", "signature-invalid", |forge| {
            forge.signature = |text| text[..text.len() - 8].to_owned();
        }),
    ]);
}

#[test]
fn manifests_and_versions_that_do_not_fit() {
    Refuser::new().refuse_all(&[
        row("format 2", "unsupported-version", |forge| {
            forge.version = br#"{"format":"mender","version":2}"#.to_vec();
        }),
        row("format of another", "artifact-malformed", |forge| {
            forge.version = br#"{"format":"rauc","version":3}"#.to_vec();
        }),
        row("a version that is no JSON", "artifact-malformed", |forge| {
            forge.version = b"three".to_vec()
        }),
        row("a version nobody signed", "digest-mismatch", |forge| {
            forge.members = |members| {
                members[0].1 = tar::member("version", br#"{"version":3,"format":"mender"}"#);
            };
        }),
        row("an empty manifest", "artifact-malformed", |forge| forge.manifest = |_| String::new()),
        row("no line for version", "artifact-malformed", |forge| {
            forge.manifest = |text| text.lines().take(2).map(|l| l.to_owned() + "\n").collect();
        }),
        row("no line for the header", "artifact-malformed", |forge| {
            forge.manifest = |text| text.replace("  header.tar\n", "  header.rat\n");
        }),
        row("a line for a file that is not there", "artifact-malformed", |forge| {
            forge.manifest = |text| format!("{text}{}  data/0000/more\n", "0".repeat(64));
        }),
        row("a line twice", "artifact-malformed", |forge| {
            forge.manifest = |text| text.clone() + text.lines().next_back().unwrap() + "\n";
        }),
        row("upper case digests", "artifact-malformed", |forge| {
            forge.manifest = |text| text.replace(['a', 'b', 'c', 'd', 'e', 'f'], "A");
        }),
        row("one space", "artifact-malformed", |forge| {
            forge.manifest = |text| text.replace("  ", " ")
        }),
        row("the header's digest is another", "digest-mismatch", |forge| {
            forge.manifest = |text| text.lines().map(other_header).collect();
        }),
        row("a manifest of a megabyte", "member-too-large", |forge| {
            forge.manifest = |text| {
                let line = |n: u32| format!("{n:064x}  data/0000/{n}\n");
                text + &(0..13_000).map(line).collect::<String>()
            };
        }),
    ]);
}

fn other_header(line: &str) -> String {
    let zeros = "0".repeat(64);
    match line.split_once("  ") {
        Some((_, name @ "header.tar")) => format!("{zeros}  {name}\n"),
        _ => line.to_owned() + "\n",
    }
}

#[test]
fn headers_that_ask_for_what_this_device_is_not() {
    let refuser = Refuser::new();
    refuser.refuse_all(&[
        row("another device type", "device-type-mismatch", |forge| {
            forge.header_info["artifact_depends"]["device_type"] =
                json!(["qemu-virt", "pinephone"]);
        }),
        row("no device type", "artifact-malformed", |forge| {
            forge.header_info["artifact_depends"] = json!({});
        }),
        row("another system before", "depends-unmet", |forge| {
            forge.header_info["artifact_depends"]["artifact_name"] = json!(["release-0"]);
        }),
        row("a group", "depends-unmet", |forge| {
            forge.header_info["artifact_depends"]["artifact_group"] = json!(["grp0"]);
        }),
        row("a provide that is not there", "depends-unmet", |forge| {
            forge.type_info["artifact_depends"] = json!({ "rootfs-image.checksum": "00" });
        }),
        row("an update module", "unsupported-payload-type", |forge| {
            forge.header_info["payloads"][0]["type"] = json!("directory");
            forge.type_info["type"] = json!("directory");
        }),
    ]);
    let mut forge = Forge::default();
    forge.header_info["payloads"][0]["type"] = json!("docker");
    let message = refuser.refuse("docker", &forge.build()).message();
    assert!(message.contains("docker"), "names the type: {message}");
    let mut forge = Forge::default();
    forge.header_info["artifact_depends"]["device_type"] = json!(["pinephone"]);
    let message = refuser.refuse("pinephone", &forge.build()).message();
    assert!(message.contains("pinephone") && message.contains("rockpro64"), "{message}");
}

#[test]
fn headers_that_are_malformed_or_beyond_their_bounds() {
    Refuser::new().refuse_all(&[
        row("no payloads", "artifact-malformed", |forge| forge.header_info["payloads"] = json!([])),
        row("two payloads", "artifact-malformed", |forge| {
            forge.header_info["payloads"] =
                json!([{ "type": "rootfs-image" }, { "type": "rootfs-image" }]);
        }),
        row("no name", "artifact-malformed", |forge| {
            forge.header_info["artifact_provides"] = json!({})
        }),
        row("an empty name", "artifact-malformed", |forge| {
            forge.header_info["artifact_provides"]["artifact_name"] = json!("");
        }),
        row("a name of 5000 characters", "artifact-malformed", |forge| {
            forge.header_info["artifact_provides"]["artifact_name"] = json!("n".repeat(5000));
        }),
        row("a number for a name", "artifact-malformed", |forge| {
            forge.header_info["artifact_provides"]["artifact_name"] = json!(7);
        }),
        row("ten thousand provides", "member-too-large", |forge| {
            let pairs = (0..10_000).map(|n| (format!("rootfs-image.{n}"), Value::from("x")));
            forge.type_info["artifact_provides"] = Value::Object(pairs.collect());
        }),
        row("a type that contradicts", "artifact-malformed", |forge| {
            forge.type_info["type"] = json!("single-file");
        }),
        row("deeply nested", "artifact-malformed", |forge| {
            let deep = "[".repeat(10_000) + &"]".repeat(10_000);
            forge.header = Some(tar::archive(&[tar::member("header-info", deep.as_bytes())]));
        }),
        row("no header-info", "artifact-malformed", |forge| {
            forge.header = Some(tar::archive(&forge.header_members()[1..]));
        }),
        row("an empty header.tar", "artifact-malformed", |forge| {
            forge.header = Some(tar::archive(&[]))
        }),
        row("type-info twice", "artifact-malformed", |forge| {
            let members = forge.header_members();
            forge.header = Some(tar::archive(&[&members[..2], &members[1..]].concat()));
        }),
        row("header-info that is no UTF-8", "artifact-malformed", |forge| {
            let mut members = forge.header_members();
            members[0] = tar::member("header-info", b"{\"payloads\":\"\xFF\xFE\"}");
            forge.header = Some(tar::archive(&members));
        }),
        row("a header that grows to 256 MiB", "member-too-large", |forge| {
            let mut members = forge.header_members();
            members.insert(1, tar::member("scripts/ArtifactInstall_Enter_00", &vec![0; 1 << 28]));
            forge.header = Some(tar::archive(&members));
            forge.header_compression = Compression::Gzip;
        }),
    ]);
}

#[test]
fn outer_archives_out_of_order_or_with_more_in_them() {
    Refuser::new().refuse_all(&[
        row("version last", "artifact-malformed", |forge| forge.members = |m| m.rotate_left(1)),
        row("manifest before version", "artifact-malformed", |forge| {
            forge.members = |m| m.swap(0, 1)
        }),
        row("payload before header", "artifact-malformed", |forge| {
            forge.members = |m| m.swap(3, 4)
        }),
        row("version twice", "artifact-malformed", |forge| {
            forge.members = |members| members.insert(1, members[0].clone());
        }),
        row("a header twice", "artifact-malformed", |forge| {
            forge.members = |members| members.insert(4, members[3].clone());
        }),
        row("no payload", "artifact-malformed", |forge| forge.members = |m| drop(m.pop())),
        row("an unsigned manifest beside it", "artifact-augmented", |forge| {
            forge.members = |members| {
                members.insert(3, ("".into(), tar::member("manifest-augment", b"x")));
            };
        }),
        row("an unsigned header beside it", "artifact-augmented", |forge| {
            forge.members = |members| {
                members.insert(4, ("".into(), tar::member("header-augment.tar", b"x")));
            };
        }),
        row("a member nobody knows", "artifact-malformed", |forge| {
            forge.members = |members| members.insert(4, ("".into(), tar::member("README", b"x")));
        }),
        row("a payload under another number", "artifact-malformed", |forge| {
            forge.members = |members| rename(members, 4, "data/0001.tar");
        }),
        row("a path that climbs", "artifact-malformed", |forge| {
            forge.members = |members| rename(members, 4, "data/../data/0000.tar");
        }),
        row("a link for a header", "artifact-malformed", |forge| {
            forge.members = |members| {
                members[3].1[156] = b'2';
                tar::seal(&mut members[3].1);
            };
        }),
        row("a checksum that is wrong", "artifact-malformed", |forge| {
            forge.members = |members| members[3].1[150] ^= 1;
        }),
        row("padding that hides something", "artifact-malformed", |forge| {
            forge.members = |members| *members[1].1.last_mut().unwrap() = 1;
        }),
        row("a header of 4 GiB by its size", "member-too-large", |forge| {
            forge.members = |members| {
                let header = tar::header("header.tar", u64::from(u32::MAX), b'0');
                members[3].1 = tar::framed(header, b"short");
            };
        }),
        row("another header's compression", "artifact-malformed", |forge| {
            forge.members = |members| rename(members, 3, "header.tar.gz");
        }),
    ]);
}

#[test]
fn pax_records_that_lie() {
    fn before(forge: &mut Forge, pax: fn() -> Vec<u8>) {
        let mut members = forge.header_members();
        members[0] = [pax(), members[0].clone()].concat();
        forge.header = Some(tar::archive(&members));
    }
    Refuser::new().refuse_all(&[
        row("a size beyond the archive", "artifact-truncated", |forge| {
            before(forge, || tar::pax(&[("size", "30000")]));
        }),
        row("a size beyond its bound", "member-too-large", |forge| {
            before(forge, || tar::pax(&[("size", "99999")]));
        }),
        row("a size beyond 64 bits", "artifact-malformed", |forge| {
            before(forge, || tar::pax(&[("size", "18446744073709551616")]));
        }),
        row("a negative size", "artifact-malformed", |forge| {
            before(forge, || tar::pax(&[("size", "-1")]))
        }),
        row("a size that is no number", "artifact-malformed", |forge| {
            before(forge, || tar::pax(&[("size", "0x10")]));
        }),
        row("two sizes", "artifact-malformed", |forge| {
            before(forge, || tar::pax(&[("size", "1"), ("size", "2")]));
        }),
        row("another path", "artifact-malformed", |forge| {
            before(forge, || tar::pax(&[("path", "headers/0000/meta-data")]));
        }),
        row("a length that runs over", "artifact-malformed", |forge| {
            before(forge, || tar::raw_pax(b"99 uid=1500000000\n"));
        }),
        row("a length that falls short", "artifact-malformed", |forge| {
            before(forge, || tar::raw_pax(b"7 uid=1500000000\n"));
        }),
        row("a length of zero", "artifact-malformed", |forge| {
            before(forge, || tar::raw_pax(b"0 uid=1\n"))
        }),
        row("no line feed", "artifact-malformed", |forge| {
            before(forge, || tar::raw_pax(b"8 uid=15"))
        }),
        row("no equals sign", "artifact-malformed", |forge| {
            before(forge, || tar::raw_pax(b"7 uid1\n"))
        }),
        row("one behind another", "artifact-malformed", |forge| {
            before(forge, || [tar::pax(&[("uid", "1")]), tar::pax(&[("uid", "1")])].concat());
        }),
        row("a megabyte of records", "member-too-large", |forge| {
            before(forge, || tar::pax(&[("comment", &"x".repeat(1 << 20))]));
        }),
        row("one that nothing follows", "artifact-malformed", |forge| {
            let members = [forge.header_members(), vec![tar::pax(&[("uid", "1")])]].concat();
            forge.header = Some(tar::archive(&members));
        }),
        row("for every member to come", "artifact-malformed", |forge| {
            before(forge, || {
                let mut pax = tar::pax(&[("size", "1")]);
                pax[156] = b'g';
                tar::seal(&mut pax);
                pax
            });
        }),
    ]);
}

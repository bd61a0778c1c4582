//! What `artifact::tar` must do, and what it must refuse.

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::artifact::forge::{Trickle, archive, block, entry, member, padded, pax, sealed, source};

/// Names and contents of all members, read `at_once` bytes at a time.
fn read_slowly(bytes: &[u8], at_once: usize) -> Result<Vec<(String, Vec<u8>)>, Error> {
    let mut archive = Archive::new(Trickle { bytes, at_once }, "archive");
    let mut members = Vec::new();
    while let Some(Member { name, size_bytes }) = archive.next_member()? {
        let mut content = vec![0; usize::try_from(size_bytes.min(1 << 20)).unwrap()];
        fill(&mut archive.entry("a member"), &mut content, "a member")?;
        members.push((name.to_string(), content));
    }
    assert!(archive.next_member()?.is_none(), "the end stays the end");
    Ok(members)
}

fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Error> {
    read_slowly(bytes, usize::MAX)
}

fn refused(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

/// A member whose header `change` was made to, with a right checksum.
fn changed(change: impl FnOnce(&mut [u8; 512])) -> Vec<u8> {
    let mut block = block("name", 3, b'0');
    change(&mut block);
    archive(&[entry(&sealed(block), b"abc")])
}

fn with_pax(records: &str) -> Vec<u8> {
    archive(&[pax(records), member("name", b"abc")])
}

/// A PAX record with the length it has.
fn record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (rest + 1..).find(|length| rest + length.to_string().len() == *length).unwrap();
    format!("{length} {key}={value}\n")
}

fn pax_refused(records: &str) -> String {
    let text = refused(&with_pax(records));
    text.strip_prefix("PAX header in the archive: ").expect(&text).into()
}

#[test]
fn an_archive_of_nothing_is_read() {
    assert_eq!(read(&archive(&[])).unwrap(), []);
}

#[test]
fn members_are_read_in_order_whatever_the_source_gives_at_once() {
    let bytes = archive(&[member("a", b"abc"), member("d/b", b""), member("c", &[7; 1000])]);
    let expected =
        [("a".into(), b"abc".to_vec()), ("d/b".into(), vec![]), ("c".into(), vec![7; 1000])];
    for at_once in [1, 2, 511, 512, 513, usize::MAX] {
        assert_eq!(read_slowly(&bytes, at_once).unwrap(), expected);
    }
}

#[test]
fn sizes_around_a_block_are_padded_right() {
    for size in [0, 1, 511, 512, 513, 1023, 1024, 1025] {
        let bytes = archive(&[member("a", &vec![9; size]), member("b", b"x")]);
        assert_eq!(read(&bytes).unwrap()[0].1.len(), size);
        assert_eq!(read(&bytes).unwrap()[1].1, b"x");
    }
}

#[test]
fn a_member_may_be_left_unread() {
    let bytes = archive(&[member("a", &[1; 2000]), member("b", b"x")]);
    let mut archive = Archive::new(source(&bytes), "archive");
    archive.next_member().unwrap();
    let mut some = [0; 700];
    fill(&mut archive.entry("a"), &mut some, "a").unwrap();
    assert_eq!(archive.left_bytes(), 1300);
    assert_eq!(archive.next_member().unwrap().unwrap().name, "b");
}

#[test]
fn an_entry_ends_where_its_member_ends() {
    let bytes = archive(&[member("a", b"abc")]);
    let mut archive = Archive::new(source(&bytes), "archive");
    archive.next_member().unwrap();
    let mut room = [0; 16];
    assert_eq!(archive.entry("a").read(&mut room), Ok(3));
    assert_eq!(archive.entry("a").read(&mut room), Ok(0));
    assert_eq!(archive.entry("a").read(&mut []), Ok(0));
}

#[test]
fn an_archive_cut_anywhere_is_truncated() {
    let bytes = archive(&[pax("18 uid=1500000000\n"), member("a", b"abc"), member("b", b"")]);
    assert!(read(&bytes).is_ok());
    for end in 0..bytes.len() {
        let error = read(&bytes[..end]).unwrap_err();
        assert!(matches!(error, Error::Stream(stream::Error::Truncated { .. })), "{end}: {error}");
    }
}

#[test]
fn truncation_names_the_part_and_counts_what_is_missing() {
    let bytes = archive(&[member("a", &[1; 700])]);
    for (end, what, missing) in [
        (0, "tar header", 512),
        (511, "tar header", 1),
        (512, "a member", 700),
        (512 + 699, "a member", 1),
        (512 + 700, "padding", 324),
        (1536 + 512, "end of the archive", 512),
    ] {
        let error = Error::Stream(stream::Error::Truncated { what, missing });
        assert_eq!(read(&bytes[..end]).unwrap_err(), error);
    }
}

#[test]
fn any_one_bit_flipped_outside_the_content_is_refused() {
    let bytes = archive(&[member("a", b"abc"), member("b", &[1; 512])]);
    let content = [512..515, 1536..2048];
    for at in (0..bytes.len()).filter(|at| !content.iter().any(|range| range.contains(at))) {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(read(&flipped).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn only_zeros_up_to_the_end_of_the_record_may_follow() {
    let mut bytes = archive(&[member("a", b"abc")]);
    for len in [2049, 2560, 10_239, 10_240] {
        bytes.resize(len, 0);
        assert!(read(&bytes).is_ok(), "{len}");
    }
    bytes.resize(10_241, 0);
    assert_eq!(refused(&bytes), "archive is followed by bytes that belong to nothing");
    bytes.truncate(10_240);
    bytes[10_239] = 1;
    assert_eq!(refused(&bytes), "archive is followed by bytes that belong to nothing");
}

#[test]
fn an_archive_that_fills_its_record_may_have_nothing_after_it() {
    let mut bytes = archive(&[member("a", &[1; 10_240 - 1536])]);
    assert_eq!(bytes.len(), 10_240);
    assert!(read(&bytes).is_ok());
    bytes.push(0);
    assert!(read(&bytes).is_err());
}

#[test]
fn a_lone_block_of_zeros_is_no_end() {
    let bytes = [member("a", b"abc"), vec![0; 512], member("b", b""), vec![0; 1024]].concat();
    assert_eq!(refused(&bytes), "bytes other than zero after a block of zeros in the archive");
}

#[test]
fn padding_that_hides_something_is_refused() {
    let mut bytes = archive(&[member("a", b"abc")]);
    for at in [515, 1023] {
        bytes[at] = 1;
        assert_eq!(refused(&bytes), "bytes other than zero after a member in the archive");
        bytes[at] = 0;
    }
    let mut bytes = with_pax("18 uid=1500000000\n");
    bytes[1023] = 1;
    assert_eq!(refused(&bytes), "bytes other than zero after a member in the archive");
}

#[test]
fn only_regular_files_are_members() {
    for (kind, found) in [
        (b'1', "a hard link"),
        (b'2', "a symbolic link"),
        (b'3', "a character device"),
        (b'4', "a block device"),
        (b'5', "a directory"),
        (b'6', "a FIFO"),
        (b'7', "a contiguous file"),
        (b'g', "a global PAX header"),
        (b'L', "a GNU long name"),
        (b'S', "a GNU sparse file"),
        (b'Z', "of an unknown type"),
    ] {
        let expected = format!("name in the archive is {found}, expected a regular file");
        assert_eq!(refused(&changed(|block| block[156] = kind)), expected);
    }
    assert!(read(&changed(|block| block[156] = 0)).is_ok());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["", "/a", "../a", "a/..", "a/../b", "./a", "a//b", "a/", ".", "..", "a\\b", "a\nb"]
    {
        let text = refused(&archive(&[member(name, b"")]));
        assert!(text.starts_with("a member of the archive has the name"), "{name:?}: {text}");
    }
    for name in ["a", "a/b", "..a", "a..", ".a", "data/0000/a-b_c.d,e"] {
        assert_eq!(read(&archive(&[member(name, b"")])).unwrap()[0].0, name);
    }
}

#[test]
fn prefix_and_name_make_up_to_255_bytes() {
    let whole = |prefix: usize, name: usize| {
        let mut block = block(&"n".repeat(name), 0, b'0');
        block[345..345 + prefix].fill(b'p');
        archive(&[entry(&sealed(block), b"")])
    };
    assert_eq!(read(&whole(154, 100)).unwrap()[0].0.len(), 255);
    assert_eq!(
        refused(&whole(155, 100)),
        "damaged tar header in the archive: found no name in \
        UTF-8 with zeros after it"
    );
    assert_eq!(read(&whole(0, 100)).unwrap()[0].0.len(), 100);
}

#[test]
fn fields_that_hide_something_are_refused() {
    let name = "damaged tar header in the archive: found no name in UTF-8 with zeros after it";
    assert_eq!(refused(&changed(|block| block[99] = b'x')), name);
    assert_eq!(refused(&changed(|block| block[0] = 0xff)), name);
    let unused = "damaged tar header in the archive: found no zeros in the unused fields";
    assert_eq!(refused(&changed(|block| block[500] = 1)), unused);
    assert_eq!(refused(&changed(|block| block[511] = 1)), unused);
}

#[test]
fn gnu_headers_are_read_without_a_prefix() {
    let gnu = |block: &mut [u8; 512]| block[257..265].copy_from_slice(b"ustar  \0");
    assert!(read(&changed(gnu)).is_ok());
    let text = refused(&changed(|block| {
        gnu(block);
        block[345] = b'p';
    }));
    assert_eq!(text, "damaged tar header in the archive: found no zeros in the unused fields");
}

#[test]
fn other_magic_is_refused() {
    let text = "damaged tar header in the archive: found no ustar magic";
    assert_eq!(refused(&changed(|block| block[257..265].fill(0))), text);
    assert_eq!(refused(&changed(|block| block[264] = b'1')), text);
    assert_eq!(
        refused(&[b'x'; 2048]),
        "damaged tar header in the archive: found no right \
        checksum in six digits"
    );
}

/// The size a header with this size field announces.
fn announced(field: &[u8; 12]) -> Option<u64> {
    let mut block = block("name", 0, b'0');
    block[124..136].copy_from_slice(field);
    let bytes = sealed(block);
    Archive::new(source(&bytes), "archive").next_member().ok()?.map(|member| member.size_bytes)
}

#[test]
fn sizes_are_octal_or_base_256_below_2_to_the_63() {
    assert_eq!(announced(b"00000000000\0"), Some(0));
    assert_eq!(announced(b"00000000007 "), Some(7));
    assert_eq!(announced(b"77777777777\0"), Some((1 << 33) - 1));
    assert_eq!(announced(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(1 << 33));
    assert_eq!(announced(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), Some((1 << 63) - 1));
    assert_eq!(announced(b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), None);
    assert_eq!(announced(b"\x80\x01\0\0\0\0\0\0\0\0\0\0"), None);
    assert_eq!(announced(b"\x81\0\0\0\0\0\0\0\0\0\0\0"), None);
    assert_eq!(announced(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    assert_eq!(announced(b"00000000008\0"), None);
    assert_eq!(announced(b"0000000000 7"), None);
    assert_eq!(announced(b"-0000000001\0"), None);
    assert_eq!(announced(b"\0\0\0\0\0\0\0\0\0\0\0\0"), None);
    assert_eq!(announced(b"           \0"), None);
}

#[test]
fn a_pax_size_counts_and_the_header_s_does_not() {
    let nine = archive(&[pax("19 size=9663676416\n"), member("huge", b"")]);
    let mut archive = Archive::new(source(&nine), "archive");
    assert_eq!(archive.next_member().unwrap().unwrap().size_bytes, 9_663_676_416);
    assert_eq!(read(&with_pax("9 size=3\n")).unwrap()[0].1, b"abc");
    assert!(read(&with_pax("9 size=2\n")).is_err(), "the third byte is no padding");
    assert!(read(&with_pax("9 size=0\n")).is_err(), "the content is no header");
}

#[test]
fn a_pax_path_counts_up_to_255_bytes() {
    let path = |len: usize| with_pax(&record("path", &"p".repeat(len)));
    assert_eq!(read(&path(254)).unwrap()[0].0.len(), 254);
    assert_eq!(read(&path(255)).unwrap()[0].0.len(), 255);
    assert!(refused(&path(256)).ends_with("the path is not UTF-8 of at most 255 bytes"));
    assert!(refused(&with_pax(&record("path", "../a"))).contains("has the name"));
    assert!(refused(&with_pax(&record("path", ""))).contains("has the name"));
}

#[test]
fn pax_records_that_say_who_and_when_are_passed_over() {
    let numbers = [("gid", "1500000000"), ("uid", "0"), ("mtime", "17.25"), ("atime", "-1")];
    let words = [("uname", ""), ("gname", "\u{e9}"), ("ctime", "1"), ("comment", "a=b\nc ")];
    let records: String =
        numbers.iter().chain(&words).map(|(key, value)| record(key, value)).collect();
    assert_eq!(read(&with_pax(&records)).unwrap(), [("name".into(), b"abc".to_vec())]);
}

#[test]
fn pax_keys_that_could_change_the_member_are_refused() {
    for key in ["linkpath", "GNU.sparse.map", "GNU.sparse.size", "hdrcharset", "SCHILY.xattr.a", ""]
    {
        let expected = format!("the key {key} is not supported");
        assert_eq!(pax_refused(&record(key, "v")), expected);
    }
}

#[test]
fn pax_records_that_lie_about_their_length_are_refused() {
    let length = "a record has another length than it says";
    for records in [
        "8 size=3\n",
        "11 size=3\n",
        "9 size=3",
        "9 size=3x",
        "0 size=3\n",
        "09 size=3\n",
        "-9 size=3\n",
        "+9 size=3\n",
        " 9 size=3\n",
        "9size=3\n",
        "99999999999999999999 size=3\n",
        "9 size=3\n\n",
        "9 size=3\n9 ",
        "2 \n",
        "1 ",
        "9",
        "\0",
    ] {
        assert_eq!(pax_refused(records), length, "{records:?}");
    }
    assert_eq!(pax_refused("8 size3\n"), "a record is no KEY=VALUE");
    assert_eq!(pax_refused("3 \n"), "a record is no KEY=VALUE");
}

#[test]
fn pax_sizes_that_are_no_size_are_refused() {
    let size = "the size is not a number below 2^63";
    for value in ["", "-1", "+1", "1.5", "03", "0x3", " 3", "3 ", "9223372036854775808"] {
        assert_eq!(pax_refused(&record("size", value)), size, "{value:?}");
    }
    let huge = archive(&[pax("28 size=9223372036854775807\n"), member("a", b"")]);
    let mut archive = Archive::new(source(&huge), "archive");
    assert_eq!(archive.next_member().unwrap().unwrap().size_bytes, u64::MAX >> 1);
}

#[test]
fn a_pax_key_that_stands_twice_is_refused() {
    assert_eq!(pax_refused("9 size=3\n9 size=3\n"), "the key size is there twice");
    assert_eq!(pax_refused("8 uid=1\n8 uid=2\n"), "the key uid is there twice");
}

#[test]
fn a_pax_header_up_to_8_kib_is_read() {
    let comment = |len: usize| with_pax(&format!("{len} comment={}\n", "c".repeat(len - 14)));
    assert!(read(&comment(8191)).is_ok());
    assert!(read(&comment(8192)).is_ok());
    assert!(refused(&comment(8193)).ends_with("it is larger than 8192 bytes"));
}

#[test]
fn a_pax_header_belongs_to_a_regular_file_that_follows() {
    let alone = "PAX header in the archive: no regular file follows it";
    assert_eq!(refused(&archive(&[pax("8 uid=1\n")])), alone);
    assert_eq!(refused(&archive(&[pax("8 uid=1\n"), pax("8 uid=1\n"), member("a", b"")])), alone);
    let link = archive(&[pax("8 uid=1\n"), entry(&block("a", 0, b'2'), b"")]);
    assert!(refused(&link).contains("a symbolic link"));
}

#[test]
fn a_pax_header_counts_for_one_member_only() {
    let bytes = archive(&[pax(&record("path", "p")), member("a", b""), member("b", b"")]);
    let names: Vec<_> = read(&bytes).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["p", "b"]);
}

#[test]
fn bytes_after_the_end_are_not_read_for_ever() {
    struct Endless(usize);
    impl embedded_io::ErrorType for Endless {
        type Error = stream::Error;
    }
    impl Read for Endless {
        fn read(&mut self, into: &mut [u8]) -> Result<usize, stream::Error> {
            self.0 += into.len();
            assert!(self.0 <= 11 << 10);
            into.fill(0);
            Ok(into.len())
        }
    }
    let mut archive = Archive::new(Endless(0), "archive");
    assert!(archive.next_member().is_err());
}

#[test]
fn padded_members_are_whole_blocks() {
    assert_eq!(padded(b"").len(), 0);
    assert_eq!(padded(b"x").len(), 512);
}

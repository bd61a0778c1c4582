//! Edges of fw_env.config. What the real tools make of the same text is in tests/real_tools.rs.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::number::any_base;
use super::*;
use std::format;
use std::string::ToString;

fn error(text: &str) -> ConfigError {
    Config::parse(text).unwrap_err()
}

fn pair(text: &str) -> Pair<'_> {
    match Config::parse(text).unwrap() {
        Config::Redundant(pair) => pair,
        Config::Single(_) => panic!("one copy"),
    }
}

fn offset(word: &str) -> Option<Offset> {
    any_base(word).map(Offset::from)
}

#[test]
fn one_line_is_one_copy_and_two_are_two() {
    let text = "/dev/mmcblk0 0x3F8000 0x8000\n";
    let Config::Single(place) = Config::parse(text).unwrap() else { panic!("two copies") };
    assert_eq!((place.device(), place.offset()), ("/dev/mmcblk0", Offset::FromStart(0x3f_8000)));
    assert_eq!(Config::parse(text).unwrap().layout(), Layout::Single);

    let two = Config::parse("a 0 0x4000\nb 0 0x4000").unwrap();
    assert_eq!((two.layout(), two.copy_bytes()), (Layout::Redundant, 0x4000));
}

#[test]
fn comments_empty_lines_and_any_blanks_are_skipped() {
    let text =
        "# env\n\n  \t\r\n  # more\n\t a \t 0\t4000 # first\r\n#b 0 4000\nc 0 4000 200 20 1\n";
    let pair = pair(text);
    assert_eq!((pair.first().device(), pair.second().device()), ("a", "c"));
    assert_eq!((pair.first().line, pair.second().line), (5, 7));
}

#[test]
fn offsets_are_in_any_base_of_c() {
    assert_eq!(offset("0x1F"), Some(Offset::FromStart(31)));
    assert_eq!(offset("0X1f"), Some(Offset::FromStart(31)));
    assert_eq!(offset("31"), Some(Offset::FromStart(31)));
    assert_eq!(offset("037"), Some(Offset::FromStart(31)));
    assert_eq!(offset("+31"), Some(Offset::FromStart(31)));
    assert_eq!(offset("-0x80000"), Some(Offset::FromEnd(0x8_0000)));
    assert_eq!(offset("-31"), Some(Offset::FromEnd(31)));
    assert_eq!(offset("-037"), Some(Offset::FromEnd(31)));
    assert_eq!(offset("0"), Some(Offset::FromStart(0)));
    assert_eq!(offset("-0"), Some(Offset::FromStart(0)));
    assert_eq!(offset("0x7fffffffffffffff"), Some(Offset::FromStart(i64::MAX.unsigned_abs())));
}

#[test]
fn what_is_not_wholly_an_offset_is_refused() {
    let too_large = ["0x8000000000000000", "9223372036854775808", "0x10000000000000000"];
    let odd =
        ["", "-", "+", "0x", "-0x", "x", "1k", "08", "0x4g", "--1", "+-1", "-+1", "1f", "1_0"];
    for word in too_large.into_iter().chain(odd) {
        assert_eq!(offset(word), None, "{word}");
    }
}

#[test]
fn sizes_are_hexadecimal_with_or_without_0x() {
    for (word, bytes) in [("0x4000", 0x4000), ("4000", 0x4000), ("0X2aF", 0x2af), ("0100", 0x100)] {
        let text = format!("a 0 {word}");
        assert_eq!(Config::parse(&text).unwrap().copy_bytes(), bytes, "{word}");
    }
    for word in ["-4000", "+4000", "0x", "4000h", "0x4000,", "40.0"] {
        let wrong = ConfigError::BadNumber { line: 1, field: Field::Size };
        assert_eq!(error(&format!("a 0 {word}")), wrong, "{word}");
    }
}

#[test]
fn a_text_without_an_entry_is_refused() {
    for text in ["", "\n", "# a 0 0x4000\n  \n"] {
        assert_eq!(error(text), ConfigError::NoEntry);
    }
}

#[test]
fn a_third_copy_is_refused() {
    let text = "a 0 4000\n\nb 0 4000\nc 0 4000\n";
    assert_eq!(error(text), ConfigError::TooMany { line: 4 });
}

#[test]
fn a_line_that_the_tools_would_skip_is_refused() {
    let missing = |line, field| ConfigError::Missing { line, field };
    assert_eq!(error("a"), missing(1, Field::Offset));
    assert_eq!(error("a 0 4000\nb 0"), missing(2, Field::Size));
    assert_eq!(error("a 0 # 4000"), missing(1, Field::Size));
    let bad = |line, field| ConfigError::BadNumber { line, field };
    assert_eq!(error("a b 4000"), bad(1, Field::Offset));
    assert_eq!(error("a 0 4000 z"), bad(1, Field::SectorSize));
    assert_eq!(error("\na 0 4000 200 z"), bad(2, Field::Sectors));
}

#[test]
fn a_copy_has_at_least_one_byte_behind_its_header() {
    for bytes in [0, 4] {
        let wrong = ConfigError::TooSmall { line: 1, bytes, header_bytes: 4 };
        assert_eq!(error(&format!("a 0 {bytes}")), wrong);
    }
    assert_eq!(Config::parse("a 0 5").unwrap().copy_bytes(), 5);
    let wrong = ConfigError::TooSmall { line: 1, bytes: 5, header_bytes: 5 };
    assert_eq!(error("a 0 5\nb 0 5"), wrong);
    assert!(Config::parse("a 0 6\nb 0 6").is_ok());
}

#[test]
fn a_copy_is_at_most_256_kib() {
    assert_eq!(Config::parse("a 0 40000").unwrap().copy_bytes(), MAX_ENV_BYTES);
    assert_eq!(error("a 0 40001"), ConfigError::TooBig { line: 1, asked: 0x4_0001 });
    let asked = u64::MAX;
    assert_eq!(error("a 0 ffffffffffffffff"), ConfigError::TooBig { line: 1, asked });
}

#[test]
fn two_copies_are_of_one_size() {
    let wrong = ConfigError::UnequalSizes { line: 2, wanted: 0x4000, found: 0x2000 };
    assert_eq!(error("a 0 4000\nb 0 2000"), wrong);
}

#[test]
fn copies_on_one_device_do_not_overlap() {
    let overlap = ConfigError::Overlap { first: 1, second: 2 };
    assert_eq!(error("a 0 4000\na 0 4000"), overlap);
    assert_eq!(error("a 0x4000 4000\na 1 4000"), overlap);
    assert_eq!(error("a 0x3fff 4000\na 0x7ffe 4000"), overlap);
    assert_eq!(error("a -0x8000 4000\na -0x7fff 4000"), overlap);
    assert!(Config::parse("a 0x4000 4000\na 0 4000").is_ok());
    assert!(Config::parse("a -0x8000 4000\na -0x4000 4000").is_ok());
    assert!(Config::parse("a 0 4000\nb 0 4000").is_ok());
}

#[test]
fn a_copy_ends_with_its_device_and_not_later() {
    assert_eq!(error("a -0x3fff 4000"), ConfigError::PastEnd { line: 1 });
    let Config::Single(place) = Config::parse("a -0x4000 4000").unwrap() else { panic!() };
    assert_eq!(place.start(0x1_0000), Ok(0xc000));
    assert_eq!(place.start(0x4000), Ok(0));
    let outside = Misplaced::Outside { line: 1, device_bytes: 0x3fff };
    assert_eq!(place.start(0x3fff), Err(outside));

    let Config::Single(place) = Config::parse("a 0x1000 4000").unwrap() else { panic!() };
    assert_eq!(place.start(0x5000), Ok(0x1000));
    assert!(place.start(0x4fff).is_err());
    let Config::Single(place) = Config::parse("a 0x7fffffffffffffff 40000").unwrap() else {
        panic!()
    };
    assert!(place.start(u64::MAX).is_ok());
}

#[test]
fn copies_from_both_ends_are_kept_apart_once_the_device_is_known() {
    let pair = pair("a 0x1000 1000\na -0x1000 1000");
    assert_eq!(pair.starts(0x3000), Ok((0x1000, 0x2000)));
    assert_eq!(pair.starts(0x2fff), Err(Misplaced::Overlap { device_bytes: 0x2fff }));
    assert_eq!(pair.starts(0x2000), Err(Misplaced::Overlap { device_bytes: 0x2000 }));
    assert_eq!(pair.starts(0x1fff), Err(Misplaced::Outside { line: 1, device_bytes: 0x1fff }));
}

#[test]
fn an_error_names_the_line_and_the_field() {
    let text = error("a 0 4000\nb zero 4000").to_string();
    assert_eq!(text, "line 2: offset is not a number");
    let text = error("a 0 262144").to_string();
    assert_eq!(
        text,
        "line 1: size is 2498884 bytes, allowed are 262144; \
         sizes are hexadecimal, also without 0x"
    );
}

//! What `json` must do, and what it must refuse.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;

fn fault(document: &str) -> (usize, &'static str) {
    let Error { at, expected } = parse(document.as_bytes()).unwrap_err();
    (at, expected)
}

fn text(document: &str) -> String {
    parse(document.as_bytes()).unwrap().to_text().unwrap().to_string()
}

#[test]
fn every_kind_of_value_is_read() {
    assert!(parse(b" null ").unwrap().is_null());
    assert_eq!(parse(b"true").unwrap().to_bool(), Some(true));
    assert_eq!(parse(b"\tfalse\r\n").unwrap().to_bool(), Some(false));
    assert_eq!(parse(b"17").unwrap().to_u64(), Some(17));
    assert_eq!(text(r#""a""#), "a");
    assert_eq!(parse(b"[1,2]").unwrap().to_array().unwrap().iter().count(), 2);
    assert_eq!(parse(b"{}").unwrap().to_object().unwrap().iter().count(), 0);
}

#[test]
fn a_value_is_of_its_own_kind_only() {
    let value = parse(b"[]").unwrap();
    assert!(value.to_object().is_none() && value.to_text().is_none() && value.to_u64().is_none());
    assert!(value.to_bool().is_none() && !value.is_null());
}

#[test]
fn members_are_walked_over_nested_values_and_brackets_in_strings() {
    let document = br#" { "a" : [ { "x" : "]}\"," } , [ ] ] , "b" : -1.5e+3 , "c":{"d":null}} "#;
    let object = parse(document).unwrap().to_object().unwrap();
    let keys: Vec<_> = object.iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    let first = object.get("a").unwrap().to_array().unwrap().iter().next().unwrap();
    assert!(first.to_object().unwrap().get("x").unwrap().to_text().unwrap() == *"]}\",");
    let Some(Value::Number(number)) = object.get("b") else { panic!("no number") };
    assert_eq!(number.as_str(), "-1.5e+3");
    assert!(object.get("c").unwrap().to_object().unwrap().get("d").unwrap().is_null());
    assert!(object.get("d").is_none());
}

#[test]
fn numbers_keep_their_text_and_are_whole_only_when_written_so() {
    for (document, expected) in [
        ("0", Some(0)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("-1", None),
        ("1.0", None),
        ("1e2", None),
    ] {
        assert_eq!(parse(document.as_bytes()).unwrap().to_u64(), expected, "{document}");
    }
    let Value::Number(number) = parse(b"-9223372036854775808").unwrap() else { panic!("number") };
    assert_eq!(number.to_i64(), Some(i64::MIN));
}

#[test]
fn numbers_of_another_form_are_refused() {
    for document in ["-", "+1", "1.", ".5", "1e", "1e+", "0x1", "1_0", "NaN", "-a"] {
        assert!(parse(document.as_bytes()).is_err(), "{document}");
    }
    assert_eq!(fault("01"), (1, "nothing after the value"));
    assert_eq!(fault("-"), (1, "a digit"));
}

#[test]
fn escapes_mean_their_characters() {
    assert_eq!(text(r#""\"\\\/\b\f\n\r\t\u0041\u00e9""#), "\"\\/\u{8}\u{c}\n\r\tA\u{e9}");
    assert_eq!(text(r#""\ud834\udd1E\uDBFF\uDFFF""#), "\u{1d11e}\u{10ffff}");
    assert_eq!(text("\"\u{1d11e}\u{7f}\""), "\u{1d11e}\u{7f}");
}

#[test]
fn half_characters_and_unknown_escapes_are_refused() {
    let whole = "an escape that is a whole character";
    for escape in [
        r"\ud834",
        r"\ud834x",
        r"\ud834\n",
        r"\ud834\u0041",
        r"\udd1e",
        r"\ud834\ud834",
        r"\u12",
        r"\u123g",
        r"\x41",
        r"\'",
        r"\u+041",
    ] {
        assert_eq!(fault(&format!("\"{escape}\"")), (1, whole), "{escape}");
    }
    assert_eq!(fault("\"a\\"), (2, whole));
}

#[test]
fn strings_end_and_have_no_bare_control_characters() {
    assert_eq!(fault("\"a"), (2, "a closing quote"));
    assert_eq!(fault("\"a\n\""), (2, "an escaped control character"));
    assert_eq!(fault("\"\0\""), (1, "an escaped control character"));
    assert_eq!(text("\" \""), " ");
}

#[test]
fn text_compares_as_what_it_means() {
    let one = parse(br#""ab""#).unwrap().to_text().unwrap();
    let escaped = parse(br#""\u0061b""#).unwrap().to_text().unwrap();
    let other = parse(br#""ac""#).unwrap().to_text().unwrap();
    assert!(one == escaped && one == *"ab" && escaped == *"ab");
    assert!(one != other && escaped != other && escaped != *"a" && escaped != *"abc");
    assert_eq!((one.to_str(), escaped.to_str()), (Some("ab"), None));
    assert_eq!((one.len_bytes(), escaped.len_bytes()), (2, 2));
}

#[test]
fn a_key_that_stands_twice_is_refused_however_it_is_escaped() {
    let expected = "a key that this object does not have yet";
    assert_eq!(fault(r#"{"a":1,"b":2,"a":3}"#), (13, expected));
    assert_eq!(fault(r#"{"a":1,"\u0061":2}"#), (7, expected));
    assert_eq!(fault(r#"[{"x":{"k":[{}],"k":1}}]"#), (16, expected));
    assert!(parse(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
}

#[test]
fn sixteen_levels_may_nest_and_not_seventeen() {
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(nested(15).as_bytes()).is_ok());
    assert!(parse(nested(16).as_bytes()).is_ok());
    assert_eq!(fault(&nested(17)), (16, "at most 16 arrays and objects in one another"));
    assert_eq!(fault(&"{\"a\":".repeat(17)).0, 80);
}

#[test]
fn an_object_may_have_256_members_and_not_257() {
    let object = |count| {
        let members: Vec<_> = (0..count).map(|index| format!("\"{index}\":{index}")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(parse(object(255).as_bytes()).is_ok());
    assert!(parse(object(256).as_bytes()).is_ok());
    assert_eq!(fault(&object(257)).1, "at most 256 members in an object");
}

#[test]
fn structure_faults_say_what_was_expected_and_where() {
    for (document, at, expected) in [
        ("", 0, "a value"),
        ("  ", 2, "a value"),
        ("nul", 0, "null"),
        ("truE", 0, "true"),
        ("[1 2]", 3, "a comma or ]"),
        ("[1,]", 3, "a value"),
        ("[", 1, "a value"),
        ("{\"a\" 1}", 5, "a colon"),
        ("{\"a\":1 \"b\"}", 7, "a comma or }"),
        ("{\"a\":1,}", 7, "a key"),
        ("{a:1}", 1, "a key"),
        ("{\"a\":", 5, "a value"),
        ("1 1", 2, "nothing after the value"),
        ("{}\0", 2, "nothing after the value"),
        ("\u{feff}{}", 0, "a value"),
        ("\u{a0}1", 0, "a value"),
    ] {
        assert_eq!(fault(document), (at, expected), "{document}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_where_they_stand() {
    for bytes in [&b"\"a\xff\""[..], b"\"a\xc0\x80\"", b"\"a\xed\xa0\x80\"", b"\"a\xe2\x82"] {
        assert_eq!(parse(bytes).unwrap_err(), Error { at: 2, expected: "UTF-8" });
    }
}

#[test]
fn no_document_cut_short_is_read() {
    let document =
        r#"{"payloads":[{"type":"rootfs-image"}],"a":{"b":[null,true,-1.5e3]},"c":"\u00e9"}"#;
    assert!(parse(document.as_bytes()).is_ok());
    for end in 0..document.len() {
        assert!(parse(&document.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

/// The value as another reader holds it.
fn whole(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => truth.into(),
        Value::Number(number) => serde_json::from_str(number.as_str()).unwrap(),
        Value::Text(text) => text.to_string().into(),
        Value::Array(array) => array.iter().map(whole).collect(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| (key.to_string(), whole(value))).collect()
        }
    }
}

#[test]
fn after_any_one_byte_changed_serde_json_reads_the_same_or_both_refuse() {
    let document = br#"{"a":[1,{"b":"\u0041]"},null],"c":{"d":true,"e":-7.25}, "":"f"}"#;
    let mut read = 0;
    for (at, byte) in (0..document.len()).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
        let mut changed = document.to_vec();
        changed[at] = byte;
        let other = serde_json::from_slice::<serde_json::Value>(&changed);
        match parse(&changed) {
            Ok(value) => assert_eq!(whole(value), other.unwrap()),
            // The one thing serde_json lets pass.
            Err(Error { expected: "a key that this object does not have yet", .. }) => {}
            Err(error) => assert!(other.is_err(), "{error} in {}", changed.escape_ascii()),
        }
        read += usize::from(parse(&changed).is_ok());
    }
    assert!(read > 300);
}

#[test]
fn what_is_escaped_reads_back_as_it_was() {
    let all: String = (0..0x500).filter_map(char::from_u32).chain("\u{1d11e}".chars()).collect();
    assert_eq!(text(&Escaped(&all).to_string()), all);
    assert_eq!(Escaped("a\"\\\n\u{1}\u{e9}/").to_string(), "\"a\\\"\\\\\\n\\u0001\u{e9}/\"");
    let again = parse(br#""\u0061\n""#).unwrap().to_text().unwrap();
    assert_eq!(Escaped(again).to_string(), r#""a\n""#);
}

//! What `artifact::header` must do, and what it must refuse.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::artifact::forge::{Recipe, archive, header, member, source};

const INFO: &str = concat!(
    r#"{"payloads":[{"type":"rootfs-image"}],"artifact_provides":{"artifact_name":"n"},"#,
    r#""artifact_depends":{"device_type":["d"]}}"#
);

/// A recipe with one `header-info` changed in it.
fn info(from: &str, to: &str) -> Recipe {
    assert!(INFO.contains(from), "{from}");
    Recipe { header_info: INFO.replacen(from, to, 1), ..Recipe::default() }
}

fn type_info(text: &str) -> Recipe {
    Recipe { type_info: text.into(), ..Recipe::default() }
}

fn refused(recipe: &Recipe) -> String {
    header(recipe, &mut Texts::new()).unwrap_err().to_string()
}

fn members(members: &[Vec<u8>]) -> Result<usize, Error> {
    let bytes = archive(members);
    read(Archive::new(source(&bytes), "header archive"), &mut Texts::new(), &mut PassOver)
        .map(|header| header.scripts())
}

fn all<'a>(words: impl Iterator<Item = Text<'a>>) -> Vec<String> {
    words.map(|word| word.to_string()).collect()
}

#[test]
fn a_header_as_mender_artifact_writes_it_is_read() {
    let recipe = Recipe {
        header_info: concat!(
            r#"{"payloads":[{"type":"rootfs-image"}],"artifact_provides":{"artifact_name":"#,
            r#""release-2","artifact_group":"grp"},"artifact_depends":{"artifact_name":"#,
            r#"["release-1"],"device_type":["rockpro64","qemu-virt"],"artifact_group":["grp0"]}}"#
        )
        .into(),
        scripts: ["scripts/ArtifactInstall_Enter_00", "scripts/ArtifactCommit_Leave_99_done"]
            .map(String::from)
            .into(),
        ..Recipe::default()
    };
    let mut texts = Texts::new();
    let header = header(&recipe, &mut texts).unwrap();
    assert!(header.artifact_name() == *"release-2" && header.payload_type().is_some());
    assert!(header.artifact_group().unwrap() == *"grp");
    assert_eq!(all(header.device_types()), ["rockpro64", "qemu-virt"]);
    let depends: Vec<_> =
        header.depends().map(|(key, values)| (key.to_string(), all(values))).collect();
    let expected = [
        ("artifact_name", &["release-1"][..]),
        ("device_type", &["rockpro64", "qemu-virt"]),
        ("artifact_group", &["grp0"]),
    ];
    for ((key, values), (wanted, words)) in depends.iter().zip(expected) {
        assert_eq!(
            (key.as_str(), values.iter().map(String::as_str).collect::<Vec<_>>()),
            (wanted, words.to_vec())
        );
    }
    assert_eq!(depends.len(), 3);
    assert_eq!(header.provides().count(), 1);
    assert_eq!(all(header.clears().unwrap()), ["artifact_group", "rootfs-image.*"]);
    assert_eq!(header.scripts(), 2);
}

#[test]
fn a_bootstrap_header_has_no_payload_type() {
    let mut texts = Texts::new();
    assert!(header(&Recipe::bootstrap(), &mut texts).unwrap().payload_type().is_none());
}

#[test]
fn an_empty_null_absent_or_equal_type_in_type_info_is_the_same() {
    for text in [r#"{"type":""}"#, r#"{"type":null}"#, "{}", r#"{"type":"rootfs-image"}"#] {
        assert!(header(&type_info(text), &mut Texts::new()).is_ok(), "{text}");
    }
    let text = refused(&type_info(r#"{"type":"directory"}"#));
    assert_eq!(text, "type-info says payload type directory, header-info says rootfs-image");
    let bootstrap =
        Recipe { type_info: r#"{"type":"rootfs-image"}"#.into(), ..Recipe::bootstrap() };
    assert_eq!(refused(&bootstrap), "type-info says payload type rootfs-image, header-info says ");
    assert!(refused(&type_info(r#"{"type":7}"#)).starts_with("type in type-info is not a text"));
}

#[test]
fn other_types_of_payload_are_refused_by_name() {
    for name in ["directory", "rootfs-image-v2", "Rootfs-image", "", "mender-configure"] {
        let expected = format!("payload type {name} is not supported, expected rootfs-image");
        assert_eq!(refused(&info("\"rootfs-image\"", &format!("{name:?}"))), expected);
    }
}

#[test]
fn there_is_just_one_payload() {
    let expected = "payloads in header-info is not a list of one object";
    for payloads in [
        "[]",
        "{}",
        "null",
        "7",
        "[7]",
        "[null]",
        r#"[{"type":"rootfs-image"},{"type":"rootfs-image"}]"#,
        r#"[{"type":"rootfs-image"},7]"#,
    ] {
        assert_eq!(refused(&info(r#"[{"type":"rootfs-image"}]"#, payloads)), expected);
    }
}

#[test]
fn keys_that_may_mean_something_are_refused_by_name() {
    for (from, to) in [
        ("{\"payloads", "{\"x\":1,\"payloads"),
        ("{\"type", "{\"x\":1,\"type"),
        ("{\"artifact_name", "{\"x\":1,\"artifact_name"),
        ("{\"device_type", "{\"x\":1,\"device_type"),
        ("{\"device_type", "{\"x\":null,\"device_type"),
    ] {
        assert_eq!(refused(&info(from, to)), "header-info has the unknown key x");
    }
    assert_eq!(refused(&type_info(r#"{"a\nb":1}"#)), "type-info has the unknown key a?b");
}

#[test]
fn the_name_and_a_device_type_are_required() {
    let name = "artifact_name in header-info is not a name";
    assert_eq!(refused(&info(r#""artifact_name":"n""#, "")), name);
    assert_eq!(refused(&info(r#""n""#, r#""""#)), name);
    assert_eq!(refused(&info(r#""n""#, "null")), name);
    assert_eq!(
        refused(&info(r#""device_type":["d"]"#, "")),
        "device_type in header-info is not a list of device types"
    );
    for list in ["[]", "\"d\"", "[7]", "[\"d\",null]", "{}"] {
        let text = refused(&info(r#"["d"]"#, list));
        assert_eq!(text, "device_type in header-info is not a list of one or more words");
    }
    for key in ["artifact_provides", "artifact_depends"] {
        let text = INFO.replace(key, "payloads_");
        let recipe = Recipe { header_info: text, ..Recipe::default() };
        assert_eq!(refused(&recipe), "header-info has the unknown key payloads_");
    }
    let text = refused(&info(r#"{"device_type":["d"]}"#, "null"));
    assert_eq!(text, "artifact_depends in header-info is not an object");
}

#[test]
fn an_empty_or_null_group_is_none() {
    for group in ["null", "\"\""] {
        let recipe = info(r#""n""#, &format!(r#""n","artifact_group":{group}"#));
        assert!(header(&recipe, &mut Texts::new()).unwrap().artifact_group().is_none());
    }
}

#[test]
fn words_have_256_bytes_at_most_however_they_are_escaped() {
    let named = |name: String| info(r#""n""#, &format!("\"{name}\""));
    assert!(header(&named("n".repeat(255)), &mut Texts::new()).is_ok());
    assert!(header(&named("n".repeat(256)), &mut Texts::new()).is_ok());
    assert!(header(&named("\\u006e".repeat(256)), &mut Texts::new()).is_ok());
    let expected = "artifact_name in header-info is not a text of at most 256 bytes \
        without control characters";
    assert_eq!(refused(&named("n".repeat(257))), expected);
    assert_eq!(refused(&named("\u{e9}".repeat(129))), expected);
    assert_eq!(refused(&named("\\n".into())), expected);
    assert_eq!(refused(&named("\\u007f".into())), expected);
}

#[test]
fn what_is_provided_can_be_lines_of_provides() {
    for provides in [
        r#"{"a=b":"c"}"#,
        r#"{"":"c"}"#,
        r#"{"a\n":"c"}"#,
        r#"{"a":"c\n"}"#,
        r#"{"a":7}"#,
        r#"{"a":["b"]}"#,
        r#"{"a":null}"#,
        r#"{"device_type":"x"}"#,
        "[]",
        "\"a\"",
    ] {
        let text = refused(&type_info(&format!(r#"{{"artifact_provides":{provides}}}"#)));
        let expected = "artifact_provides in type-info is not keys with words, none of them \
            device_type";
        assert_eq!(text, expected, "{provides}");
    }
    assert!(header(&type_info(r#"{"artifact_provides":{"a":"b=c"}}"#), &mut Texts::new()).is_ok());
    assert!(header(&type_info(r#"{"artifact_provides":null}"#), &mut Texts::new()).is_ok());
}

#[test]
fn what_type_info_depends_on_is_a_word_or_a_list() {
    let recipe = type_info(r#"{"artifact_depends":{"a":"b","c":["d","e"]}}"#);
    let mut texts = Texts::new();
    let header = header(&recipe, &mut texts).unwrap();
    let depends: Vec<_> =
        header.depends().map(|(key, values)| (key.to_string(), all(values))).collect();
    assert_eq!(depends[1].1, ["b"]);
    assert_eq!(depends[2].1, ["d", "e"]);
    for depends in [r#"{"a":7}"#, r#"{"a":[]}"#, r#"{"a":[7]}"#, r#"{"a":null}"#, "[]"] {
        let text = refused(&type_info(&format!(r#"{{"artifact_depends":{depends}}}"#)));
        let expected = "artifact_depends in type-info is not keys with words or lists of words";
        assert_eq!(text, expected, "{depends}");
    }
}

#[test]
fn what_is_cleared_is_a_list_that_may_be_empty() {
    let mut texts = Texts::new();
    let recipe = type_info(r#"{"clears_artifact_provides":[]}"#);
    assert_eq!(header(&recipe, &mut texts).unwrap().clears().unwrap().count(), 0);
    assert!(header(&type_info("{}"), &mut texts).unwrap().clears().is_none());
    for clears in ["{}", "\"*\"", "[7]", "[null]"] {
        let text = refused(&type_info(&format!(r#"{{"clears_artifact_provides":{clears}}}"#)));
        assert_eq!(text, "clears_artifact_provides in type-info is not a list of words");
    }
}

#[test]
fn texts_that_are_no_json_objects_are_refused_where_they_break() {
    let recipe = Recipe { header_info: "{\"payloads\":}".into(), ..Recipe::default() };
    assert_eq!(refused(&recipe), "header-info is not valid JSON: expected a value at byte 12");
    assert_eq!(
        refused(&type_info("[]")),
        "type-info is not valid JSON: expected an object at byte 0"
    );
    assert_eq!(refused(&type_info("")), "type-info is not valid JSON: expected a value at byte 0");
}

#[test]
fn meta_data_is_absent_empty_or_an_object() {
    let with =
        |data: Option<&str>| Recipe { meta_data: data.map(String::from), ..Recipe::default() };
    for data in [None, Some(""), Some("{}"), Some(r#"{"a":[1]}"#)] {
        assert!(header(&with(data), &mut Texts::new()).is_ok());
    }
    for data in ["[]", "x", " "] {
        assert!(refused(&with(Some(data))).starts_with("headers/0000/meta-data is not valid JSON"));
    }
}

#[test]
fn members_out_of_order_missing_or_unknown_are_refused() {
    let info = || member("header-info", INFO.as_bytes());
    let kind = || member("headers/0000/type-info", b"{}");
    let data = || member("headers/0000/meta-data", b"");
    let script = || member("scripts/ArtifactInstall_Enter_00", b"");
    assert!(members(&[info(), script(), kind(), data()]).is_ok());
    for (wrong, expected) in [
        (&[][..], "the header archive ends where header-info is expected"),
        (&[kind()], "found headers/0000/type-info in the header archive, expected header-info"),
        (&[info()], "the header archive ends where headers/0000/type-info is expected"),
        (
            &[info(), info()],
            "found header-info in the header archive, expected headers/0000/type-info",
        ),
        (
            &[info(), data()],
            "found headers/0000/meta-data in the header archive, expected headers/0000/type-info",
        ),
        (
            &[info(), kind(), script()],
            "found scripts/ArtifactInstall_Enter_00 in the header archive, expected its end",
        ),
        (
            &[info(), kind(), kind()],
            "found headers/0000/type-info in the header archive, expected its end",
        ),
        (
            &[info(), kind(), data(), data()],
            "found headers/0000/meta-data in the header archive, expected its end",
        ),
        (
            &[info(), member("files", b"")],
            "found files in the header archive, expected headers/0000/type-info",
        ),
        (
            &[info(), member("headers/0001/type-info", b"")],
            "found headers/0001/type-info in the header archive, expected headers/0000/type-info",
        ),
        (
            &[info(), member("scripts/evil", b""), kind()],
            "scripts/evil is not the name of a state script",
        ),
    ] {
        assert_eq!(members(wrong).unwrap_err().to_string(), expected);
    }
}

#[test]
fn members_up_to_their_bound_are_read() {
    let texts = |info: usize, kind: usize, data: usize| {
        let filled =
            |text: &str, len: usize| format!("{text}{}", " ".repeat(len - text.len())).into_bytes();
        members(&[
            member("header-info", &filled(INFO, info)),
            member("headers/0000/type-info", &filled("{}", kind)),
            member("headers/0000/meta-data", &filled("{}", data)),
        ])
    };
    assert!(texts(TEXT_MAX_BYTES, TEXT_MAX_BYTES, META_DATA_MAX_BYTES).is_ok());
    assert!(texts(TEXT_MAX_BYTES - 1, TEXT_MAX_BYTES - 1, META_DATA_MAX_BYTES - 1).is_ok());
    let over = |what: &str, found: usize, most: usize| {
        format!("{what} in the header archive has {found} bytes, at most {most} are allowed")
    };
    let error = texts(TEXT_MAX_BYTES + 1, 2, 2).unwrap_err().to_string();
    assert_eq!(error, over("header-info", 32_769, 32_768));
    let error = texts(INFO.len(), TEXT_MAX_BYTES + 1, 2).unwrap_err().to_string();
    assert_eq!(error, over("headers/0000/type-info", 32_769, 32_768));
    let error = texts(INFO.len(), 2, META_DATA_MAX_BYTES + 1).unwrap_err().to_string();
    assert_eq!(error, over("headers/0000/meta-data", 4097, 4096));
}

#[test]
fn up_to_64_scripts_of_4_mib_with_the_rest_are_passed_over() {
    let scripts = |count: usize, content: &[u8]| {
        let mut all = std::vec![member("header-info", INFO.as_bytes())];
        let name = |index: usize| format!("scripts/ArtifactInstall_Enter_{index:02}");
        all.extend((0..count).map(|index| member(&name(index), content)));
        all.push(member("headers/0000/type-info", b"{}"));
        members(&all)
    };
    assert_eq!(scripts(63, b"x").unwrap(), 63);
    assert_eq!(scripts(64, b"x").unwrap(), 64);
    assert_eq!(scripts(65, b"x").unwrap_err().to_string(), "more than 64 state scripts");
    let room = (4 << 20) - INFO.len() - 2;
    assert!(scripts(1, &std::vec![0; room]).is_ok());
    let error = scripts(1, &std::vec![0; room + 1]).unwrap_err().to_string();
    assert_eq!(
        error,
        "headers/0000/type-info in the header archive has 2 bytes, at most 1 are allowed"
    );
    let error = scripts(2, &std::vec![0; room]).unwrap_err().to_string();
    assert!(error.starts_with("a state script in the header archive has "), "{error}");
}

/// Keeps what it is given, one text a script.
#[derive(Debug, Default)]
struct Given(Vec<(String, Vec<u8>)>);

impl ScriptSink for Given {
    fn keep(&mut self, name: &str, part: &[u8]) -> Result<(), Cause> {
        match self.0.last_mut() {
            Some((last, text)) if last == name => text.extend_from_slice(part),
            _ => self.0.push((name.into(), part.to_vec())),
        }
        if name.ends_with("_99") { Err(Cause { code: 28, text: "no room" }) } else { Ok(()) }
    }
}

#[test]
fn scripts_are_handed_on_whole_and_what_cannot_be_kept_is_refused() {
    let texts = [
        ("header-info", INFO.as_bytes().to_vec()),
        ("scripts/ArtifactInstall_Enter_00", std::vec![7; 2 * PART_BYTES + 1]),
        ("scripts/ArtifactInstall_Enter_01", Vec::new()),
        ("headers/0000/type-info", b"{\"type\":\"rootfs-image\"}".to_vec()),
    ];
    let members = |texts: &[(&str, Vec<u8>)]| {
        archive(&texts.iter().map(|(name, text)| member(name, text)).collect::<Vec<_>>())
    };
    let mut given = Given::default();
    let bytes = members(&texts);
    let archive = Archive::new(source(&bytes), "header archive");
    assert_eq!(read(archive, &mut Texts::new(), &mut given).map(|header| header.scripts()), Ok(2));
    assert_eq!(given.0[0], ("ArtifactInstall_Enter_00".into(), texts[1].1.clone()));
    assert_eq!(given.0[1], ("ArtifactInstall_Enter_01".into(), Vec::new()));
    let mut full = texts.clone();
    full[2].0 = "scripts/ArtifactInstall_Enter_99";
    let bytes = members(&full);
    let archive = Archive::new(source(&bytes), "header archive");
    let refused = read(archive, &mut Texts::new(), &mut given).unwrap_err().to_string();
    let said = "cannot keep the state script ArtifactInstall_Enter_99: no room";
    assert_eq!(refused, said);
}

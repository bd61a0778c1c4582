//! What `artifact::compat` must do, and what it must refuse.

use std::string::{String, ToString};

use super::*;
use crate::artifact::Texts;
use crate::artifact::forge::{self, Recipe};

const INFO: &str = concat!(
    r#"{"payloads":[{"type":"rootfs-image"}],"artifact_provides":{"artifact_name":"n"},"#,
    r#""artifact_depends":{"device_type":["rockpro64","qemu-virt"]MORE}}"#
);

/// Checks an artifact with further depends in `header-info` and in `type-info`.
fn checked(more: &str, type_depends: &str, device_type: &str, lines: &str) -> Result<(), String> {
    let recipe = Recipe {
        header_info: INFO.replace("MORE", more),
        type_info: std::format!(r#"{{"artifact_depends":{type_depends}}}"#),
        ..Recipe::default()
    };
    let mut texts = Texts::new();
    let header = forge::header(&recipe, &mut texts).unwrap();
    let provides = &Provides::parse(lines.as_bytes()).unwrap();
    let device = Device { device_type, provides };
    check(&header, &device).map(|Compatible(())| ()).map_err(|error| error.to_string())
}

#[test]
fn any_of_the_device_types_will_do() {
    for device_type in ["rockpro64", "qemu-virt"] {
        assert_eq!(checked("", "{}", device_type, ""), Ok(()));
    }
    for device_type in ["rockpro", "rockpro645", "Rockpro64", "", "rockpro64\n"] {
        let shown = device_type.replace('\n', "?");
        let expected =
            std::format!("the artifact is for rockpro64, qemu-virt, this device is {shown}");
        assert_eq!(checked("", "{}", device_type, ""), Err(expected));
    }
}

#[test]
fn a_name_and_group_depended_on_are_among_those_listed() {
    let more = r#","artifact_name":["r1","r2"],"artifact_group":["g"]"#;
    let lines = "artifact_group=g\nartifact_name=r2\n";
    assert_eq!(checked(more, "{}", "rockpro64", lines), Ok(()));
    let other = "artifact_group=g\nartifact_name=r3\n";
    let expected = "the artifact depends on artifact_name r1, r2, this device has r3";
    assert_eq!(checked(more, "{}", "rockpro64", other), Err(expected.into()));
    let none = "artifact_name=r1\n";
    let expected = "the artifact depends on artifact_group g, this device has none";
    assert_eq!(checked(more, "{}", "rockpro64", none), Err(expected.into()));
}

#[test]
fn what_type_info_depends_on_counts_as_well() {
    let depends = r#"{"rootfs-image.checksum":"aa","x":["1","2"]}"#;
    assert_eq!(checked("", depends, "rockpro64", "rootfs-image.checksum=aa\nx=2\n"), Ok(()));
    let expected = "the artifact depends on rootfs-image.checksum aa, this device has ab";
    let found = checked("", depends, "rockpro64", "rootfs-image.checksum=ab\nx=2\n");
    assert_eq!(found, Err(expected.into()));
    let found = checked("", depends, "rockpro64", "rootfs-image.checksum=aa\n");
    assert_eq!(found, Err("the artifact depends on x 1, 2, this device has none".into()));
}

#[test]
fn both_lists_of_one_key_must_be_met() {
    let more = r#","artifact_name":["a","b"]"#;
    let depends = r#"{"artifact_name":["b","c"]}"#;
    assert_eq!(checked(more, depends, "rockpro64", "artifact_name=b\n"), Ok(()));
    assert!(checked(more, depends, "rockpro64", "artifact_name=a\n").is_err());
    assert!(checked(more, depends, "rockpro64", "artifact_name=c\n").is_err());
}

#[test]
fn a_device_type_in_type_info_is_that_of_the_device() {
    let depends = r#"{"device_type":"qemu-virt"}"#;
    assert_eq!(checked("", depends, "qemu-virt", ""), Ok(()));
    let expected = "the artifact depends on device_type qemu-virt, this device has rockpro64";
    assert_eq!(checked("", depends, "rockpro64", ""), Err(expected.into()));
}

#[test]
fn escaped_words_are_compared_as_what_they_mean() {
    let more = r#","artifact_n\u0061me":["\u0072elease"]"#;
    assert_eq!(checked(more, "{}", "rockpro64", "artifact_name=release\n"), Ok(()));
}

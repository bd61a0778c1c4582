//! What `sys::env` must do, and what it must refuse.

use super::*;

/// What the buffers of the program look like.
#[repr(C, align(4096))]
struct Page([u8; 4096]);

/// A scratch directory with a file of `bytes` bytes, gone at the end of the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: usize) -> Self {
        let path = std::env::temp_dir().join(format!("twinslot-{}-{name}", std::process::id()));
        fs::write(&path, vec![0xff; bytes]).unwrap();
        Self(path)
    }

    fn open(&self, lines: &[&str]) -> Result<EnvFiles, EnvError> {
        let path = self.0.display();
        let text: String = lines.iter().map(|line| format!("{path} {line}\n")).collect();
        EnvFiles::open(&Config::parse(&text).unwrap())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn each_copy_of_a_file_is_written_and_read_at_its_place() {
    let scratch = Scratch::new("copies", 0x3000);
    let mut files = scratch.open(&["0x1000 0x1000", "-0x1000 0x1000"]).unwrap();
    let (first, second) = (Page([1; 4096]), Page([2; 4096]));
    files.write(Which::First, &first.0).unwrap();
    files.write(Which::Second, &second.0).unwrap();
    files.flush(Which::First).unwrap();
    files.flush(Which::Second).unwrap();
    let mut read = Page([0; 4096]);
    files.read(Which::Second, &mut read.0).unwrap();
    assert_eq!(read.0, second.0);
    let whole = fs::read(&scratch.0).unwrap();
    assert!(whole[..0x1000].iter().all(|byte| *byte == 0xff));
    assert!(whole[0x1000..0x2000] == first.0 && whole[0x2000..] == second.0);
}

#[test]
fn a_copy_beyond_the_end_is_refused_and_the_file_does_not_grow() {
    let scratch = Scratch::new("end", 0x2fff);
    let refused = scratch.open(&["0x1000 0x1000", "0x2000 0x1000"]).unwrap_err();
    assert!(matches!(refused, EnvError::Misplaced { .. }), "{refused}");
    assert_eq!(fs::metadata(&scratch.0).unwrap().len(), 0x2fff);
}

#[test]
fn copies_that_meet_only_on_this_device_are_refused() {
    let scratch = Scratch::new("meet", 0x2800);
    let refused = scratch.open(&["0x1000 0x1000", "-0x1000 0x1000"]).unwrap_err();
    let overlap = Misplaced::Overlap { device_bytes: 0x2800 };
    assert!(matches!(refused, EnvError::Misplaced { reason, .. } if reason == overlap));
}

#[test]
fn a_missing_file_is_named_and_not_created() {
    let path = std::env::temp_dir().join("twinslot-no-such-env");
    let text = format!("{} 0 0x1000", path.display());
    let refused = EnvFiles::open(&Config::parse(&text).unwrap()).unwrap_err();
    let said = format!("cannot open {}: No such file or directory", path.display());
    assert_eq!(refused.to_string(), said);
    assert!(!path.exists());
}

#[test]
fn a_character_device_is_not_supported() {
    let refused = EnvFiles::open(&Config::parse("/dev/null 0 0x1000").unwrap()).unwrap_err();
    let said = "/dev/null is a character device: not supported for an environment";
    assert_eq!(refused.to_string(), said);
}

#[test]
fn a_single_environment_has_no_second_copy() {
    let scratch = Scratch::new("single", 0x1000);
    let mut files = scratch.open(&["0 0x1000"]).unwrap();
    let mut page = Page([0; 4096]);
    assert_eq!(files.read(Which::Second, &mut page.0).unwrap_err().code, libc::ENXIO);
    assert!(files.place(Which::Second).is_none());
    let place = files.place(Which::First).unwrap().to_string();
    assert_eq!(place, format!("{} at 0x0", scratch.0.display()));
}

#[test]
fn a_transfer_is_one_whole_copy() {
    let scratch = Scratch::new("whole", 0x1000);
    let mut files = scratch.open(&["0 0x800"]).unwrap();
    let page = Page([0; 4096]);
    assert!(files.write(Which::First, &page.0[..0x800]).is_ok());
    for wrong in [&page.0[..0x7ff], &page.0[..0x801], &page.0[0x800..]] {
        assert_eq!(files.write(Which::First, wrong).unwrap_err().code, libc::EINVAL);
    }
}

#[test]
fn a_file_replaced_meanwhile_is_not_written() {
    let scratch = Scratch::new("moved", 0x1000);
    let mut files = scratch.open(&["0 0x1000"]).unwrap();
    let aside = Scratch::new("moved-new", 0x1000);
    fs::copy(&aside.0, aside.0.with_extension("copy")).unwrap();
    fs::rename(aside.0.with_extension("copy"), &scratch.0).unwrap();
    let page = Page([0; 4096]);
    assert_eq!(files.write(Which::First, &page.0).unwrap_err().code, libc::ESTALE);
    assert_eq!(fs::read(&scratch.0).unwrap(), vec![0xff; 0x1000]);
}

#[test]
fn write_protection_is_lifted_only_if_it_was_on_and_always_put_back() {
    let switch = Scratch::new("force-ro", 0);
    let state = || fs::read_to_string(&switch.0).unwrap();
    for (before, meanwhile) in [("1\n", "0\n"), ("0\n", "0\n")] {
        fs::write(&switch.0, before).unwrap();
        let lifted = Lifted::lift(Some(&switch.0)).unwrap();
        assert_eq!(state(), meanwhile);
        lifted.restore().unwrap();
        assert_eq!(state(), before);
    }
    fs::write(&switch.0, "1\n").unwrap();
    drop(Lifted::lift(Some(&switch.0)).unwrap());
    assert_eq!(state(), "1\n");
}

#[test]
fn write_protection_that_cannot_be_put_back_is_reported() {
    let switch = Scratch::new("gone", 0);
    fs::write(&switch.0, "1\n").unwrap();
    let away = switch.0.with_extension("away");
    let lifted = Lifted::lift(Some(&switch.0)).unwrap();
    fs::rename(&switch.0, &away).unwrap();
    let error = lifted.restore().unwrap_err();
    fs::rename(&away, &switch.0).unwrap();
    assert_eq!(error.code, libc::ENOENT);
    assert!(error.text.contains("force_ro"));
}

#[test]
fn only_boot_partitions_of_an_emmc_are_unlocked() {
    for name in ["mmcblk0boot0", "mmcblk12boot1"] {
        assert!(is_boot_partition(name), "{name}");
    }
    for name in ["mmcblk0", "mmcblk0p1", "mmcblk0boot", "mmcblkboot0", "mmcblk0rpmb", "sda"] {
        assert!(!is_boot_partition(name), "{name}");
    }
}

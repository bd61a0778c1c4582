//! The block devices of a plan: one GPT disk, or a loop device for each thing.

use super::loop_device::Loop;
use super::plan::{Layout, Plan};
use super::slot::{Place, pattern};
use super::tools::{program, text};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::rc::Rc;

const MIB: u64 = 1 << 20;
const DATA_BYTES: u64 = 32 * MIB;
/// Of the environment's own device: room for both copies.
const ENVIRONMENT_BYTES: u64 = 12 * MIB;
/// Where p1 starts, and its size.
const BOOT: (u64, u64) = (16 * MIB, 8 * MIB);

pub struct Media {
    pub environment: Rc<Loop>,
    pub slots: [Place; 2],
    pub data: PathBuf,
    pub data_disk: Rc<Loop>,
}

impl Media {
    /// Makes them in a directory. Slot b holds a pattern, the others zeros.
    pub fn make(plan: &Plan, directory: &Path) -> Self {
        match plan.layout {
            Layout::Partitions => Self::partitions(plan, &directory.join("disk.img")),
            Layout::WholeLoops => Self::whole_loops(plan, directory),
        }
    }

    fn partitions(plan: &Plan, path: &Path) -> Self {
        let first = BOOT.0 + BOOT.1;
        let offsets = [first, first + plan.slot_bytes];
        let end = first + 2 * plan.slot_bytes + DATA_BYTES;
        let image = File::create(path).unwrap();
        image.set_len(end + MIB).unwrap();
        write_table(path, plan.slot_bytes);
        image.write_all_at(&pattern(plan.slot_bytes), offsets[1]).unwrap();
        let disk = Rc::new(Loop::attach(path));
        disk.add_partitions();
        let place = |number: u32, offset| Place {
            device: disk.partition(number),
            number,
            disk: Rc::clone(&disk),
            offset,
            bytes: plan.slot_bytes,
        };
        Self {
            environment: Rc::clone(&disk),
            slots: [place(2, offsets[0]), place(3, offsets[1])],
            data: disk.partition(4),
            data_disk: disk,
        }
    }

    fn whole_loops(plan: &Plan, directory: &Path) -> Self {
        let image = |name: &str, bytes: u64| {
            let path = directory.join(name);
            File::create(&path).unwrap().set_len(bytes).unwrap();
            path
        };
        let environment = plan.environment_image.clone();
        let environment = environment.unwrap_or_else(|| image("env.img", ENVIRONMENT_BYTES));
        let slot_b = plan.slot_b_image.clone().unwrap_or_else(|| {
            let path = image("b.img", plan.slot_bytes);
            std::fs::write(&path, pattern(plan.slot_bytes)).unwrap();
            path
        });
        let place = |image: &Path| {
            let disk = Rc::new(attach_numbered(image));
            let (device, number) = (disk.path().to_owned(), disk.number());
            Place { device, number, disk, offset: 0, bytes: plan.slot_bytes }
        };
        let data_disk = Rc::new(Loop::attach(&image("data.img", DATA_BYTES)));
        Self {
            environment: Rc::new(Loop::attach(&environment)),
            slots: [place(&image("a.img", plan.slot_bytes)), place(&slot_b)],
            data: data_disk.path().to_owned(),
            data_disk,
        }
    }
}

/// A loop device that can be a slot: U-Boot counts partitions from one.
fn attach_numbered(image: &Path) -> Loop {
    let first = Loop::attach(image);
    if first.number() > 0 { first } else { Loop::attach(image) }
}

/// A GPT with p1 boot, p2 slot-a, p3 slot-b, p4 data.
fn write_table(image: &Path, slot_bytes: u64) {
    let mut start = BOOT.0;
    let sizes = [BOOT.1, slot_bytes, slot_bytes, DATA_BYTES];
    let mut script = "label: gpt\n".to_owned();
    for (name, bytes) in ["boot", "slot-a", "slot-b", "data"].into_iter().zip(sizes) {
        script += &format!("start={}, size={}, name={name}\n", start / 512, bytes / 512);
        start += bytes;
    }
    let mut command = program("sfdisk", &["--quiet", text(image)]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "sfdisk refused {script}");
}

//! A loop device over an image file, and its partitions. It goes when it is dropped, and also
//! when the test process is killed: the kernel detaches it with its last open file.

use super::tools::{may, must, program, text};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub struct Loop {
    path: PathBuf,
    image: PathBuf,
    /// Keeps the device attached: it is marked to go with its last user.
    held: Option<File>,
}

impl Loop {
    pub fn attach(image: &Path) -> Self {
        let path = PathBuf::from(attach_some(image));
        // A process that was killed may have left its partitions on this number.
        remove_partitions(&path);
        let held = Some(File::open(&path).unwrap());
        must(&mut program("losetup", &["--detach", text(&path)]));
        Self { path, image: image.to_owned(), held }
    }

    /// Tells the kernel the partitions: it reads no tables by itself on every machine.
    pub fn add_partitions(&self) {
        must(&mut program("partx", &["--add", text(&self.path)]));
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn partition(&self, number: u32) -> PathBuf {
        PathBuf::from(format!("{}p{number}", self.path.display()))
    }

    /// The N of /dev/loopN.
    pub fn number(&self) -> u32 {
        text(&self.path).strip_prefix("/dev/loop").unwrap().parse().unwrap()
    }

    /// What the medium holds, past every cache of the devices: the image file behind the loop.
    pub fn medium(&self, offset: u64, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        File::open(&self.image).unwrap().read_exact_at(&mut bytes, offset).unwrap();
        bytes
    }

    /// Writes to the medium as a program would, through the device.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        let device = OpenOptions::new().write(true).open(&self.path).unwrap();
        device.write_all_at(bytes, offset).unwrap();
        device.sync_all().unwrap();
    }

    pub fn image(&self) -> &Path {
        &self.image
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        remove_partitions(&self.path);
        self.held = None;
        // Others may look at the device at this moment (blkid, another test's `losetup`).
        for _ in 0..50 {
            if !is_attached_to(&self.path, &self.image) {
                return;
            }
            may(&mut program("losetup", &["--detach", text(&self.path)]));
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Two tests may be given the same free number: the later one asks again.
fn attach_some(image: &Path) -> String {
    for _ in 0..100 {
        let mut command = program("losetup", &["--find", "--show", text(image)]);
        let output = command.output().unwrap();
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap().trim().to_owned();
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("no free loop device for {}", image.display());
}

fn remove_partitions(device: &Path) {
    let name = device.file_name().unwrap().to_str().unwrap();
    let entries = fs::read_dir(format!("/sys/block/{name}")).unwrap();
    let is_partition = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with(name);
    if entries.flatten().any(is_partition) {
        may(&mut program("partx", &["--delete", text(device)]));
    }
}

fn is_attached_to(device: &Path, image: &Path) -> bool {
    let name = device.file_name().unwrap().to_str().unwrap();
    let backing = fs::read_to_string(format!("/sys/block/{name}/loop/backing_file"));
    backing.is_ok_and(|path| path.trim_end() == text(image))
}

//! A stack of mounts that comes down in reverse, in a mount namespace of the test's thread: the
//! machine never sees them, and the kernel takes them down with the process.

use super::tools::{may, must, program, text};
use nix::sched::{CloneFlags, unshare};
use std::cell::Cell;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub struct Mounts {
    points: Vec<PathBuf>,
}

impl Mounts {
    pub fn mount(&mut self, options: &[&str], what: &Path, at: &Path) {
        enter_namespace();
        let arguments = [options, &[text(what), text(at)]].concat();
        must(&mut program("mount", &arguments));
        self.points.push(at.to_owned());
    }

    pub fn bind(&mut self, what: &Path, at: &Path) {
        self.mount(&["--bind"], what, at);
    }

    pub fn tmpfs(&mut self, size: &str, at: &Path) {
        let size = format!("size={size},mode=755");
        self.mount(&["-t", "tmpfs", "-o", &size], Path::new("tmpfs"), at);
    }

    /// Takes all of it down.
    pub fn clear(&mut self) {
        while let Some(point) = self.points.pop() {
            if !may(&mut program("umount", &[&point])) {
                must(&mut program("umount", &["--lazy", text(&point)]));
            }
        }
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for point in self.points.drain(..).rev() {
            may(&mut program("umount", &["--lazy", text(&point)]));
        }
    }
}

/// Once a thread: what it mounts, and what its children see, is its own.
fn enter_namespace() {
    thread_local!(static ENTERED: Cell<bool> = const { Cell::new(false) });
    if !ENTERED.replace(true) {
        unshare(CloneFlags::CLONE_NEWNS).expect("these tests mount file systems: run them as root");
        must(&mut program("mount", &["--make-rprivate", "/"]));
    }
}

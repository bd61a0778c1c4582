//! What a root file system brings with it, put into one that lacks it: the images under test are
//! small, and a booted one needs mount points, a configuration and a place for the binary.

use super::artifacts::kept;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

const DIRECTORIES: &str = "data dev etc/mender made mnt opt/bin opt/uboot opt/libubootenv proc \
                           root run sys tmp usr var/lib";
const PROGRAMS: [&str; 5] = ["twinslot", "twinslot-aarch64", "qemu-aarch64", "mender", "reboot"];

/// The files of /etc.
pub struct Settings {
    pub mender_conf: String,
    pub fw_env_config: String,
    /// None where the image has no artifact_info.
    pub artifact_name: Option<&'static str>,
}

/// Does nothing to a root it has seen before.
pub fn fit_out(root: &Path, settings: &Settings) {
    if root.join("opt/bin").is_dir() {
        return;
    }
    for name in DIRECTORIES.split_whitespace() {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    for name in PROGRAMS {
        File::create(root.join("opt/bin").join(name)).unwrap();
    }
    for name in ["bin", "lib", "lib64", "sbin"] {
        symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    symlink("/run/lock", root.join("var/lock")).unwrap();
    symlink("/data/mender", root.join("var/lib/mender")).unwrap();
    configure(&root.join("etc"), settings);
}

fn configure(etc: &Path, settings: &Settings) {
    fs::write(etc.join("mender/mender.conf"), &settings.mender_conf).unwrap();
    fs::write(etc.join("fw_env.config"), &settings.fw_env_config).unwrap();
    fs::write(etc.join("hosts"), "127.0.0.1 localhost\n").unwrap();
    fs::copy(kept("p256.pub"), etc.join("mender/artifact-verify-key.pem")).unwrap();
    if let Some(name) = settings.artifact_name {
        fs::write(etc.join("mender/artifact_info"), format!("artifact_name={name}\n")).unwrap();
    }
}

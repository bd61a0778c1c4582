//! Artifacts made by the real tool: those kept in tests/data, and others made on the spot.

use super::tools::{mender_artifact, must, program, text};
use std::fs;
use std::path::{Path, PathBuf};

/// The kept file of this name.
pub fn kept(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/artifacts").join(name);
    assert!(path.exists(), "{} is not there", path.display());
    path
}

/// The image every kept artifact carries.
pub fn image() -> Vec<u8> {
    fs::read(kept("rootfs.ext4")).unwrap()
}

/// `mender-artifact write rootfs-image`, signed by the key every board trusts.
pub fn write(to: &Path, image: &Path, more: &[&str]) {
    let key = kept("p256.key");
    let head = ["write", "rootfs-image", "-f", text(image), "-t", "rockpro64", "-o", text(to)];
    let arguments = [&head[..], &["-k", text(&key)], more].concat();
    must(&mut program(mender_artifact(), &arguments));
}

/// `mender-artifact sign`: a copy with a signature of that key.
pub fn sign(to: &Path, artifact: &Path) {
    let key = kept("p256.key");
    let arguments = ["sign", "-k", text(&key), "-o", text(to), text(artifact)];
    must(&mut program(mender_artifact(), &arguments));
}

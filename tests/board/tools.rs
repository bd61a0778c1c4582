//! The real programs beside twinslot, found as `cargo xtask test` names them; a machine that
//! lacks one fails the test that needs it, and no test skips. Never a shell.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary under test.
pub fn twinslot() -> PathBuf {
    named("TWINSLOT_BIN")
}

/// The same for the board's processor.
pub fn twinslot_aarch64() -> PathBuf {
    named("TWINSLOT_BIN_AARCH64")
}

pub fn qemu_aarch64() -> PathBuf {
    named("TWINSLOT_QEMU_AARCH64")
}

/// Debian's mender-client, the Go one.
pub fn mender() -> PathBuf {
    named("TWINSLOT_MENDER")
}

pub fn mender_artifact() -> PathBuf {
    named("TWINSLOT_MENDER_ARTIFACT")
}

/// Debian's nginx.
pub fn nginx() -> PathBuf {
    named("TWINSLOT_NGINX")
}

/// U-Boot's own fw_printenv, fw_setenv and mkenvimage.
pub fn uboot() -> PathBuf {
    named("TWINSLOT_UBOOT_TOOLS")
}

/// The root of libubootenv's package.
pub fn libubootenv() -> PathBuf {
    named("TWINSLOT_LIBUBOOTENV")
}

fn named(variable: &str) -> PathBuf {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else {
        panic!("{variable} is not set: run `cargo xtask setup` once, then `cargo xtask test`");
    };
    assert!(
        path.exists(),
        "{variable} names {}, which is not there: run `cargo xtask setup`, then `cargo xtask test`",
        path.display()
    );
    path
}

/// For a program without arguments.
pub const NOTHING: [&str; 0] = [];

/// A program of the machine, with its arguments.
pub fn program<A: AsRef<OsStr>>(name: impl AsRef<OsStr>, arguments: &[A]) -> Command {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let mut command = Command::new(name);
    command.args(arguments).env("PATH", path).env("LC_ALL", "C");
    command
}

/// Runs it; anything but success fails the test with what it said. Returns its stdout.
pub fn must(command: &mut Command) -> String {
    let output = output(command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// Runs it, as [`must`], and says whether it succeeded instead of failing the test.
pub fn may(command: &mut Command) -> bool {
    output(command).status.success()
}

fn output(command: &mut Command) -> Output {
    match command.output() {
        Ok(output) => output,
        Err(error) => panic!("cannot start {command:?}: {error}; `cargo xtask setup` installs it"),
    }
}

/// A path as text: every path of these tests is.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

//! U-Boot for a board: upstream's source, our fragment over a defconfig, our environment as its
//! default. Kept by what goes into it, and the same bytes whenever it is built.

use crate::board::Board;
use crate::command::{program, quiet};
use crate::environment::{self, Environment};
use crate::tools;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

/// The version, which Debian's source package must have.
pub(crate) const VERSION: &str = "2025.01";
/// The board that QEMU is, and what its fragment goes over.
pub(crate) const EMULATED: &str = "qemu-virt";
const DEFCONFIG: &str = "qemu_arm64_defconfig";
/// The environment is read before U-Boot looks at PCI, unless this is defined; no Kconfig option.
const FLAGS: &str = "-DCONFIG_SYS_EARLY_PCI_INIT=1";
/// When v2025.01 was released: what U-Boot takes for the time of the build.
const EPOCH_SECONDS: &str = "1736208000";

/// A board's U-Boot, ready to build.
#[derive(Debug)]
pub(crate) struct Recipe {
    fragment: String,
    environment: String,
    config: String,
}

impl Recipe {
    /// Of a board that has a `u-boot.config`.
    pub(crate) fn of(board: &Board) -> Result<Self> {
        let path = format!("board/{}/u-boot.config", board.name);
        let fragment = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let environment = Environment::of(board)?.text();
        let config = environment::config(board, Path::new("default.env"));
        Ok(Self { fragment, environment, config })
    }

    /// The directory that it is kept in.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        let parts =
            [DEFCONFIG, FLAGS, EPOCH_SECONDS, &self.fragment, &self.environment, &self.config];
        tools::kept(&format!("u-boot-{VERSION}"), &parts)
    }

    /// Builds `u-boot.bin` from a tarball of its source.
    pub(crate) fn build(&self, tarball: &Path, to: &Path) -> Result<()> {
        let source = to.join("source");
        fs::create_dir_all(&source)?;
        // A quarter of it, which no emulated board needs.
        let unused = ["--exclude=*/dts/upstream/src/*", "--exclude=*/doc/*"];
        let options = ["--strip-components=1", "--extract", "--file"];
        let mut tar = program("tar", &unused);
        quiet(tar.args(options).arg(tarball).arg("--directory").arg(&source))?;
        fs::write(source.join("default.env"), &self.environment)?;
        let wanted = format!("{}{}", self.fragment, self.config);
        fs::write(source.join("twinslot.config"), &wanted)?;
        quiet(&mut make(&source, &[DEFCONFIG]))?;
        let merge = ["-m", ".config", "twinslot.config"];
        quiet(program("scripts/kconfig/merge_config.sh", &merge).current_dir(&source))?;
        quiet(&mut make(&source, &["olddefconfig"]))?;
        let config = fs::read_to_string(source.join(".config"))?;
        if let Some(line) = lost(&wanted, &config) {
            bail!("U-Boot {VERSION} does not take `{line}`");
        }
        quiet(&mut make(&source, &["u-boot.bin"]))?;
        for (from, name) in [("u-boot.bin", "u-boot.bin"), (".config", "config")] {
            fs::copy(source.join(from), to.join(name))?;
        }
        Ok(fs::remove_dir_all(source)?)
    }
}

/// The image that QEMU starts, once `setup` was here.
pub(crate) fn binary(board: &Board) -> Result<PathBuf> {
    let path = Recipe::of(board)?.directory()?.join("u-boot.bin");
    if !path.is_file() {
        bail!("no U-Boot for {}: run `cargo xtask setup`", board.name);
    }
    Ok(path)
}

fn make(source: &Path, targets: &[&str]) -> Command {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut command = program("make", &["--silent", &format!("--jobs={jobs}")]);
    command.args(["CROSS_COMPILE=aarch64-linux-gnu-", &format!("KCPPFLAGS={FLAGS}")]);
    command.args(targets).env("SOURCE_DATE_EPOCH", EPOCH_SECONDS).current_dir(source);
    command.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
    command
}

/// The first line of a fragment that the configuration does not have. An option that is off may
/// be absent: then nothing it depends on is on.
fn lost<'a>(fragment: &'a str, config: &str) -> Option<&'a str> {
    let has = |name: &str| config.lines().any(|line| line.starts_with(name));
    fragment.lines().find(|line| match line.strip_prefix("# CONFIG_") {
        Some(rest) => match rest.strip_suffix(" is not set") {
            Some(name) => has(&format!("CONFIG_{name}=")),
            None => false,
        },
        None => line.starts_with("CONFIG_") && !config.lines().any(|known| same(line, known)),
    })
}

/// Kconfig writes a hexadecimal number as it was given, but for its case.
fn same(wanted: &str, found: &str) -> bool {
    wanted.eq_ignore_ascii_case(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_that_was_renamed_or_cannot_be_had_is_found() {
        let config = "CONFIG_A=y\nCONFIG_OFFSET=0xA00000\n# CONFIG_C is not set\n";
        assert_eq!(lost("CONFIG_A=y\nCONFIG_OFFSET=0xa00000\n# a word\n", config), None);
        assert_eq!(lost("# CONFIG_C is not set\n# CONFIG_D is not set\n", config), None);
        assert_eq!(lost("CONFIG_A=y\nCONFIG_D=y\n", config), Some("CONFIG_D=y"));
        assert_eq!(lost("# CONFIG_A is not set\n", config), Some("# CONFIG_A is not set"));
    }

    /// The emulated board's is built from one version; others are built from any.
    #[test]
    fn an_option_that_was_renamed_stands_under_both_names_where_the_version_is_open() {
        crate::tree::enter().unwrap();
        for name in crate::board::names().unwrap().iter().filter(|name| *name != EMULATED) {
            let text = fs::read_to_string(format!("board/{name}/u-boot.config")).unwrap();
            for (old, new) in [
                ("CONFIG_SYS_REDUNDAND_ENVIRONMENT", "CONFIG_ENV_REDUNDANT"),
                ("CONFIG_SYS_MMC_ENV_DEV", "CONFIG_ENV_MMC_DEVICE_INDEX"),
                ("CONFIG_SYS_MMC_ENV_PART", "CONFIG_ENV_MMC_EMMC_HW_PARTITION"),
            ] {
                let value = |name: &str| {
                    let start = format!("{name}=");
                    text.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
                };
                assert!(value(old).is_some() && value(old) == value(new), "{name}: {old}, {new}");
            }
        }
    }

    #[test]
    fn the_place_of_what_is_built_depends_on_the_environment() {
        let recipe = |environment: &str| Recipe {
            fragment: String::new(),
            environment: environment.to_owned(),
            config: String::new(),
        };
        let place = |environment| recipe(environment).directory().unwrap();
        assert_eq!(place("a=1\n"), place("a=1\n"));
        assert_ne!(place("a=1\n"), place("a=2\n"));
    }
}

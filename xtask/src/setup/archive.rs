//! Debian's archive at the machine's own mirror, asked with lists of our own: other releases and
//! architectures than the machine's, and nothing of its configuration is changed.

use super::apt;
use crate::command::{program, quiet, text};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// `deb` or `deb-src`.
    pub(super) kind: &'a str,
    /// Debian's name for the machine that shall run it.
    pub(super) architecture: &'a str,
    /// Packages come from the last one, and from the others where that has them not.
    pub(super) suites: &'a [&'a str],
}

/// Lists of packages in a directory.
#[derive(Debug)]
pub(super) struct Archive {
    directory: PathBuf,
    options: Vec<String>,
}

impl Archive {
    /// Brings the lists of what is wanted from the machine's mirror.
    pub(super) fn open(directory: &Path, wanted: Wanted<'_>) -> Result<Self> {
        let mirror = mirror()?;
        let place = |suite: &&str| format!("{mirror} {suite} main");
        let places: Vec<String> = wanted.suites.iter().map(place).collect();
        Self::at(directory, wanted, &places)
    }

    /// Brings the lists of places, each a mirror, a suite and a component.
    pub(super) fn at(directory: &Path, wanted: Wanted<'_>, places: &[String]) -> Result<Self> {
        for below in ["etc", "state/lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(directory.join(below))?;
        }
        let Wanted { kind, architecture, suites } = wanted;
        let options = format!("[signed-by={KEYRING} arch={architecture}]");
        let list: String =
            places.iter().map(|place| format!("{kind} {options} {place}\n")).collect();
        fs::write(directory.join("etc/sources.list"), list)?;
        fs::write(directory.join("state/status"), "")?;
        let place = |option: &str, below: &str| {
            format!("Dir::{option}={}", directory.join(below).display())
        };
        let mut options = vec![
            place("Etc", "etc"),
            place("State", "state"),
            place("State::status", "state/status"),
            place("Cache", "cache"),
            // What the machine needs to be let in.
            "Dir::Etc::netrc=/etc/apt/auth.conf".to_owned(),
            "Dir::Etc::netrcparts=/etc/apt/auth.conf.d".to_owned(),
            format!("APT::Architecture={architecture}"),
            format!("APT::Architectures::={architecture}"),
            "APT::Install-Recommends=false".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ];
        options.extend(suites.last().map(|suite| format!("APT::Default-Release={suite}")));
        let archive = Self { directory: directory.to_owned(), options };
        quiet(&mut archive.apt(&["update"]))?;
        Ok(archive)
    }

    fn apt(&self, arguments: &[&str]) -> Command {
        let mut command = apt(arguments);
        command.args(self.options.iter().flat_map(|option| ["-o", option]));
        command.current_dir(&self.directory);
        command
    }

    /// The packages and all they depend on, unpacked into one root.
    pub(super) fn unpack_with_dependencies(&self, packages: &[&str], to: &Path) -> Result<()> {
        let mut install = self.apt(&["install", "--yes", "--download-only"]);
        quiet(install.args(packages))?;
        unpack(&self.directory.join("cache/archives"), to)
    }

    /// The packages alone, unpacked into one root.
    pub(super) fn unpack(&self, packages: &[&str], to: &Path) -> Result<()> {
        quiet(self.apt(&["download"]).args(packages))?;
        unpack(&self.directory, to)
    }

    /// The upstream tarball of a source package.
    pub(super) fn tarball(&self, source: &str) -> Result<PathBuf> {
        quiet(&mut self.apt(&["source", "--download-only", "--tar-only", source]))?;
        let tarball = |path: &PathBuf| path.to_string_lossy().contains(".orig.tar.");
        let found = files(&self.directory)?.into_iter().find(tarball);
        found.with_context(|| format!("apt brought no tarball of {source}"))
    }

    /// The first package that another depends on whose name starts so.
    pub(super) fn dependency(&self, package: &str, start: &str) -> Result<String> {
        let mut show = self.apt(&[]);
        let mut query = Command::new("apt-cache");
        query.args(show.get_args().skip(1)).args(["show", package]);
        show.current_dir("/");
        let shown = text(&mut query)?;
        let depends = shown.lines().find_map(|line| line.strip_prefix("Depends: "));
        let names = depends.unwrap_or_default().split([',', '|']).map(str::trim);
        let mut names = names.filter_map(|entry| entry.split(' ').next());
        let found = names.find(|name| name.starts_with(start)).map(str::to_owned);
        found.with_context(|| format!("{package} depends on nothing that starts with {start}"))
    }
}

/// Debian's name for this machine's architecture.
pub(super) fn architecture() -> Result<String> {
    Ok(text(&mut program("dpkg", &["--print-architecture"]))?.trim().to_owned())
}

/// Where the machine has its own release from.
fn mirror() -> Result<String> {
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let codename = codename.context("/etc/os-release has no VERSION_CODENAME")?.trim_matches('"');
    let policy = text(&mut program("apt-cache", &["policy", "base-files"]))?;
    let origin = origin(&policy, codename);
    origin.with_context(|| format!("apt has no mirror of {codename}"))
}

/// The URI in the version table of `apt-cache policy` whose suite it is.
fn origin(policy: &str, codename: &str) -> Option<String> {
    policy.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, uri, place, _, "Packages"] = words[..] else {
            return None;
        };
        let (suite, component) = place.split_once('/')?;
        (suite == codename && component == "main").then(|| uri.to_owned())
    })
}

fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn unpack(directory: &Path, to: &Path) -> Result<()> {
    let packages = files(directory)?.into_iter();
    let mut count = 0;
    for package in packages.filter(|path| path.extension().is_some_and(|kind| kind == "deb")) {
        quiet(program("dpkg", &["-x"]).arg(&package).arg(to))?;
        fs::remove_file(package)?;
        count += 1;
    }
    if count == 0 {
        bail!("apt brought no packages");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_where_the_release_itself_comes_from() {
        let policy = "base-files:\n  Installed: 1\n  Version table:\n *** 1 500\n        \
            500 http://security.example/debian bookworm-security/main amd64 Packages\n        \
            500 http://mirror.example/debian bookworm/main amd64 Packages\n";
        assert_eq!(origin(policy, "bookworm").unwrap(), "http://mirror.example/debian");
        assert_eq!(origin(policy, "trixie"), None);
    }
}

//! A whole eMMC as a factory would write it: partition table, boot loader, environment, recovery,
//! slot a, data. Slot b is empty. The same bytes whenever it is made.

mod disk;
mod gpt;
pub(crate) mod guid;
mod reading;

use crate::board::Board;
use crate::command::quiet;
use crate::environment::{self, Environment};
use crate::rootfs::cache::{self, Item};
use crate::rootfs::contents::Contents;
use crate::rootfs::ext4::FileSystem;
use crate::rootfs::sources::Sources;
use crate::rootfs::{self, Variant};
use crate::{build, tree};
use anyhow::{Context, Result, bail};
use disk::{Disk, Part};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the first release of an image is called.
const RELEASE: &str = "release-1";

/// The task.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let request = Request::parse(arguments)?;
    let mut board = Board::load(&request.board)?;
    if let Some(option) = &request.option {
        board = board.with(option)?;
    }
    build::run(&[])?;
    let mut variant = Variant::good(RELEASE);
    match &request.verify_key {
        Some(key) => variant.verify_key.clone_from(key),
        None => println!("image: will trust the tests' key, which everybody has; --verify-key"),
    }
    fs::create_dir_all(&request.out)?;
    let image = request.out.join(format!("{}.img", board.name));
    make(&board, &variant, &image)?;
    println!("{}: {} bytes, every one checked", image.display(), board.emmc.bytes);
    boot_loader(&board, &request.out)?;
    if request.check {
        again(arguments, &image)?;
        println!("{}: made twice, the same bytes", image.display());
    }
    Ok(())
}

const USAGE: &str = "image takes BOARD [--out DIR] [--with OPTION] [--verify-key FILE] [--check]";

struct Request {
    board: String,
    out: PathBuf,
    option: Option<String>,
    verify_key: Option<PathBuf>,
    check: bool,
}

impl Request {
    fn parse(arguments: &[String]) -> Result<Self> {
        let (board, options) = arguments.split_first().context(USAGE)?;
        let mut options = options.iter();
        let out = tree::target()?.join("boards");
        let (board, option, verify_key) = (board.clone(), None, None);
        let mut request = Self { board, out, option, verify_key, check: false };
        while let Some(option) = options.next() {
            let mut value = || options.next().context(USAGE);
            match option.as_str() {
                "--out" => request.out = value()?.into(),
                "--with" => request.option = Some(value()?.clone()),
                "--verify-key" => request.verify_key = Some(value()?.into()),
                "--check" => request.check = true,
                _ => bail!(USAGE),
            }
        }
        Ok(request)
    }
}

/// Writes what a U-Boot for the board is built from: its environment, and what goes over the
/// defconfig.
fn boot_loader(board: &Board, out: &Path) -> Result<()> {
    let text = std::path::absolute(out)?.join(format!("{}.env", board.name));
    fs::write(&text, Environment::of(board)?.text())?;
    let directory = Path::new("board").join(&board.name);
    let mut config = fs::read_to_string(directory.join("u-boot.config"))?;
    if let Some(option) = &board.option {
        config += &fs::read_to_string(directory.join(format!("{option}.config")))?;
    }
    config += &environment::config(board, &text);
    let path = out.join(format!("{}.u-boot.config", board.name));
    fs::write(&path, config)?;
    println!("{} and {}: for its U-Boot", path.display(), text.display());
    Ok(())
}

/// Makes the image of a board whose slot a holds a release, and reads it again.
pub(crate) fn make(board: &Board, variant: &Variant, to: &Path) -> Result<()> {
    let parts = parts(board, variant)?;
    let part = to.with_extension("part");
    let disk = Disk::create(&part, board.emmc.bytes)?;
    let regions = board.regions();
    for (name, part) in &parts {
        let region = regions.iter().find(|region| region.name == *name);
        disk.put(region.with_context(|| format!("board {} has no {name}", board.name))?, part)?;
    }
    reading::check(board, &part, &parts).with_context(|| part.display().to_string())?;
    Ok(fs::rename(part, to)?)
}

/// What goes where, by the names of regions. Slot b stays empty.
fn parts(board: &Board, variant: &Variant) -> Result<Vec<(String, Part)>> {
    let tables = gpt::tables(board)?;
    let [first, second] = Environment::of(board)?.copies(board.environment.bytes)?;
    let bytes = [
        ("the partition table", tables.primary),
        ("the backup partition table", tables.backup),
        ("environment copy 1", first),
        ("environment copy 2", second),
    ];
    let files = [
        ("recovery", rootfs::recovery(board)?),
        ("slot-a", rootfs::build(board, variant)?),
        ("data", data(board, &[])?),
    ];
    let sources = Sources::find()?;
    let boot = board.boot_copies.iter().map(|copy| {
        let file = sources.package("usr/lib/u-boot").join(&copy.file);
        (copy.name.clone(), Part::File(file))
    });
    let bytes = bytes.into_iter().map(|(name, bytes)| (name.to_owned(), Part::Bytes(bytes)));
    let files = files.into_iter().map(|(name, file)| (name.to_owned(), Part::File(file)));
    Ok(bytes.chain(files).chain(boot).collect())
}

/// The data partition, which an update must never touch, with these files on it.
pub(crate) fn data(board: &Board, files: &[(&str, &str)]) -> Result<PathBuf> {
    let mut contents = Contents::new();
    for (path, text) in files {
        contents.text(path, *text);
    }
    contents.directory("twinslot");
    contents.directory("u-boot");
    // Something of the owner's, to be found again byte by byte.
    let ledger: String = (0..20_000).map(|entry| format!("entry {entry}\n")).collect();
    contents.text("stand-in/ledger", ledger);
    let bytes = board.partition("data")?.bytes;
    let seed = format!("data {} {bytes} {}", board.name, contents.digest());
    let digest = guid::Guid::derived(&[&seed]).to_string().replace('-', "");
    let system = FileSystem { label: "data", seed: &seed, bytes, journal: true };
    let item = Item { name: "data", digest: &digest, extension: "ext4" };
    item.find_or_make(|to| system.make(&contents, to))
}

/// Makes it again as another process that finds nothing made before, and compares.
fn again(arguments: &[String], image: &Path) -> Result<()> {
    let second = image.with_extension("second");
    fs::create_dir_all(&second)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("image").args(arguments.iter().filter(|argument| *argument != "--check"));
    command.arg("--out").arg(std::path::absolute(&second)?);
    command.env(cache::VARIABLE, std::path::absolute(second.join("cache"))?);
    quiet(&mut command)?;
    let name = image.file_name().context("an image without a name")?;
    let same = same_bytes(image, &second.join(name))?;
    fs::remove_dir_all(second)?;
    if !same {
        bail!("{}: made again, other bytes", image.display());
    }
    Ok(())
}

fn same_bytes(one: &Path, other: &Path) -> Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(true);
        }
        other.read_exact(&mut right[..count])?;
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}

//! Reads an image again and holds it against its board.toml, with a reader of its own: what
//! `image` wrote is not asked. Never writes.

use super::disk::Part;
use super::gpt::{self, ENTRIES, Entry, HEADER_BYTES, SECTOR};
use super::guid::Guid;
use crate::board::Board;
use crate::board::layout::SECTOR_BYTES;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use uboot_env::{Layout, choose, decode};

/// Where ext4 has its magic number (Documentation/filesystems/ext4/super.rst).
const EXT4_MAGIC_AT: u64 = 1024 + 0x38;
const CHUNK_BYTES: u64 = 1 << 20;
/// What a factory leaves empty.
const EMPTY: &str = "slot-b";

/// The image, and what it should be.
struct Reading<'a> {
    file: File,
    board: &'a Board,
}

/// Checks what every region says, and every byte: those of a region are those of its part, then
/// zero, and all that belongs to nobody is zero.
///
/// # Errors
/// The first thing that is not as the board has it.
pub(crate) fn check(board: &Board, image: &Path, parts: &[(String, Part)]) -> Result<()> {
    let file = File::open(image).with_context(|| format!("cannot read {}", image.display()))?;
    let bytes = file.metadata()?.len();
    if bytes != board.emmc.bytes {
        bail!("the image has {bytes} bytes, the eMMC {}", board.emmc.bytes);
    }
    let reading = Reading { file, board };
    reading.tables()?;
    reading.environment()?;
    reading.boot_copies()?;
    reading.file_systems()?;
    reading.bytes(parts)
}

impl Reading<'_> {
    fn at(&self, start: u64, bytes: usize) -> Result<Vec<u8>> {
        let mut read = vec![0; bytes];
        self.file.read_exact_at(&mut read, start).with_context(|| format!("at {start}"))?;
        Ok(read)
    }

    fn tables(&self) -> Result<()> {
        let last = self.board.emmc.bytes / SECTOR_BYTES - 1;
        if !self.at(510, 2)?.starts_with(&[0x55, 0xaa]) || self.at(450, 1)? != [0xee] {
            bail!("the first sector is no protective MBR");
        }
        let primary = self.table(1, last).context("the partition table")?;
        let backup = self.table(last, 1).context("the backup partition table")?;
        if primary != backup {
            bail!("the two partition tables differ");
        }
        let wanted = gpt::wanted(self.board);
        for (number, entry) in &wanted {
            let found = primary.iter().find(|(found, _)| found == number).map(|(_, entry)| entry);
            if found != Some(entry) {
                bail!("partition {number}: wanted {entry:?}, found {found:?}");
            }
        }
        if primary.len() != wanted.len() {
            bail!("{} partitions, wanted {}", primary.len(), wanted.len());
        }
        Ok(())
    }

    /// The entries of the table with its header in a sector.
    fn table(&self, own: u64, other: u64) -> Result<Vec<(u32, Entry)>> {
        let mut header = self.at(own * SECTOR_BYTES, SECTOR)?;
        let short = |at: usize| Ok::<_, anyhow::Error>(header[at..at + 4].try_into()?);
        let long = |at: usize| Ok::<_, anyhow::Error>(header[at..at + 8].try_into()?);
        let stored = u32::from_le_bytes(short(16)?);
        let entries_crc = u32::from_le_bytes(short(88)?);
        let places = [u64::from_le_bytes(long(24)?), u64::from_le_bytes(long(32)?)];
        let entries_at = u64::from_le_bytes(long(72)?);
        let guid = Guid::read(&header[56..72])?;
        header[16..20].fill(0);
        if !header.starts_with(b"EFI PART") || crc32fast::hash(&header[..HEADER_BYTES]) != stored {
            bail!("the header's CRC is wrong");
        }
        if places != [own, other] || guid != gpt::disk_guid(self.board) {
            bail!("the header is at {places:?} and of the disk {guid}");
        }
        let entries = self.at(entries_at * SECTOR_BYTES, ENTRIES * 128)?;
        if crc32fast::hash(&entries) != entries_crc {
            bail!("the CRC of the entries is wrong");
        }
        let mut found = Vec::new();
        for (number, room) in (1..).zip(entries.chunks_exact(128)) {
            found.extend(Entry::read(room)?.map(|entry| (number, entry)));
        }
        Ok(found)
    }

    fn environment(&self) -> Result<()> {
        let bytes = usize::try_from(self.board.environment.bytes)?;
        let [first, second] = self.board.environment.starts;
        let (first, second) = (self.at(first, bytes)?, self.at(second, bytes)?);
        let [first, second] = [&first, &second].map(|copy| decode(copy, Layout::Redundant));
        let (first, second) = (first.context("copy 1")?, second.context("copy 2")?);
        if (first.serial(), second.serial()) != (1, 0) {
            bail!("the serials are {} and {}, wanted 1 and 0", first.serial(), second.serial());
        }
        let same = first.vars().eq(second.vars()) && first.vars().count() > 0;
        if !same {
            bail!("the environment copies are empty or differ");
        }
        choose(Ok::<_, uboot_env::BadCopy>(first), Ok(second)).context("no environment")?;
        Ok(())
    }

    fn boot_copies(&self) -> Result<()> {
        for copy in &self.board.boot_copies {
            let found = self.at(copy.start, copy.magic.len())?;
            if found != copy.magic {
                bail!("{} starts with {found:02x?}, wanted {:02x?}", copy.name, copy.magic);
            }
        }
        Ok(())
    }

    fn file_systems(&self) -> Result<()> {
        for part in &self.board.partitions {
            let found = self.at(part.start + EXT4_MAGIC_AT, 2)? == [0x53, 0xef];
            if found == (part.name == EMPTY) {
                bail!("{}: is there an ext4 file system? {found}", part.name);
            }
        }
        Ok(())
    }

    fn bytes(&self, parts: &[(String, Part)]) -> Result<()> {
        let mut end = 0;
        for region in self.board.regions() {
            self.zeros(end, region.start)?;
            let part = parts.iter().find(|(name, _)| *name == region.name);
            let bytes = part.map_or(Ok(0), |(_, part)| self.part(region.start, part));
            self.zeros(region.start + bytes?, region.end()).with_context(|| region.name.clone())?;
            end = region.end();
        }
        self.zeros(end, self.board.emmc.bytes)
    }

    /// How many bytes stand there, all of them the part's.
    fn part(&self, start: u64, part: &Part) -> Result<u64> {
        let (bytes, mut reader) = part.open()?;
        let mut at = 0;
        while at < bytes {
            let count = usize::try_from(CHUNK_BYTES.min(bytes - at))?;
            let mut wanted = vec![0; count];
            reader.read_exact(&mut wanted)?;
            if self.at(start + at, count)? != wanted {
                bail!("other bytes than its part's between {at} and {}", at + CHUNK_BYTES);
            }
            at += CHUNK_BYTES.min(bytes - at);
        }
        Ok(bytes)
    }

    fn zeros(&self, from: u64, to: u64) -> Result<()> {
        let zeros = vec![0; usize::try_from(CHUNK_BYTES)?];
        let mut at = from;
        while at < to {
            let bytes = CHUNK_BYTES.min(to - at);
            let count = usize::try_from(bytes)?;
            if self.at(at, count)? != zeros[..count] {
                bail!("between {at} and {} is something that belongs to nobody", at + bytes);
            }
            at += bytes;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::Disk;
    use super::*;
    use crate::environment::Environment;
    use std::path::PathBuf;

    /// A board of 64 MiB with everything in it.
    const BOARD: &str = "device_type = \"x\"\ncompatible = []\n\
        [emmc]\nbytes = \"64MiB\"\ncontroller = \"x\"\n\
        [environment]\nbytes = \"16KiB\"\ncopies = [\"10MiB\", \"11MiB\"]\n\
        [[boot_copy]]\nname = \"loader\"\nfile = \"x\"\nstart = \"32KiB\"\nsize = \"1KiB\"\n\
        magic = \"abcd\"\n\
        [[partition]]\nnumber = 1\nname = \"recovery\"\nstart = \"16MiB\"\nsize = \"1MiB\"\n\
        [[partition]]\nnumber = 2\nname = \"slot-a\"\nstart = \"20MiB\"\nsize = \"4MiB\"\n\
        [[partition]]\nnumber = 3\nname = \"slot-b\"\nstart = \"24MiB\"\nsize = \"4MiB\"\n\
        [[partition]]\nnumber = 4\nname = \"data\"\nstart = \"28MiB\"\nsize = \"1MiB\"\n";
    const MIB: u64 = 1 << 20;

    struct Made {
        board: Board,
        parts: Vec<(String, Part)>,
        path: PathBuf,
    }

    impl Made {
        fn new(name: &str) -> Self {
            crate::tree::enter().unwrap();
            let board = Board::parse("x", BOARD).unwrap();
            assert_eq!(board.faults(), Vec::<String>::new());
            let tables = gpt::tables(&board).unwrap();
            let environment = Environment::of(&Board::load("qemu-virt").unwrap()).unwrap();
            let [first, second] = environment.copies(board.environment.bytes).unwrap();
            let mut system = vec![1; 8192];
            system[1080..1082].copy_from_slice(&[0x53, 0xef]);
            let parts = [
                ("the partition table", tables.primary),
                ("the backup partition table", tables.backup),
                ("environment copy 1", first),
                ("environment copy 2", second),
                ("loader", vec![0xab, 0xcd, 3]),
                ("recovery", system.clone()),
                ("slot-a", system.clone()),
                ("data", system),
            ];
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(name, part)| (name.to_owned(), Part::Bytes(part)))
                .collect();
            let path =
                std::env::temp_dir().join(format!("xtask-image-{}-{name}", std::process::id()));
            let disk = Disk::create(&path, board.emmc.bytes).unwrap();
            for region in board.regions() {
                if let Some((_, part)) = parts.iter().find(|(name, _)| *name == region.name) {
                    disk.put(&region, part).unwrap();
                }
            }
            Self { board, parts, path }
        }

        fn check(&self) -> Result<()> {
            check(&self.board, &self.path, &self.parts)
        }
    }

    #[test]
    fn an_image_as_its_board_has_it_passes_and_one_other_byte_anywhere_does_not() {
        let made = Made::new("bytes");
        made.check().unwrap();
        let file = File::options().read(true).write(true).open(&made.path).unwrap();
        let end = made.board.emmc.bytes;
        for at in [
            450,
            512,
            512 + 60,
            1024 + 128,
            1024 + 5 * 128,
            32 << 10,
            (32 << 10) + 3,
            5 * MIB,
            10 * MIB,
            10 * MIB + 20,
            11 * MIB + 20,
            12 * MIB,
            16 * MIB + 1080,
            20 * MIB + 8191,
            20 * MIB + 8192,
            24 * MIB,
            28 * MIB + 9000,
            30 * MIB,
            end - (33 << 9),
            end - 512 + 60,
            end - 1,
        ] {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ 1], at).unwrap();
            assert!(made.check().is_err(), "{at}");
            file.write_all_at(&byte, at).unwrap();
        }
        made.check().unwrap();
        std::fs::remove_file(made.path).unwrap();
    }

    #[test]
    fn sfdisk_reads_the_table_as_we_do_and_finds_no_fault() {
        let made = Made::new("sfdisk");
        let verify = crate::command::program("sfdisk", &["--verify"]).arg(&made.path).output();
        let said = String::from_utf8(verify.unwrap().stdout).unwrap();
        assert!(said.contains("No errors detected."), "{said}");
        let dump = crate::command::program("sfdisk", &["--dump"]).arg(&made.path).output().unwrap();
        let dump = String::from_utf8(dump.stdout).unwrap();
        for part in &made.board.partitions {
            let guid = crate::rootfs::part_guid(&made.board, &part.name).to_string();
            let (guid, name) = (guid.to_uppercase(), &part.name);
            let line = dump.lines().find(|line| line.contains(&format!("uuid={guid}"))).unwrap();
            assert!(line.contains(&format!("name=\"{name}\"")), "{line}");
            let start = part.start / SECTOR_BYTES;
            assert!(line.contains(&format!("start={start:>12},")), "{line}");
        }
        std::fs::remove_file(made.path).unwrap();
    }
}

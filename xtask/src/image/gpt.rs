//! The partition table of an image: protective MBR, header and entries at the start, entries and
//! header again at the end (UEFI 2.10, chapter 5). Bytes only: never touches a file.

use super::guid::{Guid, LINUX};
use crate::board::Board;
use crate::board::layout::SECTOR_BYTES;
use crate::rootfs::part_guid;
use anyhow::{Context, Result, bail};

pub(crate) const ENTRIES: usize = 128;
const ENTRY_BYTES: usize = 128;
pub(crate) const HEADER_BYTES: usize = 92;
pub(crate) const SECTOR: usize = 512;
/// Sectors that the entries take.
const ENTRIES_SECTORS: u64 = 32;
/// "Legacy BIOS bootable": what U-Boot takes for bootable.
const BOOTABLE: u64 = 1 << 2;

/// Both copies, ready to write.
#[derive(Debug)]
pub(crate) struct Tables {
    /// From the first byte of the disk.
    pub(crate) primary: Vec<u8>,
    /// To the last byte of the disk.
    pub(crate) backup: Vec<u8>,
}

/// A partition as a table has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Guid,
    pub(crate) guid: Guid,
    pub(crate) name: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) attributes: u64,
}

/// What a board's table must say: an entry for each number that has one.
pub(crate) fn wanted(board: &Board) -> Vec<(u32, Entry)> {
    let entry = |part: &crate::board::Partition| Entry {
        kind: LINUX,
        guid: part_guid(board, &part.name),
        name: part.name.clone(),
        first: part.start / SECTOR_BYTES,
        last: (part.start + part.bytes) / SECTOR_BYTES - 1,
        attributes: if part.name.starts_with("slot-") { BOOTABLE } else { 0 },
    };
    board.partitions.iter().map(|part| (part.number, entry(part))).collect()
}

/// The identifier of the whole disk.
pub(crate) fn disk_guid(board: &Board) -> Guid {
    Guid::derived(&["disk", &board.name])
}

/// Both tables of a board.
pub(crate) fn tables(board: &Board) -> Result<Tables> {
    let mut entries = vec![0; ENTRIES * ENTRY_BYTES];
    for (number, entry) in wanted(board) {
        let at = (usize::try_from(number)? - 1) * ENTRY_BYTES;
        let room = entries.get_mut(at..at + ENTRY_BYTES).context("a partition number over 128")?;
        entry.store(room)?;
    }
    let last = board.emmc.bytes / SECTOR_BYTES - 1;
    let guid = disk_guid(board);
    let primary = Header { own: 1, other: last, entries: 2, guid };
    let backup = Header { own: last, other: 1, entries: last - ENTRIES_SECTORS, guid };
    let mut tables = Tables { primary: protective(last), backup: entries.clone() };
    tables.primary.extend(primary.sector(&entries));
    tables.primary.extend(&entries);
    tables.backup.extend(backup.sector(&entries));
    Ok(tables)
}

struct Header {
    own: u64,
    other: u64,
    entries: u64,
    guid: Guid,
}

impl Header {
    fn sector(&self, entries: &[u8]) -> Vec<u8> {
        let last_usable = self.own.max(self.other) - ENTRIES_SECTORS - 1;
        let mut header = b"EFI PART\0\0\x01\0\x5c\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        for sector in [self.own, self.other, 2 + ENTRIES_SECTORS, last_usable] {
            header.extend(sector.to_le_bytes());
        }
        header.extend(self.guid.stored());
        header.extend(self.entries.to_le_bytes());
        for number in [128_u32, 128, crc32fast::hash(entries)] {
            header.extend(number.to_le_bytes());
        }
        let crc = crc32fast::hash(&header);
        header[16..20].copy_from_slice(&crc.to_le_bytes());
        header.resize(SECTOR, 0);
        header
    }
}

impl Entry {
    fn store(&self, room: &mut [u8]) -> Result<()> {
        room[..16].copy_from_slice(&self.kind.stored());
        room[16..32].copy_from_slice(&self.guid.stored());
        room[32..40].copy_from_slice(&self.first.to_le_bytes());
        room[40..48].copy_from_slice(&self.last.to_le_bytes());
        room[48..56].copy_from_slice(&self.attributes.to_le_bytes());
        let name: Vec<u8> = self.name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        if name.len() > ENTRY_BYTES - 56 {
            bail!("the partition name {:?} has over 36 characters", self.name);
        }
        room[56..56 + name.len()].copy_from_slice(&name);
        Ok(())
    }

    /// The entry that is stored in 128 bytes, if one is.
    pub(crate) fn read(room: &[u8]) -> Result<Option<Self>> {
        let number = |at: usize| -> Result<u64> {
            Ok(u64::from_le_bytes(room.get(at..at + 8).context("too short")?.try_into()?))
        };
        if room.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let units = room[56..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let name: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        Ok(Some(Self {
            kind: Guid::read(&room[..16])?,
            guid: Guid::read(&room[16..32])?,
            name: String::from_utf16(&name)?,
            first: number(32)?,
            last: number(40)?,
            attributes: number(48)?,
        }))
    }
}

/// The MBR that keeps tools which know no GPT away.
fn protective(last: u64) -> Vec<u8> {
    let mut sector = vec![0; SECTOR];
    // Not bootable, cylinder 0 head 0 sector 2, GPT, to the last cylinder, from sector 1.
    sector[446..458].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0]);
    let sectors = u32::try_from(last).unwrap_or(u32::MAX);
    sector[458..462].copy_from_slice(&sectors.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

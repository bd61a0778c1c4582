//! Partition tables, read from the disk itself: for kernels that publish no PARTUUID and roots
//! without udev's links. Never writes, never opens a device.
//!
//! GPT: UEFI specification 2.10, chapter 5. MBR and the form of its PARTUUID: block/partitions
//! in Linux (`%08x-%02x`, disk signature and partition number).

use std::io;

use super::partition::Spec;

/// Most entries of a table that are looked at; every common tool makes 128.
const ENTRIES_MAX: u32 = 1024;

/// The one size of an entry that Linux accepts, in bytes.
const ENTRY_BYTES: usize = 128;

/// The part of a GPT header that is specified, in bytes.
const HEADER_BYTES: usize = 92;

/// The largest logical block, in bytes.
const BLOCK_MAX: usize = 4096;

/// A disk to read a table from.
pub(crate) struct Disk<'a> {
    /// Fills the buffer from this byte offset.
    pub(crate) read: &'a dyn Fn(u64, &mut [u8]) -> io::Result<()>,
    /// A logical block: a power of two from 512 to 4096.
    pub(crate) block_bytes: usize,
    pub(crate) size_bytes: u64,
}

/// What a disk says its partitions are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Gpt(Vec<Entry>),
    Mbr { signature: u32 },
}

/// A used entry of a GPT.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The partition's number: entries count from 1.
    pub(crate) number: u32,
    /// The partition's own UUID, as text in lower case.
    pub(crate) uuid: String,
    pub(crate) label: String,
}

impl Table {
    /// The table of `disk`, as Linux chooses it: a GPT only behind a protective MBR, the backup
    /// where the primary is bad. `None` where there is neither.
    pub(crate) fn read(disk: &Disk<'_>) -> Option<Self> {
        let mut sector = [0; 512];
        (disk.read)(0, &mut sector).ok()?;
        if sector[510..] != [0x55, 0xaa] {
            return None;
        }
        if !is_protective(&sector) {
            return Some(Self::Mbr { signature: word(&sector, 440)? });
        }
        let last = disk.size_bytes.checked_div(u64::try_from(disk.block_bytes).ok()?)?;
        let entries = disk.entries(1).or_else(|| disk.entries(last.checked_sub(1)?))?;
        Some(Self::Gpt(entries))
    }

    /// The numbers of the partitions that `spec` names here.
    pub(crate) fn numbers(&self, spec: &Spec) -> Vec<u32> {
        match (self, spec) {
            (Self::Gpt(entries), Spec::PartUuid(uuid)) => {
                numbers(entries, |entry| entry.uuid.eq_ignore_ascii_case(uuid))
            }
            (Self::Gpt(entries), Spec::PartLabel(label)) => {
                numbers(entries, |entry| entry.label == *label)
            }
            (Self::Mbr { signature }, Spec::PartUuid(uuid)) => {
                mbr_number(*signature, uuid).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Disk<'_> {
    /// The used entries behind the header in block `lba`, if header and entries are whole.
    fn entries(&self, lba: u64) -> Option<Vec<Entry>> {
        let mut buffer = [0; BLOCK_MAX];
        let block = buffer.get_mut(..self.block_bytes)?;
        let block_bytes = u64::try_from(self.block_bytes).ok()?;
        (self.read)(lba.checked_mul(block_bytes)?, block).ok()?;
        let header = Header::parse(block, lba)?;
        let mut bytes = vec![0; header.count.checked_mul(ENTRY_BYTES)?];
        (self.read)(header.entries_lba.checked_mul(block_bytes)?, &mut bytes).ok()?;
        if crc32fast::hash(&bytes) != header.entries_crc {
            return None;
        }
        Some(bytes.chunks_exact(ENTRY_BYTES).zip(1..).filter_map(entry).collect())
    }
}

/// The fields of a GPT header that lead to the entries.
struct Header {
    entries_lba: u64,
    entries_crc: u32,
    count: usize,
}

impl Header {
    /// From the block at `lba`, which the header must name as its own.
    fn parse(block: &[u8], lba: u64) -> Option<Self> {
        let length = usize::try_from(word(block, 12)?).ok()?;
        if !block.starts_with(b"EFI PART") || length < HEADER_BYTES || length > block.len() {
            return None;
        }
        let mut sum = crc32fast::Hasher::new();
        sum.update(&block[..16]);
        sum.update(&[0; 4]);
        sum.update(&block[20..length]);
        let count = word(block, 80)?;
        let sound = sum.finalize() == word(block, 16)?
            && long(block, 24)? == lba
            && usize::try_from(word(block, 84)?) == Ok(ENTRY_BYTES)
            && count <= ENTRIES_MAX;
        if !sound {
            return None;
        }
        Some(Self {
            entries_lba: long(block, 72)?,
            entries_crc: word(block, 88)?,
            count: usize::try_from(count).ok()?,
        })
    }
}

/// An entry that is in use: its type is not all zero.
fn entry((bytes, number): (&[u8], u32)) -> Option<Entry> {
    if bytes[..16].iter().all(|byte| *byte == 0) {
        return None;
    }
    let units = bytes[56..ENTRY_BYTES].chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let label = char::decode_utf16(units.take_while(|unit| *unit != 0))
        .map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Some(Entry { number, uuid: uuid(&bytes[16..32])?, label })
}

/// A UUID as text: the first three fields are little-endian on disk (UEFI appendix A).
fn uuid(bytes: &[u8]) -> Option<String> {
    let first = word(bytes, 0)?;
    let second = u16::from_le_bytes([bytes[4], bytes[5]]);
    let third = u16::from_le_bytes([bytes[6], bytes[7]]);
    let fourth = u16::from_be_bytes([bytes[8], bytes[9]]);
    let node: String = bytes.get(10..16)?.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{node}"))
}

/// One of the MBR's four entries covers the disk from block 1 for the GPT's sake (type 0xee).
fn is_protective(sector: &[u8; 512]) -> bool {
    sector[446..510].chunks_exact(16).any(|part| part[4] == 0xee && word(part, 8) == Some(1))
}

/// The partition number in `uuid`, if it is of the disk with `signature`; 0 is no signature.
fn mbr_number(signature: u32, uuid: &str) -> Option<u32> {
    let same = |number: &u32| uuid.eq_ignore_ascii_case(&format!("{signature:08x}-{number:02x}"));
    if signature == 0 { None } else { (1..=255).find(same) }
}

fn numbers(entries: &[Entry], wanted: impl Fn(&Entry) -> bool) -> Vec<u32> {
    entries.iter().filter(|entry| wanted(entry)).map(|entry| entry.number).collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0fc63daf-8483-4772-8e79-3d69d8477de4";
    const BLOCKS: usize = 64;

    /// A disk of 64 blocks with partition 2 named `slot b`, laid out as sfdisk does.
    fn gpt(block: usize) -> Vec<u8> {
        let mut disk = vec![0; BLOCKS * block];
        disk[446 + 4] = 0xee;
        disk[446 + 8] = 1;
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        let mut entries = vec![0; 4 * ENTRY_BYTES];
        let node = [0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4];
        let own = [[0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47], node].concat();
        entries[128] = 1;
        entries[144..160].copy_from_slice(&own);
        for (at, unit) in "slot b".encode_utf16().enumerate() {
            entries[184 + 2 * at..186 + 2 * at].copy_from_slice(&unit.to_le_bytes());
        }
        for (own, entries_lba) in [(1, 2), (BLOCKS - 1, BLOCKS - 2)] {
            disk[entries_lba * block..][..entries.len()].copy_from_slice(&entries);
            let header = header(own, entries_lba, crc32fast::hash(&entries));
            disk[own * block..][..header.len()].copy_from_slice(&header);
        }
        disk
    }

    fn header(own: usize, entries_lba: usize, entries_crc: u32) -> Vec<u8> {
        let mut header = vec![0; HEADER_BYTES];
        header[..8].copy_from_slice(b"EFI PART");
        header[12] = 92;
        header[24] = u8::try_from(own).unwrap();
        header[72] = u8::try_from(entries_lba).unwrap();
        header[80] = 4;
        header[84] = 128;
        header[88..92].copy_from_slice(&entries_crc.to_le_bytes());
        let sum = crc32fast::hash(&header);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
        header
    }

    fn read(bytes: &[u8], block_bytes: usize) -> Option<Table> {
        let read = |at: u64, into: &mut [u8]| {
            let from = bytes.get(usize::try_from(at).unwrap()..).unwrap_or_default();
            let from = from.get(..into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            into.copy_from_slice(from);
            Ok(())
        };
        let size_bytes = u64::try_from(bytes.len()).unwrap();
        Table::read(&Disk { read: &read, block_bytes, size_bytes })
    }

    fn expected() -> Table {
        Table::Gpt(vec![Entry { number: 2, uuid: UUID.to_owned(), label: "slot b".to_owned() }])
    }

    #[test]
    fn a_gpt_is_read_with_blocks_of_512_and_of_4096_bytes() {
        assert_eq!(read(&gpt(512), 512), Some(expected()));
        assert_eq!(read(&gpt(4096), 4096), Some(expected()));
    }

    #[test]
    fn any_flipped_bit_of_the_primary_leaves_the_backup() {
        for at in (512..512 + HEADER_BYTES).chain(1024..1024 + 512) {
            let mut disk = gpt(512);
            disk[at] ^= 1;
            assert_eq!(read(&disk, 512), Some(expected()), "byte {at}");
        }
    }

    #[test]
    fn two_bad_headers_are_no_table() {
        let mut disk = gpt(512);
        disk[512] ^= 1;
        disk[(BLOCKS - 1) * 512] ^= 1;
        assert_eq!(read(&disk, 512), None);
    }

    #[test]
    fn a_count_over_the_bound_is_refused_before_memory_is_taken() {
        let mut disk = gpt(512);
        for own in [1, BLOCKS - 1] {
            let mut header = header(own, 2, 0);
            header[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
            header[16..20].fill(0);
            let sum = crc32fast::hash(&header);
            header[16..20].copy_from_slice(&sum.to_le_bytes());
            disk[own * 512..][..header.len()].copy_from_slice(&header);
        }
        assert_eq!(read(&disk, 512), None);
    }

    #[test]
    fn a_stale_gpt_under_an_ordinary_mbr_is_ignored() {
        let mut disk = gpt(512);
        disk[446 + 4] = 0x83;
        disk[440..444].copy_from_slice(&0xdead_beef_u32.to_le_bytes());
        let table = read(&disk, 512).unwrap();
        assert_eq!(table, Table::Mbr { signature: 0xdead_beef });
        assert_eq!(table.numbers(&Spec::PartUuid("DEADBEEF-0a".to_owned())), [10]);
        assert!(table.numbers(&Spec::PartUuid("deadbee0-0a".to_owned())).is_empty());
        assert!(table.numbers(&Spec::PartUuid("deadbeef-+a".to_owned())).is_empty());
    }

    #[test]
    fn a_disk_cut_anywhere_is_no_table_or_the_same() {
        let disk = gpt(512);
        for length in 0..disk.len() {
            let table = read(&disk[..length], 512);
            assert!(table.is_none() || table == Some(expected()), "{length} bytes");
        }
    }

    #[test]
    fn a_uuid_matches_in_any_case_and_a_label_only_as_written() {
        let table = expected();
        assert_eq!(table.numbers(&Spec::PartUuid(UUID.to_uppercase())), [2]);
        assert_eq!(table.numbers(&Spec::PartLabel("slot b".to_owned())), [2]);
        assert!(table.numbers(&Spec::PartLabel("Slot B".to_owned())).is_empty());
    }
}

//! Where everything is on a board's eMMC, and the rules that must hold for it.

use super::Board;

/// The sector of a partition table.
pub(crate) const SECTOR_BYTES: u64 = 512;
/// The protective MBR, the header and 128 entries; the same without the MBR at the end.
pub(crate) const TABLE_SECTORS: u64 = 34;

const MIB: u64 = 1 << 20;
/// What `u-boot-rockchip.bin` written as one piece overwrites ends below this.
const ENVIRONMENT_FLOOR_BYTES: u64 = 10 * MIB;
/// Two copies never share an erase group.
const COPIES_APART_BYTES: u64 = 512 << 10;
/// Chips up to this size are addressed by bytes, and QEMU wants a power of two of them.
const BYTE_ADDRESSED_BYTES: u64 = 2 << 30;
/// What a board's boot logic relies on.
const PARTITIONS: [&str; 4] = ["recovery", "slot-a", "slot-b", "data"];

/// A part of the eMMC that has one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
}

impl Region {
    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes)
    }
}

impl Board {
    /// All of them, sorted by their start.
    pub(crate) fn regions(&self) -> Vec<Region> {
        let region = |name: String, start, bytes| Region { name, start, bytes };
        let table = TABLE_SECTORS * SECTOR_BYTES;
        let backup = table - SECTOR_BYTES;
        let end = self.emmc.bytes.saturating_sub(backup);
        let mut regions = vec![
            region("the partition table".into(), 0, table),
            region("the backup partition table".into(), end, backup),
        ];
        for (number, start) in (1..).zip(self.environment.starts) {
            let name = format!("environment copy {number}");
            regions.push(region(name, start, self.environment.bytes));
        }
        let boot = self.boot_copies.iter();
        regions.extend(boot.map(|copy| region(copy.name.clone(), copy.start, copy.bytes)));
        let kept = self.reserved.iter();
        regions.extend(kept.map(|place| region(place.name.clone(), place.start, place.bytes)));
        let parts = self.partitions.iter();
        regions.extend(parts.map(|part| region(part.name.clone(), part.start, part.bytes)));
        regions.sort_by_key(|region| region.start);
        regions
    }

    /// What does not hold, a sentence each.
    pub(crate) fn faults(&self) -> Vec<String> {
        let mut faults = self.overlaps();
        faults.extend(self.misplaced());
        faults.extend(self.misaligned());
        faults.extend(self.misnamed());
        faults
    }

    fn overlaps(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let regions = self.regions();
        for (index, region) in regions.iter().enumerate() {
            let later = &regions[index + 1..];
            let hit = later.iter().filter(|other| other.start < region.end());
            faults.extend(hit.map(|other| {
                let (end, start) = (region.end(), other.start);
                format!("{} ends at {end}, but {} starts at {start}", region.name, other.name)
            }));
        }
        faults
    }

    fn misplaced(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let bytes = self.emmc.bytes;
        let outside = |region: &&Region| region.end() > bytes;
        for region in self.regions().iter().filter(outside) {
            let end = region.end();
            faults.push(format!("{} ends at {end}, but the eMMC has {bytes} bytes", region.name));
        }
        let [first, second] = self.environment.starts;
        if first.min(second) < ENVIRONMENT_FLOOR_BYTES {
            faults.push(format!(
                "an environment copy starts at {}, where u-boot-rockchip.bin may be written over \
                 it: wanted {ENVIRONMENT_FLOOR_BYTES} or more",
                first.min(second)
            ));
        }
        if first.abs_diff(second) < COPIES_APART_BYTES {
            faults.push(format!("the environment copies share {COPIES_APART_BYTES} bytes"));
        }
        faults
    }

    fn misaligned(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if !self.emmc.bytes.is_multiple_of(MIB) {
            faults.push(format!("the eMMC has {} bytes, no whole MiB", self.emmc.bytes));
        }
        if self.emmc.bytes <= BYTE_ADDRESSED_BYTES && !self.emmc.bytes.is_power_of_two() {
            faults.push("an eMMC of up to 2 GiB has a power of two bytes".to_owned());
        }
        for part in &self.partitions {
            let wanted = if part.name.starts_with("slot-") { 4 * MIB } else { MIB };
            if !part.start.is_multiple_of(wanted)
                || !part.bytes.is_multiple_of(wanted)
                || part.bytes == 0
            {
                faults.push(format!("{}: wanted start and size by {wanted} bytes", part.name));
            }
        }
        let odd = |region: &&Region| {
            !region.start.is_multiple_of(SECTOR_BYTES) || !region.bytes.is_multiple_of(SECTOR_BYTES)
        };
        let regions = self.regions();
        let odd = regions.iter().filter(odd);
        faults.extend(odd.map(|region| format!("{}: wanted whole sectors", region.name)));
        faults
    }

    fn misnamed(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for wanted in PARTITIONS {
            let count = self.partitions.iter().filter(|part| part.name == wanted).count();
            if count != 1 {
                faults.push(format!("wanted one partition {wanted}, found {count}"));
            }
        }
        let slot = |name: &str| self.partition(name).map(|part| part.bytes).ok();
        if slot("slot-a") != slot("slot-b") {
            faults.push("slot-a and slot-b differ in size".to_owned());
        }
        for (index, part) in self.partitions.iter().enumerate() {
            let taken = self.partitions[..index].iter().any(|other| other.number == part.number);
            if taken || !(1..=128).contains(&part.number) {
                faults.push(format!("{}: no partition can be number {}", part.name, part.number));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../board/qemu-virt/board.toml");

    fn faults(from: &str, to: &str) -> Vec<String> {
        assert!(GOOD.contains(from), "{from}");
        Board::parse("x", &GOOD.replacen(from, to, 1)).unwrap().faults()
    }

    #[test]
    fn a_layout_that_holds_has_no_faults() {
        assert_eq!(faults("[emmc]", "[emmc]"), Vec::<String>::new());
    }

    #[test]
    fn neighbours_may_touch_and_not_overlap_by_one_sector() {
        let copies = "copies = [\"10MiB\", \"10.5MiB\"]";
        assert!(faults(copies, "copies = [\"10MiB\", \"16352KiB\"]").is_empty());
        let found = faults(copies, "copies = [\"10MiB\", \"16352.5KiB\"]");
        assert_eq!(found, ["environment copy 2 ends at 16777728, but recovery starts at 16777216"]);
    }

    #[test]
    fn every_rule_says_what_it_wants_in_one_sentence() {
        for (from, to, said) in [
            ("\"4GiB\"", "\"191MiB\"", "data ends at"),
            ("\"4GiB\"", "\"256.5MiB\"", "no whole MiB"),
            ("\"4GiB\"", "\"300MiB\"", "power of two"),
            ("\"10MiB\", ", "\"9MiB\", ", "u-boot-rockchip.bin"),
            ("\"10.5MiB\"", "\"10.25MiB\"", "share 524288 bytes"),
            ("start = \"64MiB\"", "start = \"65MiB\"", "slot-a: wanted start and size"),
            ("\"slot-b\"", "\"slot-c\"", "wanted one partition slot-b, found 0"),
            ("number = 2", "number = 1", "slot-a: no partition can be number 1"),
            ("number = 1", "number = 129", "recovery: no partition can be number 129"),
            ("size = \"48MiB\"", "size = \"44MiB\"", ""),
            ("start = \"16MiB\"", "start = \"0B\"", "but recovery starts at 0"),
        ] {
            let found = faults(from, to);
            let seen = found.iter().any(|fault| fault.contains(said));
            assert!(seen || (said.is_empty() && found.is_empty()), "{to}: {found:?}");
        }
    }
}

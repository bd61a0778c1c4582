//! What an eMMC says about its own health: its EXT_CSD register. Only ever reads the card.

use std::fs::File;
use std::os::fd::AsRawFd;

use super::Failure;
use super::number::DeviceNumber;

/// The register's length in bytes (JESD84-B51, 7.4).
const EXT_CSD_BYTES: usize = 512;

/// `SEND_EXT_CSD` on an eMMC; on an SD card CMD8 is another command.
const SEND_EXT_CSD: u32 = 8;

/// `MMC_RSP_SPI_R1 | MMC_RSP_R1 | MMC_CMD_ADTC` (include/linux/mmc/core.h).
const READ_FLAGS: u32 = 0xb5;

/// `struct mmc_ioc_cmd` of linux/mmc/ioctl.h.
#[repr(C)]
struct Command {
    write_flag: i32,
    is_acmd: i32,
    opcode: u32,
    arg: u32,
    response: [u32; 4],
    flags: u32,
    blksz: u32,
    blocks: u32,
    postsleep_min_us: u32,
    postsleep_max_us: u32,
    data_timeout_ns: u32,
    cmd_timeout_ms: u32,
    pad: u32,
    data_ptr: u64,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<Command>() == 72);
    assert!(offset_of!(Command, write_flag) == 0);
    assert!(offset_of!(Command, is_acmd) == 4);
    assert!(offset_of!(Command, opcode) == 8);
    assert!(offset_of!(Command, arg) == 12);
    assert!(offset_of!(Command, response) == 16);
    assert!(offset_of!(Command, flags) == 32);
    assert!(offset_of!(Command, blksz) == 36);
    assert!(offset_of!(Command, blocks) == 40);
    assert!(offset_of!(Command, postsleep_min_us) == 44);
    assert!(offset_of!(Command, postsleep_max_us) == 48);
    assert!(offset_of!(Command, data_timeout_ns) == 52);
    assert!(offset_of!(Command, cmd_timeout_ms) == 56);
    assert!(offset_of!(Command, pad) == 60);
    assert!(offset_of!(Command, data_ptr) == 64);
    // 0xc048b300; the two topmost bits, the direction, do not fit musl's signed type.
    assert!(nix::request_code_readwrite!(179, 0, size_of::<Command>()) & 0x3fff_ffff == 0x48_b300);
};

/// `MMC_IOC_CMD` of linux/mmc/ioctl.h; 179 is the block major of MMC.
mod request {
    nix::ioctl_readwrite!(command, 179, 0, super::Command);
}

/// How much of its spare blocks an eMMC has used up (`PRE_EOL_INFO`, byte 267).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PreEol {
    /// Not reported.
    Undefined,
    Normal,
    /// 80 % used.
    Warning,
    /// 90 % used.
    Urgent,
    /// A value of a later standard.
    Reserved(u8),
}

impl PreEol {
    /// The word of `status --json`.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
            Self::Reserved(_) => "reserved",
        }
    }

    const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Undefined,
            1 => Self::Normal,
            2 => Self::Warning,
            3 => Self::Urgent,
            other => Self::Reserved(other),
        }
    }
}

/// The facts of EXT_CSD that an owner asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    /// `EXT_CSD_REV`: 7 is eMMC 5.0, 8 is 5.1. The wear fields mean something from 7 on.
    pub(crate) revision: u8,
    pub(crate) pre_eol: PreEol,
    /// Life used in steps of 10 %, 1 to 10, 11 for beyond; 0 is not reported. Type A memory.
    pub(crate) life_time_a: u8,
    /// The same for type B memory.
    pub(crate) life_time_b: u8,
    /// The volatile cache is on: what was written needs a flush to stay.
    pub(crate) cache: bool,
}

/// Asks the eMMC that is `disk`; `None` where `disk` is none, or its driver takes no commands.
///
/// # Errors
/// The node cannot be opened, or the kernel refuses the command (it wants `CAP_SYS_RAWIO`).
pub(crate) fn health(disk: DeviceNumber) -> Result<Option<Health>, Failure> {
    if !is_emmc(disk) {
        return Ok(None);
    }
    let Some(path) = disk.node() else { return Ok(None) };
    let file = File::open(&path).map_err(|error| Failure::new("open", &path, &error))?;
    match read_ext_csd(&file) {
        Ok(register) => Ok(Some(decode(&register))),
        Err(nix::Error::ENOTTY | nix::Error::EOPNOTSUPP) => Ok(None),
        Err(errno) => Err(Failure::new("ask", &path, &errno.into())),
    }
}

/// The whole disk of a card that calls itself MMC and not SD.
fn is_emmc(disk: DeviceNumber) -> bool {
    let is_whole = disk.name().is_some_and(|name| is_whole_disk(&name));
    is_whole && disk.attribute("device/type").is_some_and(|card| card == "MMC")
}

/// `mmcblk2`, and not its partitions, which refuse commands.
fn is_whole_disk(name: &str) -> bool {
    name.strip_prefix("mmcblk")
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn read_ext_csd(card: &File) -> Result<[u8; EXT_CSD_BYTES], nix::Error> {
    let mut register = [0; EXT_CSD_BYTES];
    let mut command = Command {
        write_flag: 0,
        is_acmd: 0,
        opcode: SEND_EXT_CSD,
        arg: 0,
        response: [0; 4],
        flags: READ_FLAGS,
        blksz: 512,
        blocks: 1,
        postsleep_min_us: 0,
        postsleep_max_us: 0,
        data_timeout_ns: 0,
        cmd_timeout_ms: 0,
        pad: 0,
        data_ptr: u64::try_from(register.as_mut_ptr().expose_provenance())
            .map_err(|_| nix::Error::EFAULT)?,
    };
    // SAFETY: the kernel reads and writes one mmc_ioc_cmd, whose layout is asserted above, and
    // writes blksz * blocks = 512 bytes at data_ptr: `register` is as long, and both live and
    // are borrowed by nothing else until the call returns.
    unsafe { request::command(card.as_raw_fd(), &raw mut command) }?;
    Ok(register)
}

/// Byte numbers of JESD84-B51, table 137.
fn decode(register: &[u8; EXT_CSD_BYTES]) -> Health {
    Health {
        revision: register[192],
        pre_eol: PreEol::from_byte(register[267]),
        life_time_a: register[268],
        life_time_b: register[269],
        cache: register[33] & 1 == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_is_decoded_by_byte_number() {
        let mut register = [0; EXT_CSD_BYTES];
        for (at, byte) in [(192, 8), (267, 2), (268, 3), (269, 11), (33, 1)] {
            register[at] = byte;
        }
        let health = decode(&register);
        assert_eq!((health.revision, health.pre_eol), (8, PreEol::Warning));
        assert_eq!((health.life_time_a, health.life_time_b, health.cache), (3, 11, true));
    }

    #[test]
    fn pre_eol_has_a_word_for_every_value() {
        let words = [0, 1, 2, 3, 4].map(|byte| PreEol::from_byte(byte).word());
        assert_eq!(words, ["undefined", "normal", "warning", "urgent", "reserved"]);
    }

    #[test]
    fn only_whole_disks_are_asked() {
        assert!(is_whole_disk("mmcblk0") && is_whole_disk("mmcblk12"));
        for name in ["mmcblk0p1", "mmcblk0boot0", "mmcblk", "sda", "loop0"] {
            assert!(!is_whole_disk(name), "{name}");
        }
    }

    #[test]
    fn what_is_no_emmc_has_no_health() {
        assert_eq!(health(DeviceNumber { major: 7, minor: 0 }).unwrap(), None);
    }
}

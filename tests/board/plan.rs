//! What a board is to be like, before it is made.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How the slots lie on media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One GPT disk: the environment before p1, slots p2 and p3, data p4.
    Partitions,
    /// Each slot a loop device of its own, so is the environment, so is data.
    WholeLoops,
}

/// How the configuration names the slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    Path,
    PartUuid,
    PartLabel,
}

/// What programs `/` has beside twinslot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Userland {
    /// None at all: the binary is static, and runs no other program.
    Bare,
    /// The machine's /usr, for Debian's mender, health checks and shells.
    Debian,
}

/// What `/` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// The booted slot, read-only.
    Slot,
    /// An overlay on the booted slot.
    Overlay,
    /// Neither: memory. Which slot booted, only the kernel command line may tell.
    Memory,
}

pub struct Plan {
    pub layout: Layout,
    pub root: Root,
    pub naming: Naming,
    pub userland: Userland,
    /// Of each slot.
    pub slot_bytes: u64,
    /// Of one copy.
    pub environment_bytes: u64,
    /// A file whose bytes slot b's loop device has as its medium, made by the test; with
    /// [`Layout::WholeLoops`] only.
    pub slot_b_image: Option<PathBuf>,
    /// The same for the environment's device.
    pub environment_image: Option<PathBuf>,
    /// The only copy of the environment there is, of 0 and 1; the other one was never written.
    pub one_copy: Option<usize>,
    /// mender.conf, without RootfsPartA and B.
    pub config: Map<String, Value>,
    /// Of U-Boot, without the four that name the booted slot.
    pub variables: BTreeMap<String, String>,
    /// What /etc/mender/artifact_info of slot a and of slot b says; None where there is no file.
    pub artifact_names: [Option<&'static str>; 2],
    pub device_type: String,
}

impl Default for Plan {
    fn default() -> Self {
        let config = json!({ "ArtifactVerifyKey": "/etc/mender/artifact-verify-key.pem" });
        Self {
            layout: Layout::Partitions,
            root: Root::Slot,
            naming: Naming::Path,
            userland: Userland::Bare,
            slot_bytes: 16 << 20,
            environment_bytes: 0x8000,
            slot_b_image: None,
            environment_image: None,
            one_copy: None,
            config: config.as_object().unwrap().clone(),
            variables: variables(),
            artifact_names: [Some("release-1"), None],
            device_type: "rockpro64".to_owned(),
        }
    }
}

/// A board's own variables, besides those an update touches.
fn variables() -> BTreeMap<String, String> {
    let swap = "if test ${mender_boot_part} = 2; then setenv mender_boot_part 3; \
                setenv mender_boot_part_hex 3; else setenv mender_boot_part 2; \
                setenv mender_boot_part_hex 2; fi; setenv upgrade_available 0; saveenv";
    let pairs = [
        ("altbootcmd", "run mender_altbootcmd; run bootcmd"),
        ("bootcmd", "run mender_setup; load ${mender_uboot_root} ${kernel_addr_r} Image; booti"),
        ("bootdelay", "2"),
        ("bootlimit", "1"),
        ("ethaddr", "02:00:5e:10:00:01"),
        ("mender_altbootcmd", swap),
        ("mender_check_saveenv_canary", "1"),
        ("mender_saveenv_canary", "1"),
        ("serial#", "0123456789abcdef"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

//! What the running system says about where it was booted from. Gathers evidence; who is booted
//! is decided elsewhere.

use std::path::Path;

use twinslot::slot::Slot;

use super::mounts::{self, Mount};
use super::number::{DeviceNumber, read_text};
use super::partition::{Spec, Unsupported};

/// How many overlays may lie on each other before the search stops; Linux allows two.
const LAYERS_MAX: u32 = 4;

/// All there is to know about the root file system.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// The block device `/` is on, below any overlay; `None` for a root in memory or on a net.
    pub(crate) device: Option<DeviceNumber>,
    /// What the boot loader told the kernel.
    pub(crate) command_line: CommandLine,
}

/// The arguments on the kernel's command line that name a slot; the last of each counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// `root=`
    pub(crate) root: Option<Result<Spec, Unsupported>>,
    /// `twinslot.slot=a|b`, or what stood there instead.
    pub(crate) slot: Option<Result<Slot, String>>,
}

impl Evidence {
    /// Looks now. What cannot be read is no evidence.
    pub(crate) fn gather() -> Self {
        let mountinfo = read_text(Path::new("/proc/self/mountinfo")).unwrap_or_default();
        let view = View {
            mountinfo: &mountinfo,
            holding: &|path| DeviceNumber::holding(Path::new(path)),
            node: &|path| DeviceNumber::of_block_node(Path::new(path)),
        };
        let command_line = read_text(Path::new("/proc/cmdline")).unwrap_or_default();
        Self { device: view.root(), command_line: CommandLine::parse(&command_line) }
    }
}

impl CommandLine {
    /// What stands behind a lone `--` is for init (kernel-parameters.rst).
    pub(crate) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for argument in arguments(text).take_while(|argument| argument != "--") {
            if let Some(root) = argument.strip_prefix("root=") {
                found.root = Some(root.parse());
            } else if let Some(slot) = argument.strip_prefix("twinslot.slot=") {
                found.slot = Some(slot_named(slot));
            }
        }
        found
    }
}

fn slot_named(text: &str) -> Result<Slot, String> {
    [Slot::A, Slot::B].into_iter().find(|slot| slot.letter() == text).ok_or_else(|| text.to_owned())
}

/// Splits at blanks outside of double quotes, and drops the quotes (`next_arg` in lib/cmdline.c).
fn arguments(text: &str) -> impl Iterator<Item = String> {
    let mut quoted = false;
    text.split(move |c: char| {
        quoted ^= c == '"';
        c.is_ascii_whitespace() && !quoted
    })
    .filter(|argument| !argument.is_empty())
    .map(|argument| argument.replace('"', ""))
}

/// The file systems as one process sees them.
struct View<'a> {
    mountinfo: &'a str,
    /// The device that holds the file at a path.
    holding: &'a dyn Fn(&str) -> Option<DeviceNumber>,
    /// The device that the node at a path stands for.
    node: &'a dyn Fn(&str) -> Option<DeviceNumber>,
}

impl View<'_> {
    fn root(&self) -> Option<DeviceNumber> {
        self.below((self.holding)("/")?, "/", LAYERS_MAX)
    }

    /// The block device below the file system `number`, which holds the directory `at`.
    fn below(&self, number: DeviceNumber, at: &str, layers: u32) -> Option<DeviceNumber> {
        if !number.is_anonymous() {
            return Some(number);
        }
        let mount = self.mount(number, at)?;
        if mount.kind != "overlay" {
            return (self.node)(&mount.source);
        }
        let layers = layers.checked_sub(1)?;
        mount.lower_directories().iter().find_map(|lower| {
            self.holders(lower)
                .filter(|holder| *holder != number)
                .find_map(|holder| self.below(holder, lower, layers))
        })
    }

    /// The mount of an anonymous file system: by number, or for btrfs, whose files and mounts
    /// bear different numbers, the newest one at that very place.
    fn mount(&self, number: DeviceNumber, at: &str) -> Option<Mount<'_>> {
        let mut newest_first = mounts::parse(self.mountinfo).rev();
        newest_first.find(|mount| mount.number == number).or_else(|| self.mounted_at(at))
    }

    fn mounted_at(&self, point: &str) -> Option<Mount<'_>> {
        mounts::parse(self.mountinfo).rev().find(|mount| mount.point == point)
    }

    /// What may hold the lower directory at `path`: what is there now, or what is mounted there
    /// even if an upper layer hides it.
    fn holders(&self, path: &str) -> impl Iterator<Item = DeviceNumber> {
        let mounted = self.mounted_at(path).map(|mount| mount.number);
        (self.holding)(path).into_iter().chain(mounted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: DeviceNumber = DeviceNumber { major: 179, minor: 2 };

    fn anonymous(minor: u32) -> DeviceNumber {
        DeviceNumber { major: 0, minor }
    }

    fn root(mountinfo: &str, held: &[(&str, DeviceNumber)]) -> Option<DeviceNumber> {
        let held = |path: &str| held.iter().find(|(known, _)| *known == path).map(|(_, n)| *n);
        let node = |path: &str| (path == "/dev/mmcblk2p2").then_some(SLOT);
        View { mountinfo, holding: &held, node: &node }.root()
    }

    #[test]
    fn a_plain_root_is_the_device_of_its_files() {
        assert_eq!(root("", &[("/", SLOT)]), Some(SLOT));
    }

    #[test]
    fn a_root_in_memory_is_on_no_device() {
        assert_eq!(root("1 1 0:2 / / rw - rootfs rootfs rw", &[("/", anonymous(2))]), None);
        assert_eq!(root("", &[("/", anonymous(2))]), None);
    }

    #[test]
    fn an_overlay_is_on_the_device_of_its_lower_directory() {
        let text =
            "30 1 0:40 / / rw - overlay overlayroot rw,lowerdir=/media/root\\040ro,upperdir=/u";
        let held = [("/", anonymous(40)), ("/media/root ro", SLOT)];
        assert_eq!(root(text, &held), Some(SLOT));
    }

    #[test]
    fn a_lower_directory_hidden_by_the_overlay_is_found_by_its_mount() {
        let text = "30 1 0:40 / / rw - overlay overlay rw,lowerdir=/ro,upperdir=/u\n\
                    31 30 179:2 / /ro ro - ext4 /dev/root ro";
        let held = [("/", anonymous(40)), ("/ro", anonymous(40))];
        assert_eq!(root(text, &held), Some(SLOT));
    }

    #[test]
    fn a_lower_directory_in_memory_gives_way_to_the_next() {
        let text = "30 1 0:40 / / rw - overlay overlay rw,lowerdir=/config:/ro\n\
                    31 30 0:41 / /config ro - tmpfs tmpfs ro";
        let held = [("/", anonymous(40)), ("/config", anonymous(41)), ("/ro", SLOT)];
        assert_eq!(root(text, &held), Some(SLOT));
    }

    #[test]
    fn overlays_are_followed_four_deep_and_no_deeper() {
        let stack = |deep: u32| {
            let mut text = String::new();
            let mut names: Vec<_> = (0..deep).map(|at| format!("/{at}")).collect();
            names[0] = "/".to_owned();
            let mut held = Vec::new();
            for (at, name) in (0..deep).zip(&names) {
                let lower = format!("/{}", at + 1);
                text += &format!("1 1 0:{at} / {name} rw - overlay o rw,lowerdir={lower}\n");
                held.push((name.as_str(), anonymous(at)));
            }
            let last = format!("/{deep}");
            held.push((&last, SLOT));
            root(&text, &held)
        };
        assert_eq!(stack(1), Some(SLOT));
        assert_eq!(stack(4), Some(SLOT));
        assert_eq!(stack(5), None);
    }

    #[test]
    fn an_overlay_on_itself_is_on_no_device() {
        let text = "30 1 0:40 / / rw - overlay overlay rw,lowerdir=/";
        assert_eq!(root(text, &[("/", anonymous(40))]), None);
    }

    #[test]
    fn a_btrfs_root_is_on_the_device_it_was_mounted_from() {
        let text = "30 1 0:33 /@ / rw - btrfs /dev/mmcblk2p2 rw,subvol=/@";
        assert_eq!(root(text, &[("/", anonymous(35))]), Some(SLOT));
    }

    #[test]
    fn the_command_line_names_root_and_slot_and_the_last_counts() {
        let line = "console=ttyS2 root=/dev/mmcblk1p2 rw root=PARTUUID=ab-03 twinslot.slot=b\n";
        let found = CommandLine::parse(line);
        assert_eq!(found.root, Some(Ok(Spec::PartUuid("ab-03".to_owned()))));
        assert_eq!(found.slot, Some(Ok(Slot::B)));
    }

    #[test]
    fn quotes_hold_a_blank_and_arguments_of_init_are_not_the_kernels() {
        let found = CommandLine::parse("x=\"a root=/no\" root=\"PARTLABEL=slot a\" -- root=/init");
        assert_eq!(found.root, Some(Ok(Spec::PartLabel("slot a".to_owned()))));
        assert_eq!(found.slot, None);
    }

    #[test]
    fn a_root_by_file_system_uuid_and_an_unknown_slot_are_reported() {
        let found = CommandLine::parse("root=UUID=1-2 twinslot.slot=c rootwait nroot=/x");
        assert_eq!(found.root, Some(Err(Unsupported("UUID=1-2".to_owned()))));
        assert_eq!(found.slot, Some(Err("c".to_owned())));
    }

    #[test]
    fn the_machine_this_runs_on_can_be_asked() {
        let evidence = Evidence::gather();
        if let Some(device) = evidence.device {
            assert!(std::fs::exists(device.sysfs()).unwrap());
        }
    }
}

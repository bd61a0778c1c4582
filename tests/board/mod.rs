//! A board on loop devices: two slots, U-Boot's environment, a data partition, and `/` of the
//! booted slot in a chroot. Made by the real tools, and gone when it is dropped.

#![allow(dead_code, unreachable_pub, clippy::missing_panics_doc)]

pub mod artifacts;
pub mod daemon;
pub mod environment;
pub mod failing_medium;
pub mod forge;
pub mod loop_device;
pub mod media;
pub mod mounts;
#[cfg(not(target_env = "musl"))]
pub mod nginx;
pub mod outcome;
pub mod plan;
pub mod programs;
pub mod random;
pub mod refuser;
pub mod root;
pub mod slot;
pub mod tar;
pub mod tools;

use environment::{Environment, Tool};
use loop_device::Loop;
use media::Media;
use mounts::Mounts;
use outcome::Outcome;
use plan::{Naming, Plan, Root, Userland};
use root::Settings;
use serde_json::Value;
use slot::{Place, Slot};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::thread;
use tempfile::TempDir;
use tools::{must, program, text};

/// Fields are dropped in this order: mounts, then devices, then the files behind them.
pub struct Board {
    mounts: Mounts,
    pub environment: Environment,
    slots: [Place; 2],
    data: PathBuf,
    _data_disk: Rc<Loop>,
    booted: Slot,
    tool: Tool,
    plan: Plan,
    directory: TempDir,
}

/// What no refused update may change.
pub struct Snapshot {
    environment: [Vec<u8>; 2],
    booted: Vec<u8>,
}

impl Board {
    /// Made, and booted into slot a.
    pub fn new(plan: Plan) -> Self {
        let directory = TempDir::with_prefix("twinslot-board.").unwrap();
        for name in ["root", "made"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let media = Media::make(&plan, directory.path());
        let mut variables = plan.variables.clone();
        let number = media.slots[0].number;
        variables.extend([
            ("mender_boot_part".to_owned(), format!("{number}")),
            ("mender_boot_part_hex".to_owned(), format!("{number:x}")),
            ("upgrade_available".to_owned(), "0".to_owned()),
            ("bootcount".to_owned(), "0".to_owned()),
        ]);
        let path = directory.path();
        let environment = Environment::make(media.environment, path, &plan, &variables);
        must(&mut program("mkfs.ext4", &["-q", "-F", text(&media.data)]));
        let slot_a = text(&media.slots[0].device);
        must(&mut program("mkfs.ext4", &["-q", "-F", "-O", "^has_journal", slot_a]));
        let mut board = Self {
            mounts: Mounts::default(),
            environment,
            slots: media.slots,
            data: media.data,
            _data_disk: media.data_disk,
            booted: Slot::A,
            tool: Tool::UBoot,
            plan,
            directory,
        };
        board.boot_into(Slot::A);
        board
    }

    pub fn place(&self, slot: Slot) -> &Place {
        &self.slots[slot.index()]
    }

    /// What the medium of a slot holds.
    pub fn slot_bytes(&self, slot: Slot) -> Vec<u8> {
        self.place(slot).medium()
    }

    pub fn booted(&self) -> Slot {
        self.booted
    }

    /// `/` of the booted slot, seen from outside.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Which fw_printenv and fw_setenv the board's PATH has.
    pub fn use_tool(&mut self, tool: Tool) {
        self.tool = tool;
    }

    /// Makes a slot `/`, whatever the environment says.
    pub fn boot_into(&mut self, slot: Slot) {
        self.mounts.clear();
        self.booted = slot;
        self.mount_root(slot);
        let root = self.root();
        self.mounts.mount(&["-t", "ext4"], &self.data, &root.join("data"));
        for name in ["proc", "dev", "sys"] {
            self.mounts.bind(&Path::new("/").join(name), &root.join(name));
        }
        self.mounts.tmpfs("16m", &root.join("run"));
        self.mounts.tmpfs("64m", &root.join("tmp"));
        fs::create_dir(root.join("run/lock")).unwrap();
        self.mounts.bind(&self.directory.path().join("made"), &root.join("made"));
        self.lend_program(&tools::twinslot(), "twinslot");
        if self.plan.userland == Userland::Debian {
            self.mount_userland(&root);
        }
        self.fill_data(&root.join("data"));
    }

    /// `/` itself.
    fn mount_root(&mut self, slot: Slot) {
        let (root, device) = (self.root(), self.place(slot).device.clone());
        match self.plan.root {
            Root::Slot => {
                self.fit_out(slot);
                self.mounts.mount(&["-t", "ext4", "-o", "ro"], &device, &root);
            }
            Root::Overlay => {
                self.fit_out(slot);
                self.mount_overlay(&device, &root);
            }
            Root::Memory => {
                self.mounts.tmpfs("16m", &root);
                root::fit_out(&root, &self.settings(slot));
            }
        }
    }

    /// The slot lies below, read-only, under the same name inside and outside of the chroot, as
    /// an initramfs would have left it.
    fn mount_overlay(&mut self, device: &Path, root: &Path) {
        let lower = Path::new("/mnt");
        let upper = self.directory.path().join("upper");
        fs::create_dir_all(&upper).unwrap();
        self.mounts.mount(&["-t", "ext4", "-o", "ro"], device, lower);
        self.mounts.tmpfs("16m", &upper);
        for name in ["files", "work"] {
            fs::create_dir(upper.join(name)).unwrap();
        }
        let [files, work] = ["files", "work"].map(|name| upper.join(name));
        let options = format!("lowerdir=/mnt,upperdir={},workdir={}", text(&files), text(&work));
        self.mounts.mount(&["-t", "overlay", "-o", &options], Path::new("overlay"), root);
        self.mounts.bind(lower, &root.join("mnt"));
    }

    /// Makes /proc/cmdline say this, until the next boot.
    pub fn say_cmdline(&mut self, line: &str) {
        self.put("cmdline", format!("{line}\n").as_bytes());
        let (made, root) = (self.made("cmdline"), self.root());
        self.mounts.bind(&made, &root.join("proc/cmdline"));
    }

    /// Mounts something more on the board, until the next boot.
    pub fn mount(&mut self, options: &[&str], what: &Path, at: &str) {
        let at = self.root().join(at.trim_start_matches('/'));
        self.mounts.mount(options, what, &at);
    }

    /// Does what U-Boot does at a boot: counts it on a trial, goes back when there were more
    /// than bootlimit, and boots what the environment then names.
    pub fn reboot(&mut self) -> Slot {
        let get = |name: &str| self.environment.get(name);
        if get("upgrade_available") == "1" {
            let count = get("bootcount").parse::<u32>().unwrap() + 1;
            if count > get("bootlimit").parse().unwrap() {
                self.fall_back();
            } else {
                self.environment.set(&[("bootcount", &count.to_string())]);
            }
        }
        let number: u32 = self.environment.get("mender_boot_part").parse().unwrap();
        let named = [Slot::A, Slot::B].into_iter().find(|slot| self.place(*slot).number == number);
        let slot = named.unwrap_or_else(|| panic!("mender_boot_part={number} is no slot"));
        self.boot_into(slot);
        slot
    }

    /// altbootcmd's effect.
    fn fall_back(&self) {
        let part: u32 = self.environment.get("mender_boot_part").parse().unwrap();
        let other = self.slots.iter().find(|place| place.number != part).unwrap().number;
        self.environment.set(&[
            ("mender_boot_part", &format!("{other}")),
            ("mender_boot_part_hex", &format!("{other:x}")),
            ("upgrade_available", "0"),
        ]);
    }

    /// Runs twinslot on the board.
    pub fn twinslot(&self, arguments: &[&str]) -> Outcome {
        self.run(&[&["twinslot"], arguments].concat())
    }

    /// Runs Debian's client on the board.
    pub fn mender(&self, arguments: &[&str]) -> Outcome {
        self.run(&[&["mender", "--no-syslog"], arguments].concat())
    }

    /// Runs a program in the chroot.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).stdin(Stdio::null()).output().unwrap();
        Outcome::new(arguments.join(" "), &output)
    }

    /// The same with these bytes on its stdin, through a pipe.
    pub fn run_fed(&self, arguments: &[&str], bytes: Vec<u8>) -> Outcome {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It may stop reading when it has seen enough: then the rest has nowhere to go.
        let feeder = thread::spawn(move || stdin.write_all(&bytes).is_ok());
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        Outcome::new(arguments.join(" "), &output)
    }

    /// A command for the chroot, to be started by the caller; it has two minutes.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let root = self.root();
        let head = ["--kill-after=5", "120", "chroot", text(&root)];
        self.on_board(program("timeout", &[&head[..], arguments].concat()))
    }

    /// The same, without a limit: the process that is started becomes the program itself, so
    /// that it can be sent a signal.
    pub fn daemon(&self, arguments: &[&str]) -> Command {
        let root = self.root();
        self.on_board(program("chroot", &[&[text(&root)], arguments].concat()))
    }

    /// With the environment variables that programs of the board have.
    fn on_board(&self, mut command: Command) -> Command {
        let tools = match self.tool {
            Tool::UBoot => "/opt/uboot",
            Tool::LibUbootEnv => "/opt/libubootenv/usr/bin",
        };
        command.env_clear().env("LC_ALL", "C").env("HOME", "/root");
        command.env("PATH", format!("/opt/bin:{tools}:/usr/sbin:/usr/bin:/sbin:/bin"));
        command.env("LD_LIBRARY_PATH", "/opt/libubootenv/usr/lib/x86_64-linux-gnu");
        command
    }

    /// Puts a copy of a file where the board sees it; returns its path there.
    pub fn lend(&self, file: &Path) -> String {
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::copy(file, self.made(name)).unwrap();
        format!("/made/{name}")
    }

    /// Puts a program on the board's PATH, until the next boot.
    pub fn lend_program(&mut self, file: &Path, name: &str) {
        let at = self.root().join("opt/bin").join(name);
        self.mounts.bind(file, &at);
    }

    /// Puts a file with these bytes there.
    pub fn put(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.made(name), bytes).unwrap();
        format!("/made/{name}")
    }

    /// Where a file that the board sees as /made/NAME lies.
    pub fn made(&self, name: &str) -> PathBuf {
        self.directory.path().join("made").join(name)
    }

    /// mender.conf as the board has it, and with one more key or another value.
    pub fn config(&self) -> serde_json::Map<String, Value> {
        let mut config = self.plan.config.clone();
        for (key, slot) in [("RootfsPartA", Slot::A), ("RootfsPartB", Slot::B)] {
            config.entry(key).or_insert_with(|| self.slot_name(slot).into());
        }
        config
    }

    /// A variant of the board's configuration as a file; returns its path on the board.
    pub fn config_with(&self, key: &str, value: impl Into<Value>) -> String {
        let mut config = self.config();
        config.insert(key.to_owned(), value.into());
        self.put("other.conf", Value::Object(config).to_string().as_bytes())
    }

    pub fn snapshot(&self) -> Snapshot {
        let booted = self.slot_bytes(self.booted);
        Snapshot { environment: self.environment.copies(), booted }
    }

    /// Fails the test when the environment or the booted slot is not as it was, or is armed.
    #[track_caller]
    pub fn assert_untouched(&self, before: &Snapshot, after: &str) {
        assert!(self.environment.copies() == before.environment, "{after}: environment written");
        assert!(self.slot_bytes(self.booted) == before.booted, "{after}: booted slot written");
    }

    /// The environment both tools read must boot this slot, on trial, not yet counted.
    #[track_caller]
    pub fn assert_armed(&self, slot: Slot) {
        let part = self.place(slot).number;
        let wanted = [format!("{part}"), format!("{part:x}"), "1".into(), "0".into()];
        assert_eq!(self.environment.four(), wanted, "armed for {slot:?}");
    }

    /// The environment both tools read must boot this slot, settled.
    #[track_caller]
    pub fn assert_settled(&self, slot: Slot) {
        let part = self.place(slot).number;
        let [decimal, hex, upgrade, _] = self.environment.four();
        let wanted = [format!("{part}"), format!("{part:x}"), "0".into()];
        assert_eq!([decimal, hex, upgrade], wanted, "settled on {slot:?}");
    }

    fn slot_name(&self, slot: Slot) -> String {
        let place = self.place(slot);
        match self.plan.naming {
            Naming::Path => place.device.display().to_string(),
            Naming::PartLabel => format!("PARTLABEL=slot-{}", ["a", "b"][slot.index()]),
            Naming::PartUuid => {
                let arguments = ["--part-uuid", text(place.disk.path()), &place.number.to_string()];
                let uuid = must(&mut program("sfdisk", &arguments));
                format!("PARTUUID={}", uuid.trim().to_lowercase())
            }
        }
    }

    /// Mounts it as it will be, and puts in what it lacks.
    fn fit_out(&self, slot: Slot) {
        let mut mounts = Mounts::default();
        mounts.mount(&["-t", "ext4"], &self.place(slot).device, &self.root());
        root::fit_out(&self.root(), &self.settings(slot));
        mounts.clear();
    }

    fn settings(&self, slot: Slot) -> Settings {
        Settings {
            mender_conf: Value::Object(self.config()).to_string(),
            fw_env_config: self.environment.config(),
            artifact_name: self.plan.artifact_names[slot.index()],
        }
    }

    fn fill_data(&self, data: &Path) {
        let state = data.join("mender");
        if !state.exists() {
            fs::create_dir(&state).unwrap();
            let line = format!("device_type={}\n", self.plan.device_type);
            fs::write(state.join("device_type"), line).unwrap();
        }
    }

    fn mount_userland(&mut self, root: &Path) {
        self.mounts.bind(Path::new("/usr"), &root.join("usr"));
        self.lend_program(&tools::mender(), "mender");
        self.mounts.bind(&tools::uboot(), &root.join("opt/uboot"));
        self.mounts.bind(&tools::libubootenv(), &root.join("opt/libubootenv"));
    }
}

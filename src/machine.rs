//! This machine: its two slots, and which of them runs. Puts the kernel's evidence and the
//! configuration together; never opens a slot.

use std::path::PathBuf;

use twinslot::slot::{BootedSlot, Parts, Slot};

use crate::config::{self, Config};
use crate::sys::number::DeviceNumber;
use crate::sys::partition::{self, Partition, ResolveError, Spec, Unsupported};
use crate::sys::root::{CommandLine, Evidence};

/// Why it cannot be told what the slots are or which one runs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("{key}: {error}")]
    Spec { key: &'static str, error: Unsupported },
    #[error("{key}: {error}")]
    Resolve { key: &'static str, error: ResolveError },
    #[error("RootfsPartA and RootfsPartB are the same device, {}", .0.display())]
    SameDevice(PathBuf),
    #[error("RootfsPartA and RootfsPartB both have the number {0}: the boot loader needs two")]
    SameNumber(u32),
    #[error("{} and {} are not on one disk", a.display(), b.display())]
    DifferentDisks { a: PathBuf, b: PathBuf },
    #[error("{0}: the running system's root is on neither slot")]
    NotBooted(String),
}

/// The two slots and the boot loader's numbers for them.
#[derive(Debug)]
pub(crate) struct Machine {
    a: Partition,
    b: Partition,
    parts: Parts,
    evidence: Evidence,
}

impl Machine {
    /// Finds the configured slots.
    ///
    /// # Errors
    /// A slot is not configured, not there, or the two do not belong together.
    pub(crate) fn find(config: &Config) -> Result<Self, Error> {
        let evidence = Evidence::gather();
        let root_disk = evidence.device.and_then(DeviceNumber::disk);
        let a = slot("RootfsPartA", config.slot_a.as_deref(), root_disk)?;
        let b = slot("RootfsPartB", config.slot_b.as_deref(), root_disk)?;
        if a.device == b.device {
            return Err(Error::SameDevice(a.path));
        }
        if a.disk != b.disk {
            return Err(Error::DifferentDisks { a: a.path, b: b.path });
        }
        let parts = Parts::new(a.number, b.number).ok_or(Error::SameNumber(a.number))?;
        Ok(Self { a, b, parts, evidence })
    }

    /// The device of `slot`.
    pub(crate) fn partition(&self, slot: Slot) -> &Partition {
        match slot {
            Slot::A => &self.a,
            Slot::B => &self.b,
        }
    }

    /// The slot whose system runs: the device of `/`, below any overlay; for a root that is on
    /// no slot (an initramfs) what the kernel's command line says.
    ///
    /// # Errors
    /// Neither names a slot.
    pub(crate) fn booted(&self) -> Result<BootedSlot, Error> {
        let slot = self
            .evidence
            .device
            .and_then(|device| self.slot_of(device))
            .or_else(|| self.named_by(&self.evidence.command_line))
            .ok_or_else(|| Error::NotBooted(self.found()))?;
        Ok(BootedSlot::assertion(slot, self.parts))
    }

    fn slot_of(&self, device: DeviceNumber) -> Option<Slot> {
        [Slot::A, Slot::B].into_iter().find(|slot| self.partition(*slot).device == device)
    }

    fn named_by(&self, line: &CommandLine) -> Option<Slot> {
        if let Some(slot) = &line.slot {
            return slot.as_ref().ok().copied();
        }
        let root = line.root.as_ref()?.as_ref().ok()?;
        let roots = partition::candidates(root).ok()?;
        roots.iter().find_map(|root| self.slot_of(root.device))
    }

    /// What was looked at, for the error.
    fn found(&self) -> String {
        let root = match self.evidence.device {
            Some(device) => device.node().map_or_else(
                || format!("/ is on device {device}"),
                |node| format!("/ is on {}", node.display()),
            ),
            None => "/ is on no block device".to_owned(),
        };
        let line = &self.evidence.command_line;
        match (&line.slot, &line.root) {
            (Some(Err(slot)), _) => format!("{root}, twinslot.slot={slot}"),
            (_, Some(Ok(spec))) => format!("{root}, root={spec}"),
            (_, Some(Err(other))) => format!("{root}, {other}"),
            _ => root,
        }
    }
}

/// The partition a slot's key names. Of several with one UUID (a copied disk), the one on the
/// disk that was booted from.
fn slot(
    key: &'static str,
    spec: Option<&str>,
    root_disk: Option<DeviceNumber>,
) -> Result<Partition, Error> {
    let text = spec.ok_or(config::Error::Missing(key))?;
    let spec: Spec = text.parse().map_err(|error| Error::Spec { key, error })?;
    let resolve = |error| Error::Resolve { key, error };
    if root_disk.is_some() {
        let found = partition::candidates(&spec).map_err(resolve)?;
        let mut here = found.into_iter().filter(|found| found.disk == root_disk);
        if let (Some(one), None) = (here.next(), here.next()) {
            return Ok(one);
        }
    }
    partition::resolve(&spec).map_err(resolve)
}

//! What all scenarios share, made once: the image as the factory writes it, and the artifacts of
//! good releases and bad ones. Starts no board.

use crate::board::Board;
use crate::rootfs::artifact::{self, Artifact};
use crate::rootfs::{self, Health, Init, KernelImage, Root, Settle, Variant};
use crate::{build, image, tree, uboot};
use anyhow::{Result, anyhow};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What the factory puts into slot a.
pub(crate) const FACTORY: &str = "release-1";
/// The private half of the key that test slots trust.
const KEY: &str = "tests/data/artifacts/p256.key";

/// A release, named for what is the matter with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    Good,
    /// Another good one.
    Next,
    /// Its application says that it is not well.
    Unhealthy,
    /// Its application never says how it is.
    HealthHangs,
    /// Bytes of its kernel are zero.
    KernelCorrupt,
    /// Its first process ends, which a kernel cannot bear.
    KernelPanics,
    /// Its first process waits for ever.
    InitHangs,
    /// Nobody settles it at boot.
    ByHand,
    /// Its root is below an overlay.
    Overlay,
}

impl Release {
    /// The artifact's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Good => "release-2",
            Self::Next => "release-3",
            Self::Unhealthy => "release-unhealthy",
            Self::HealthHangs => "release-health-hangs",
            Self::KernelCorrupt => "release-kernel-corrupt",
            Self::KernelPanics => "release-kernel-panics",
            Self::InitHangs => "release-init-hangs",
            Self::ByHand => "release-by-hand",
            Self::Overlay => "release-overlay",
        }
    }

    /// Tells its place on a board's chip from those of the others.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Good => 0,
            Self::Next => 1,
            Self::Unhealthy => 2,
            Self::KernelCorrupt => 3,
            Self::KernelPanics => 4,
            Self::InitHangs => 5,
            Self::ByHand => 6,
            Self::Overlay => 7,
            Self::HealthHangs => 8,
        }
    }

    fn variant(self) -> Variant {
        let good = Variant::good(self.name());
        match self {
            Self::Good | Self::Next => good,
            Self::Unhealthy => Variant { health: Health::Fails, ..good },
            Self::HealthHangs => Variant { health: Health::Hangs, ..good },
            Self::KernelCorrupt => Variant { kernel: KernelImage::Corrupt, ..good },
            Self::KernelPanics => Variant { init: Init::Exits, ..good },
            Self::InitHangs => Variant { init: Init::Hangs, ..good },
            Self::ByHand => Variant { settle: Settle::ByHand, ..good },
            Self::Overlay => Variant { root: Root::Overlay, ..good },
        }
    }
}

/// What is made once.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) board: Board,
    /// A whole eMMC as it leaves the factory.
    pub(crate) factory: PathBuf,
    /// Where boards and logs are kept.
    pub(crate) directory: PathBuf,
    /// Of everything that is random.
    pub(crate) seed: u64,
    making: Mutex<()>,
}

impl Lab {
    /// Builds twinslot and the factory's image.
    pub(crate) fn open(name: &str) -> Result<Self> {
        build::run(&[])?;
        let board = Board::load(uboot::EMULATED)?;
        let directory = tree::target()?.join(name);
        fs::create_dir_all(&directory)?;
        let factory = directory.join("factory.img");
        image::make(&board, &Variant::good(FACTORY), &factory)?;
        Ok(Self { board, factory, directory, seed: 0, making: Mutex::new(()) })
    }

    /// The same, with other dice.
    pub(crate) fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The root file system of the factory's release.
    pub(crate) fn factory_root(&self) -> Result<PathBuf> {
        let _made_once = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        rootfs::build(&self.board, &Variant::good(FACTORY))
    }

    /// A release's root file system.
    pub(crate) fn root(&self, release: Release) -> Result<PathBuf> {
        let _made_once = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        rootfs::build(&self.board, &release.variant())
    }

    /// A release's signed artifact.
    pub(crate) fn artifact(&self, release: Release) -> Result<PathBuf> {
        let root = self.root(release)?;
        let _made_once = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let device_type = &self.board.device_type;
        let says = Artifact { device_type, name: release.name(), key: Path::new(KEY) };
        artifact::write(&root, &says)
            .map_err(|error| anyhow!("no artifact of {}: {error:#}", release.name()))
    }
}

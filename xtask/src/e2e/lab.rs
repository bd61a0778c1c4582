//! What all scenarios share, made once: the image as the factory writes it, and the artifacts of
//! good releases and bad ones. Starts no board.

use crate::board::Board;
use crate::rootfs::artifact::{self, Artifact};
use crate::rootfs::server::ROOT;
use crate::rootfs::{self, Health, Init, KernelImage, Root, Settle, Updates, Variant};
use crate::{build, image, tree, uboot};
use anyhow::{Result, anyhow};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use testserver::Authority;

/// What the factory puts into slot a.
pub(crate) const FACTORY: &str = "release-1";
/// The private half of the key that test slots trust.
pub(crate) const KEY: &str = "tests/data/artifacts/p256.key";

/// A release, named for what is the matter with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    Good,
    /// Another good one.
    Next,
    /// And one more.
    Later,
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
            Self::Later => "release-4",
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
            Self::Later => 9,
        }
    }

    fn variant(self) -> Variant {
        let good = Variant::good(self.name());
        match self {
            Self::Good | Self::Next | Self::Later => good,
            Self::Unhealthy => Variant { health: Health::Fails, ..good },
            Self::HealthHangs => Variant { health: Health::Hangs, init: Init::Waits, ..good },
            Self::KernelCorrupt => Variant { kernel: KernelImage::Corrupt, ..good },
            Self::KernelPanics => Variant { init: Init::Exits, ..good },
            Self::InitHangs => Variant { init: Init::Hangs, ..good },
            Self::ByHand => Variant { settle: Settle::ByHand, ..good },
            Self::Overlay => Variant { root: Root::Overlay, ..good },
        }
    }
}

/// What is made once.
pub(crate) struct Lab {
    pub(crate) board: Board,
    /// A whole eMMC as it leaves the factory.
    pub(crate) factory: PathBuf,
    /// Where boards and logs are kept.
    pub(crate) directory: PathBuf,
    /// Of everything that is random.
    pub(crate) seed: u64,
    /// Stands for the servers that boards ask.
    pub(crate) authority: Authority,
    making: Mutex<()>,
}

impl Lab {
    /// Builds twinslot and the factory's image.
    pub(crate) fn open(name: &str) -> Result<Self> {
        build::board()?;
        let board = Board::load(uboot::EMULATED)?;
        let directory = tree::target()?.join(name);
        fs::create_dir_all(&directory)?;
        let factory = directory.join("factory.img");
        image::make(&board, &Variant::good(FACTORY), &factory)?;
        let authority = Authority::new()?;
        Ok(Self { board, factory, directory, seed: 0, authority, making: Mutex::new(()) })
    }

    /// The same, with other dice.
    pub(crate) fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The root file system of the factory's release.
    pub(crate) fn factory_root(&self) -> Result<PathBuf> {
        self.factory_with(Updates::ByHand)
    }

    /// The same, with another way to get updates.
    pub(crate) fn factory_with(&self, updates: Updates) -> Result<PathBuf> {
        self.made(&Variant { updates, ..Variant::good(FACTORY) })
    }

    /// The data partition of a board that trusts the servers.
    pub(crate) fn data(&self) -> Result<PathBuf> {
        let _made_once = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        image::data(&self.board, &[(ROOT, &self.authority.pem())])
    }

    /// A release's root file system.
    pub(crate) fn root(&self, release: Release) -> Result<PathBuf> {
        self.made(&release.variant())
    }

    /// A release's signed artifact.
    pub(crate) fn artifact(&self, release: Release) -> Result<PathBuf> {
        self.artifact_with(release, Updates::ByHand)
    }

    /// The same, of the release with another way to get updates.
    pub(crate) fn artifact_with(&self, release: Release, updates: Updates) -> Result<PathBuf> {
        let root = self.made(&Variant { updates, ..release.variant() })?;
        let _made_once = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let device_type = &self.board.device_type;
        let says = Artifact { device_type, name: release.name(), key: Path::new(KEY) };
        artifact::write(&root, &says)
            .map_err(|error| anyhow!("no artifact of {}: {error:#}", release.name()))
    }

    fn made(&self, variant: &Variant) -> Result<PathBuf> {
        let _made_once = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        rootfs::build(&self.board, variant)
    }
}

//! The artifacts of a bench: one image in every compression. Made once and kept.

use crate::board::artifacts;
use crate::board::forge::{Compression, Forge, pipe};
use std::fs;
use std::path::Path;
use twinslot::stream::decode::Coding;

const MIB: u64 = 1 << 20;

/// An artifact of the image.
pub(crate) struct Packed {
    pub(crate) coding: Coding,
    pub(crate) name: &'static str,
    pub(crate) rounds: usize,
    /// The most memory that its installation may take.
    pub(crate) peak_bytes: u64,
    /// Whether Debian's client reads it too.
    pub(crate) mender: bool,
    make: fn(&Path, &Path),
}

const GZIP: Packed = Packed {
    coding: Coding::Gzip,
    name: "gzip",
    rounds: 5,
    peak_bytes: 6 * MIB,
    mender: true,
    make: |image, to| write(image, to, "gzip"),
};

const NONE: Packed = Packed {
    coding: Coding::None,
    name: "none",
    make: |image, to| write(image, to, "none"),
    ..GZIP
};

/// With a window of 8 MiB, as `zstd -19` has; mender-artifact 3.9 makes none.
const ZSTD: Packed = Packed {
    coding: Coding::Zstd,
    name: "zstd",
    rounds: 5,
    peak_bytes: (8 + 8) * MIB,
    mender: false,
    make: |image, to| {
        let squeeze = |bytes| again(["zstd", "-qdc"], &["zstd", "-q", "--zstd=wlog=23"], bytes);
        forge(
            image,
            to,
            Forge { data_compression: Compression::Zstd, squeeze, ..Forge::default() },
        );
    },
};

/// With a dictionary of 64 MiB, as mender-artifact's `lzma`, which takes minutes to write it.
const LZMA: Packed = Packed {
    coding: Coding::Xz,
    name: "lzma",
    rounds: 1,
    peak_bytes: (8 + 64) * MIB,
    mender: true,
    make: |image, to| {
        let squeeze = |bytes| again(["xz", "-dc"], &["xz", "--lzma2=preset=1,dict=64MiB"], bytes);
        forge(image, to, Forge { data_compression: Compression::Xz, squeeze, ..Forge::default() });
    },
};

pub(crate) const PACKED: [Packed; 4] = [GZIP, NONE, ZSTD, LZMA];

impl Packed {
    pub(crate) fn file(&self) -> String {
        format!("{}.mender", self.name)
    }

    /// Makes those that are not there.
    pub(crate) fn make_all(shelf: &Path) {
        for packed in &PACKED {
            let (path, part) = (shelf.join(packed.file()), shelf.join("part.mender"));
            if !path.exists() {
                println!("making {}", path.display());
                (packed.make)(&shelf.join("image.ext4"), &part);
                fs::rename(part, path).unwrap();
            }
        }
    }
}

fn write(image: &Path, to: &Path, compression: &str) {
    artifacts::write(to, image, &["-n", "release-2", "--compression", compression]);
}

fn forge(image: &Path, to: &Path, forge: Forge) {
    let payload = fs::read(image).unwrap();
    fs::write(to, Forge { payload, ..forge }.build()).unwrap();
}

/// Compressed otherwise than the forge does it.
fn again(from: [&str; 2], to: &[&str], bytes: Vec<u8>) -> Vec<u8> {
    pipe(to, &pipe(&from, &bytes))
}

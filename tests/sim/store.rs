//! What a medium holds: shared pages, so that a thousand wrecks of one board cost little more
//! than one. A page is never changed, only replaced.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use twinslot::slot::Slot;
use uboot_env::Which;

use super::random::Random;

/// What power cuts tear at.
pub const SECTOR_BYTES: usize = 512;
pub const PAGE_BYTES: usize = 4096;
const SECTORS: usize = PAGE_BYTES / SECTOR_BYTES;

/// One of the things on the medium that is written and flushed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Slot(Slot),
    Copy(Which),
}

impl Place {
    pub fn index(self) -> usize {
        match self {
            Self::Slot(Slot::A) => 0,
            Self::Slot(Slot::B) => 1,
            Self::Copy(Which::First) => 2,
            Self::Copy(Which::Second) => 3,
        }
    }
}

#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    crc: u32,
}

impl Page {
    fn new(bytes: Vec<u8>) -> Arc<Self> {
        let crc = crc32fast::hash(&bytes);
        Arc::new(Self { bytes, crc })
    }

    fn same(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other) || (self.crc == other.crc && self.bytes == other.bytes)
    }
}

/// What became of one sector of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Lost,
    Kept,
    /// Neither old nor new: the number picks what it holds instead.
    Garbled(usize),
}

/// A write as it was issued: pieces of pages, in order.
#[derive(Debug)]
pub struct Write {
    pub place: Place,
    at_byte: usize,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Piece {
    page: usize,
    /// The first sector of the page that is written, and the one after the last.
    from: usize,
    to: usize,
    bytes: Arc<Page>,
}

impl Write {
    pub fn new(place: Place, at_byte: usize, bytes: &[u8]) -> Arc<Self> {
        assert!(at_byte.is_multiple_of(SECTOR_BYTES) && bytes.len().is_multiple_of(SECTOR_BYTES));
        let (mut pieces, mut at, mut rest) = (Vec::new(), at_byte, bytes);
        while !rest.is_empty() {
            let inside = at % PAGE_BYTES;
            let (now, later) = rest.split_at(rest.len().min(PAGE_BYTES - inside));
            let mut page = vec![0; PAGE_BYTES];
            page[inside..inside + now.len()].copy_from_slice(now);
            let (from, to) = (inside / SECTOR_BYTES, (inside + now.len()) / SECTOR_BYTES);
            pieces.push(Piece { page: at / PAGE_BYTES, from, to, bytes: Page::new(page) });
            (at, rest) = (at + now.len(), later);
        }
        Arc::new(Self { place, at_byte, pieces })
    }

    pub fn at_byte(&self) -> usize {
        self.at_byte
    }

    /// How many sectors it names.
    pub fn sectors(&self) -> usize {
        self.pieces.iter().map(|piece| piece.to - piece.from).sum()
    }

    pub fn is_zero(&self) -> bool {
        self.pieces.iter().all(|piece| piece.bytes.bytes.iter().all(|byte| *byte == 0))
    }
}

/// The content of a [`Place`].
#[derive(Debug, Clone)]
pub struct Store(Arc<Sheet>);

#[derive(Debug, Clone)]
struct Sheet {
    pages: Vec<Arc<Page>>,
    print: OnceLock<u64>,
}

impl Store {
    /// Of whole pages.
    pub fn new(bytes: &[u8]) -> Self {
        assert!(bytes.len().is_multiple_of(PAGE_BYTES));
        let pages = bytes.chunks(PAGE_BYTES).map(|page| Page::new(page.to_vec())).collect();
        Self(Arc::new(Sheet { pages, print: OnceLock::new() }))
    }

    pub fn len_bytes(&self) -> usize {
        self.0.pages.len() * PAGE_BYTES
    }

    pub fn read(&self, at_byte: usize, into: &mut [u8]) {
        let mut at = at_byte;
        let mut rest = into;
        while !rest.is_empty() {
            let inside = at % PAGE_BYTES;
            let (now, later) = rest.split_at_mut(rest.len().min(PAGE_BYTES - inside));
            now.copy_from_slice(&self.0.pages[at / PAGE_BYTES].bytes[inside..][..now.len()]);
            (at, rest) = (at + now.len(), later);
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len_bytes()];
        self.read(0, &mut bytes);
        bytes
    }

    /// All of `write`.
    pub fn apply(&mut self, write: &Write) {
        self.apply_in_part(write, &mut |_| Fate::Kept);
    }

    /// Of `write` what `fate` says of each of its sectors.
    pub fn apply_in_part(&mut self, write: &Write, fate: &mut dyn FnMut(usize) -> Fate) {
        let mut sector = 0;
        for piece in &write.pieces {
            let mut fates = [Fate::Lost; SECTORS];
            for slot in &mut fates[piece.from..piece.to] {
                *slot = fate(sector);
                sector += 1;
            }
            if fates.iter().any(|fate| *fate != Fate::Lost) {
                let sheet = Arc::make_mut(&mut self.0);
                sheet.print = OnceLock::new();
                put(&mut sheet.pages[piece.page], piece, &fates);
            }
        }
    }

    pub fn same(&self, other: &Self) -> bool {
        self.len_bytes() == other.len_bytes() && self.same_in(other, 0..self.len_bytes())
    }

    /// Whether the bytes in `range` are the same.
    pub fn same_in(&self, other: &Self, range: Range<usize>) -> bool {
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        let (first, end) = (range.start / PAGE_BYTES, range.end.div_ceil(PAGE_BYTES));
        let pairs = self.0.pages[first..end].iter().zip(&other.0.pages[first..end]);
        pairs.enumerate().all(|(index, (own, other))| {
            let at = (first + index) * PAGE_BYTES;
            let part = range.start.max(at) - at..range.end.min(at + PAGE_BYTES) - at;
            own.same(other) || own.bytes[part.clone()] == other.bytes[part]
        })
    }

    /// A number that another content is very unlikely to have.
    pub fn fingerprint(&self) -> u64 {
        let mix = |print: u64, page: &Arc<Page>| {
            (print.rotate_left(5) ^ u64::from(page.crc)).wrapping_mul(0x517C_C1B7_2722_0A95)
        };
        *self.0.print.get_or_init(|| self.0.pages.iter().fold(0, mix))
    }
}

/// Of `piece` what `fates` say.
fn put(page: &mut Arc<Page>, piece: &Piece, fates: &[Fate; SECTORS]) {
    if fates.iter().all(|fate| *fate == Fate::Kept) {
        page.clone_from(&piece.bytes);
        return;
    }
    let mut bytes = page.bytes.clone();
    for (sector, fate) in fates.iter().enumerate() {
        let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
        match fate {
            Fate::Lost => {}
            Fate::Kept => bytes[range.clone()].copy_from_slice(&piece.bytes.bytes[range]),
            Fate::Garbled(pick) => bytes[range].copy_from_slice(noise(*pick)),
        }
    }
    *page = Page::new(bytes);
}

/// A sector of random bytes; the same number, the same bytes.
fn noise(pick: usize) -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| Random::new(0xBAD).bytes(64 * SECTOR_BYTES));
    &noise[pick % 64 * SECTOR_BYTES..][..SECTOR_BYTES]
}

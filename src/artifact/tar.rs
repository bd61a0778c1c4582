//! A tar archive as it streams past: POSIX ustar with PAX `x` records (POSIX.1-2017, pax), and
//! what GNU tar writes for a plain file. Regular files only. Never seeks, never keeps a member,
//! never passes over bytes that a person looking with another tool could take for something.

mod block;
mod pax;

use embedded_io::Read;
use heapless::String;

use super::excerpt::Excerpt;
use crate::stream::{self, Source};
use block::{Block, Kind};
use pax::Pax;

/// The longest name of a member, in bytes.
pub const NAME_MAX_BYTES: usize = 255;

/// The largest PAX header, in bytes.
pub const PAX_MAX_BYTES: usize = 8 << 10;

/// A tar block, in bytes.
pub const BLOCK_BYTES: usize = 512;

/// GNU tar fills archives up to a multiple of this with zeros, in bytes.
pub const RECORD_BYTES: u64 = 10 << 10;

/// The name of a member: a relative path without `.` and `..`.
pub type Name = String<NAME_MAX_BYTES, u8>;

/// Why an archive is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What the archive comes from.
    #[error(transparent)]
    Stream(#[from] stream::Error),
    /// A header that is none.
    #[error("damaged tar header in the {archive}: found no {expected}")]
    Header {
        /// The archive.
        archive: &'static str,
        /// What is missing in it.
        expected: &'static str,
    },
    /// A member that is no regular file.
    #[error("{name} in the {archive} is {found}, expected a regular file")]
    Kind {
        /// The archive.
        archive: &'static str,
        /// The sort of member found.
        found: &'static str,
        /// Its name.
        name: Excerpt<40>,
    },
    /// A name that is empty, too long, absolute, or leads out of the archive.
    #[error("a member of the {archive} has the name {name:?}, expected a plain relative path")]
    Name {
        /// The archive.
        archive: &'static str,
        /// The name.
        name: Excerpt<40>,
    },
    /// A PAX header that lies or says what cannot be heeded.
    #[error("PAX header in the {archive}: {fault}")]
    Pax {
        /// The archive.
        archive: &'static str,
        /// What is wrong with it.
        fault: pax::Fault,
    },
    /// Bytes where zeros belong.
    #[error("bytes other than zero after {after} in the {archive}")]
    Padding {
        /// The archive.
        archive: &'static str,
        /// What they stand after.
        after: &'static str,
    },
}

pub use pax::Fault as PaxFault;

/// A member's header.
#[derive(Debug)]
pub struct Member {
    /// Its name, PAX records heeded.
    pub name: Name,
    /// Its size, PAX records heeded.
    pub size_bytes: u64,
}

/// An archive being read.
#[derive(Debug)]
pub struct Archive<R> {
    input: R,
    /// What it is, for a person.
    what: &'static str,
    /// Of the member begun last, not yet read.
    left_bytes: u64,
    padding_bytes: usize,
    /// Read of the archive so far.
    at_byte: u64,
    ended: bool,
}

impl<R: Read<Error = stream::Error>> Archive<R> {
    /// An archive that begins at `input`; `what` it is, for a person.
    pub fn new(input: R, what: &'static str) -> Self {
        Self { input, what, left_bytes: 0, padding_bytes: 0, at_byte: 0, ended: false }
    }

    /// Begins the next member, passing over what is left of the one before. `None` is the end,
    /// and then nothing but zeros up to [`RECORD_BYTES`] was left in the input.
    ///
    /// # Errors
    /// All of [`Error`].
    pub fn next_member(&mut self) -> Result<Option<Member>, Error> {
        self.skip()?;
        let Some(block) = self.header()? else { return Ok(None) };
        let (block, pax) = match block.kind() {
            Kind::Pax => self.extended(&block)?,
            _ => (block, Pax::default()),
        };
        let member = self.member(&block, pax)?;
        self.left_bytes = member.size_bytes;
        self.padding_bytes = padding(member.size_bytes);
        Ok(Some(member))
    }

    /// The member begun last; `what` it is, for a person.
    pub fn entry<'a>(&'a mut self, what: &'static str) -> Entry<'a, R> {
        Entry { archive: self, what }
    }

    /// Bytes read so far of the archive.
    pub(super) fn at_byte(&self) -> u64 {
        self.at_byte
    }

    /// What the archive is read from.
    pub(super) fn input(&self) -> &R {
        &self.input
    }

    /// Bytes not yet read of the member begun last.
    pub fn left_bytes(&self) -> u64 {
        self.left_bytes
    }

    /// Passes over what is left of the member begun last and its padding.
    ///
    /// # Errors
    /// The input's, and padding that is not zero.
    pub fn skip(&mut self) -> Result<(), Error> {
        let mut room = [0; BLOCK_BYTES];
        // Every turn takes at least one byte of those left.
        while self.entry("a member").read(&mut room)? > 0 {}
        let padding = core::mem::take(&mut self.padding_bytes);
        self.fill(&mut room[..padding], "padding")?;
        self.zeros(&room[..padding], "a member")
    }

    /// The next header that is no end; the end of the archive is checked whole.
    fn header(&mut self) -> Result<Option<Block>, Error> {
        if self.ended {
            return Ok(None);
        }
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block, "tar header")?;
        if block == [0; BLOCK_BYTES] {
            self.end()?;
            return Ok(None);
        }
        let block = Block::checked(block);
        block.map(Some).map_err(|expected| Error::Header { archive: self.what, expected })
    }

    /// The records of the PAX header that `block` begins, and the header they belong to.
    fn extended(&mut self, block: &Block) -> Result<(Block, Pax), Error> {
        let archive = self.what;
        let refuse = |fault| Error::Pax { archive, fault };
        let mut room = [0; PAX_MAX_BYTES];
        let size = block.size_bytes().and_then(|size| usize::try_from(size).ok());
        let Some(records) = size.and_then(|size| room.get_mut(..size)) else {
            return Err(refuse(PaxFault::TooLarge));
        };
        self.fill(records, "PAX header")?;
        let pax = Pax::parse(records).map_err(refuse)?;
        self.padding_bytes = padding(block.size_bytes().unwrap_or_default());
        self.skip()?;
        match self.header()? {
            Some(block) if !matches!(block.kind(), Kind::Pax) => Ok((block, pax)),
            _ => Err(refuse(PaxFault::Alone)),
        }
    }

    fn member(&self, block: &Block, pax: Pax) -> Result<Member, Error> {
        let archive = self.what;
        if let Kind::Other(found) = block.kind() {
            let name = block.name().unwrap_or_default();
            return Err(Error::Kind { archive, found, name: Excerpt::of(name) });
        }
        let header = |expected| Error::Header { archive, expected };
        let size = pax.size_bytes.or_else(|| block.size_bytes());
        let size_bytes = size.ok_or_else(|| header("size below 2^63"))?;
        let name = pax.path.map_or_else(|| block.name(), Some);
        let name = name.ok_or_else(|| header("name in UTF-8 with zeros after it"))?;
        if is_plain(&name) {
            Ok(Member { name, size_bytes })
        } else {
            Err(Error::Name { archive, name: Excerpt::of(&name) })
        }
    }

    /// The second block of zeros, and nothing after it but the rest of a record.
    fn end(&mut self) -> Result<(), Error> {
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block, "end of the archive")?;
        self.zeros(&block, "a block of zeros")?;
        let allowed = self.at_byte.next_multiple_of(RECORD_BYTES);
        loop {
            let len = self.input.read(&mut block)?;
            if len == 0 {
                break;
            }
            self.at_byte += bytes(len);
            if self.at_byte > allowed || block[..len].iter().any(|byte| *byte != 0) {
                return Err(stream::Error::Trailing { what: self.what }.into());
            }
        }
        self.ended = true;
        Ok(())
    }

    fn zeros(&self, block: &[u8], after: &'static str) -> Result<(), Error> {
        if block.iter().all(|byte| *byte == 0) {
            Ok(())
        } else {
            Err(Error::Padding { archive: self.what, after })
        }
    }

    /// Fills all of `into` from the archive itself.
    fn fill(&mut self, into: &mut [u8], what: &'static str) -> Result<(), stream::Error> {
        let len = fill(&mut self.input, into, what)?;
        self.at_byte += len;
        Ok(())
    }
}

/// Reads on until `into` is full; returns its length.
///
/// # Errors
/// The input's, and [`stream::Error::Truncated`] naming `what`.
pub(super) fn fill<R: Read<Error = stream::Error>>(
    input: &mut R,
    into: &mut [u8],
    what: &'static str,
) -> Result<u64, stream::Error> {
    let mut filled = 0;
    while filled < into.len() {
        let len = input.read(&mut into[filled..])?;
        if len == 0 {
            let missing = bytes(into.len() - filled);
            return Err(stream::Error::Truncated { what, missing });
        }
        filled += len;
    }
    Ok(bytes(filled))
}

/// A length in memory at the edges' width; none is longer than `u64` says.
pub(super) fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Zeros after a member of `size_bytes`, up to the next block.
fn padding(size_bytes: u64) -> usize {
    let over = usize::try_from(size_bytes % bytes(BLOCK_BYTES)).unwrap_or_default();
    (BLOCK_BYTES - over) % BLOCK_BYTES
}

/// Whether every part of the path names something, and something below.
fn is_plain(name: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..");
    !name.contains(|char: char| char.is_control() || char == '\\') && name.split('/').all(part)
}

/// The member begun last, up to its last byte.
#[derive(Debug)]
pub struct Entry<'a, R> {
    archive: &'a mut Archive<R>,
    what: &'static str,
}

impl<R> Entry<'_, R> {
    /// Passes over the next `bytes` of the member, by `pass`, which must take as many from the
    /// archive's input.
    ///
    /// # Errors
    /// The member has fewer left, and what `pass` says.
    pub(super) fn pass(
        &mut self,
        bytes: u64,
        pass: impl FnOnce(&mut R) -> Result<(), stream::Error>,
    ) -> Result<(), stream::Error> {
        let missing = bytes.saturating_sub(self.archive.left_bytes);
        if missing > 0 {
            return Err(stream::Error::Truncated { what: self.what, missing });
        }
        pass(&mut self.archive.input)?;
        self.archive.left_bytes -= bytes;
        self.archive.at_byte += bytes;
        Ok(())
    }
}

impl<R: Source> Source for Entry<'_, R> {
    fn skip(&mut self, bytes: u64) -> Result<(), stream::Error> {
        self.pass(bytes, |input| input.skip(bytes))
    }
}

impl<R> embedded_io::ErrorType for Entry<'_, R> {
    type Error = stream::Error;
}

impl<R: Read<Error = stream::Error>> Read for Entry<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, stream::Error> {
        let left = self.archive.left_bytes;
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let len = self.archive.input.read(&mut into[..most])?;
        if len == 0 {
            return Err(stream::Error::Truncated { what: self.what, missing: left });
        }
        self.archive.left_bytes -= bytes(len);
        self.archive.at_byte += bytes(len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests;

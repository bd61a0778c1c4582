//! The bytes of the copy to write: the next one with changes, or a repaired one. Never writes
//! more than the caller's buffer, and never leaves an image there after an error.

use core::fmt;

use crate::copy::{Decoded, Layout};
use crate::vars::is_blank;

/// A variable's name, and its new value; `None` or an empty value deletes it, as both `fw_setenv`
/// and U-Boot's `setenv` take it (U-Boot cannot hold an empty value).
///
/// The value goes to the medium as it is. U-Boot takes a backslash in it for an escape.
pub type Change<'a> = (&'a str, Option<&'a str>);

impl Decoded<'_> {
    /// Writes to `out` the whole image of the copy that follows this one: serial plus one, 255 to
    /// 0, and the variables with `changes` made.
    ///
    /// A variable keeps its place and its bytes, also where only its value changes; new ones come
    /// last, in the order of `changes`. Deleting what is not there is no error. What U-Boot does
    /// not import goes: comments, entries without a value, all but the last of one name, blanks
    /// before a name. The rest of the data is zero.
    ///
    /// # Errors
    /// [`EditError`]; `out` is then as it was.
    pub fn write_next<'c>(
        &self,
        changes: &[Change<'c>],
        out: &mut [u8],
    ) -> Result<(), EditError<'c>> {
        WrongSize::check(self, out).map_err(EditError::WrongSize)?;
        check_changes(changes)?;
        let available = self.data().len();
        let asked = self.edited(changes).map(|var| entry_bytes(var) + 1).sum::<usize>() + 1;
        if asked > available {
            return Err(EditError::NoRoom { asked, available });
        }
        let data = &mut out[self.layout().header_bytes()..];
        data.fill(0);
        let mut rest = data;
        for var in self.edited(changes) {
            rest = put(rest, var);
        }
        seal(self.layout(), self.serial().wrapping_add(1), out);
        Ok(())
    }

    /// Writes to `out` the whole image that repairs the other copy, this one being current: the
    /// same data to the byte, and the serial before this one's, 0 to 255.
    ///
    /// Write it over [`Chosen::target`](crate::Chosen::target) alone. The good copy stays current
    /// before, during and after, for every serial: [`newer`](crate::newer) takes n over n-1 also
    /// across the wrap, and a torn write leaves a bad copy as it was found. Afterwards U-Boot
    /// reads the same variables whichever copy it takes. Serial plus one would be read as well,
    /// but it would make current the place that has just been bad, and a repair made twice would
    /// then rewrite the good copy; made so, it is the same write again. The next save gives the
    /// repaired copy n+1, as usual.
    ///
    /// # Errors
    /// [`WrongSize`]; `out` is then as it was.
    pub fn write_repair(&self, out: &mut [u8]) -> Result<(), WrongSize> {
        WrongSize::check(self, out)?;
        out[self.layout().header_bytes()..].copy_from_slice(self.data());
        seal(self.layout(), self.serial().wrapping_sub(1), out);
        Ok(())
    }

    /// The variables after `changes`, in the order of the next copy.
    fn edited<'e>(&'e self, changes: &'e [Change<'e>]) -> impl Iterator<Item = Var<'e>> {
        let kept = self.vars().filter_map(|(name, value)| {
            match changes.iter().find(|change| change.0.as_bytes() == name) {
                Some(change) => set_by(change),
                None => Some((name, value)),
            }
        });
        let added = changes.iter().filter(|change| self.get(change.0).is_none());
        kept.chain(added.filter_map(set_by))
    }
}

type Var<'a> = (&'a [u8], &'a [u8]);

/// The variable that a change sets, if it does not delete it.
fn set_by<'a>(change: &'a Change<'_>) -> Option<Var<'a>> {
    let value = change.1.filter(|value| !value.is_empty())?;
    Some((change.0.as_bytes(), value.as_bytes()))
}

/// The length of `name=value`, without its NUL.
fn entry_bytes((name, value): Var<'_>) -> usize {
    name.len() + 1 + value.len()
}

/// Puts `name=value` at the front of zeroed `data`, and gives what is left behind its NUL.
fn put<'a>(data: &'a mut [u8], var: Var<'_>) -> &'a mut [u8] {
    let (entry, rest) = data.split_at_mut(entry_bytes(var) + 1);
    let (name, value) = var;
    entry[..name.len()].copy_from_slice(name);
    entry[name.len()] = b'=';
    entry[name.len() + 1..][..value.len()].copy_from_slice(value);
    rest
}

/// Writes the header over the data that stands in `image`.
fn seal(layout: Layout, serial: u8, image: &mut [u8]) {
    let (header, data) = image.split_at_mut(layout.header_bytes());
    let (crc, flags) = header.split_at_mut(4);
    crc.copy_from_slice(&crc32fast::hash(data).to_le_bytes());
    flags.fill(serial);
}

/// Refuses what U-Boot would not read back as it was asked for.
fn check_changes<'c>(changes: &[Change<'c>]) -> Result<(), EditError<'c>> {
    for (index, (name, value)) in changes.iter().enumerate() {
        let starts_badly = |byte: &u8| *byte == b'#' || is_blank(*byte);
        if name.as_bytes().first().is_none_or(starts_badly) || name.contains(['=', '\0']) {
            return Err(EditError::BadName { name });
        }
        if value.is_some_and(|value| value.contains('\0')) {
            return Err(EditError::NulInValue { name });
        }
        if changes[..index].iter().any(|earlier| earlier.0 == *name) {
            return Err(EditError::Twice { name });
        }
    }
    Ok(())
}

/// Why the next copy cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditError<'c> {
    /// The buffer is not as long as the copy.
    WrongSize(WrongSize),
    /// The variables would not fit, with their NULs and the closing one.
    NoRoom {
        /// Bytes that the data would take.
        asked: usize,
        /// Bytes of data in a copy.
        available: usize,
    },
    /// A name that is empty, holds `=` or NUL, or starts with `#` or a blank, which U-Boot would
    /// read as a comment or skip.
    BadName {
        /// The name as given.
        name: &'c str,
    },
    /// NUL would end the value and start another entry.
    NulInValue {
        /// The variable.
        name: &'c str,
    },
    /// Two changes for one variable.
    Twice {
        /// The variable.
        name: &'c str,
    },
}

impl fmt::Display for EditError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongSize(error) => error.fmt(f),
            Self::NoRoom { asked, available } => {
                write!(f, "no room in the environment: asked {asked} bytes, available {available}")
            }
            Self::BadName { name } => write!(f, "not a variable's name: {name:?}"),
            Self::NulInValue { name } => write!(f, "the value of {name:?} contains NUL"),
            Self::Twice { name } => write!(f, "two changes for variable {name:?}"),
        }
    }
}

impl core::error::Error for EditError<'_> {}

/// A buffer that is not as long as the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongSize {
    /// The length of the copy, in bytes.
    pub wanted: usize,
    /// The length of the buffer, in bytes.
    pub found: usize,
}

impl WrongSize {
    fn check(copy: &Decoded<'_>, out: &[u8]) -> Result<(), Self> {
        let (wanted, found) = (copy.copy_bytes(), out.len());
        if wanted == found { Ok(()) } else { Err(Self { wanted, found }) }
    }
}

impl fmt::Display for WrongSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrong buffer for a copy: wanted {} bytes, found {}", self.wanted, self.found)
    }
}

impl core::error::Error for WrongSize {}

#[cfg(test)]
mod tests;

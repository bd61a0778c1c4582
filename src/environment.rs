//! U-Boot's environment on its medium: loaded as U-Boot chooses, changed in one write to the
//! copy that is not in use, and believed only after it was read back. Never invents a default.

use uboot_env::{BadCopy, Change, Chosen, Decoded, EditError, Layout, Which, choose, decode};

use crate::boot::{BootVars, Disagreement};
use crate::device::{Cause, EnvStore};
use crate::memory::Aligned;
use crate::stream::digest::Digest;

/// Room for one copy.
pub type CopyBuffer = Aligned<{ uboot_env::MAX_ENV_BYTES }>;

/// What is wrong with one copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bad {
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(Cause),
    /// U-Boot would not take it.
    #[error("{0}")]
    Invalid(BadCopy),
}

/// Why the environment could not be read or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The only copy is bad; U-Boot would find no environment either.
    #[error("the environment is bad: {0}")]
    Only(Bad),
    /// Both copies are bad; U-Boot would find no environment either.
    #[error("both copies of the environment are bad: the first {first}; the second {second}")]
    Both {
        /// The first copy.
        first: Bad,
        /// The second copy.
        second: Bad,
    },
    /// Another program holds it.
    #[error("cannot lock the environment: {0}")]
    Locked(Cause),
    /// A copy that cannot be read may be the newer one, and writing over it may lose variables.
    #[error("the {which} copy of the environment cannot be read, so none is written: {cause}")]
    Unreadable {
        /// The copy.
        which: Which,
        /// Why.
        cause: Cause,
    },
    /// The variables do not fit.
    #[error("the environment would need {asked} bytes, a copy has room for {available}")]
    NoRoom {
        /// Bytes needed.
        asked: usize,
        /// Bytes there are.
        available: usize,
    },
    /// What was written before, by whomever, cannot be made durable.
    #[error("cannot flush the {which} copy of the environment: {cause}")]
    Flush {
        /// The copy.
        which: Which,
        /// Why.
        cause: Cause,
    },
    /// The write failed; with two copies the one in use is as it was.
    #[error("cannot write the {which} copy of the environment: {cause}")]
    Write {
        /// The copy.
        which: Which,
        /// Why.
        cause: Cause,
    },
    /// What was written is not what the medium holds.
    #[error("the {which} copy of the environment reads back changed: the medium is failing")]
    ReadBack {
        /// The copy.
        which: Which,
    },
    /// What the environment says cannot be acted on.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
}

/// Why variables could not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError<'c> {
    /// The names or values cannot be in an environment.
    #[error("{0}")]
    Edit(EditError<'c>),
    /// The environment.
    #[error(transparent)]
    Environment(#[from] Error),
}

impl From<SetError<'_>> for Error {
    fn from(error: SetError<'_>) -> Self {
        match error {
            SetError::Environment(error) => error,
            SetError::Edit(EditError::NoRoom { asked, available }) => {
                Self::NoRoom { asked, available }
            }
            // Only names and sizes are left, and both are this program's own.
            SetError::Edit(_) => Self::NoRoom { asked: 0, available: 0 },
        }
    }
}

/// One copy as it was found.
pub type Found = Result<u8, Bad>;

/// The environment as it was when last looked at.
#[derive(Debug)]
pub struct Environment<'m, S> {
    store: S,
    layout: Layout,
    copies: [&'m mut [u8]; 2],
    readable: [Result<(), Cause>; 2],
}

impl<'m, S: EnvStore> Environment<'m, S> {
    /// Reads the copies, `copy_bytes` each (see `uboot_env::config`).
    ///
    /// # Errors
    /// [`Error::Both`] or [`Error::Only`].
    pub fn load(
        store: S,
        layout: Layout,
        copy_bytes: usize,
        buffers: &'m mut [CopyBuffer; 2],
    ) -> Result<Self, Error> {
        let mut environment = Self::look(store, layout, copy_bytes, buffers);
        environment.reload()?;
        Ok(environment)
    }

    /// As [`Environment::load`], and bad copies are no error: to explain or repair them.
    pub fn look(
        store: S,
        layout: Layout,
        copy_bytes: usize,
        buffers: &'m mut [CopyBuffer; 2],
    ) -> Self {
        let copy_bytes = copy_bytes.min(uboot_env::MAX_ENV_BYTES);
        let copies = buffers.each_mut().map(|buffer| &mut buffer.0[..copy_bytes]);
        let mut environment = Self { store, layout, copies, readable: [Ok(()); 2] };
        environment.read();
        environment
    }

    /// Where the copies are kept.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The copies there are, in order: their serials, or what is wrong with them.
    pub fn found(&self) -> impl Iterator<Item = Found> {
        self.places().map(|which| self.decoded(which).map(|copy| copy.serial()))
    }

    /// The copy that U-Boot takes, and its variables.
    ///
    /// # Errors
    /// [`Error::Both`] or [`Error::Only`].
    pub fn current(&self) -> Result<(Which, Decoded<'_>), Error> {
        let chosen = self.choose()?;
        Ok((chosen.which(), self.decoded(chosen.which()).map_err(Error::Only)?))
    }

    /// The boot loader's variables.
    ///
    /// # Errors
    /// [`Error::Both`], [`Error::Only`] or [`Error::Disagreement`].
    pub fn boot(&self) -> Result<BootVars, Error> {
        let (_, current) = self.current()?;
        Ok(BootVars::read(|name| current.get(name))?)
    }

    /// Begins a change: locks everyone else out, and looks at the medium again. What is seen is
    /// durable: a write whose flush was cut short by a kill must not be built upon, power could
    /// still undo it.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Flush`], [`Error::Both`] or [`Error::Only`].
    pub fn begin(&mut self) -> Result<Transaction<'_, 'm, S>, Error> {
        let guard = self.store.lock().map_err(Error::Locked)?;
        for which in self.places() {
            self.store.flush(which).map_err(|cause| Error::Flush { which, cause })?;
        }
        self.reload()?;
        Ok(Transaction { environment: self, _guard: guard })
    }

    fn reload(&mut self) -> Result<(), Error> {
        self.read();
        self.choose().map(drop)
    }

    fn read(&mut self) {
        for which in self.places() {
            let index = position(which);
            self.readable[index] = self.store.read(which, self.copies[index]);
        }
    }

    fn places(&self) -> impl Iterator<Item = Which> + use<S> {
        let copies = if self.layout == Layout::Single { 1 } else { 2 };
        [Which::First, Which::Second].into_iter().take(copies)
    }

    fn decoded(&self, which: Which) -> Result<Decoded<'_>, Bad> {
        let index = position(which);
        self.readable[index].map_err(Bad::Unreadable)?;
        decode(self.copies[index], self.layout).map_err(Bad::Invalid)
    }

    fn choose(&self) -> Result<Chosen<'_, Bad>, Error> {
        let first = self.decoded(Which::First);
        if self.layout == Layout::Single {
            let bad = first.as_ref().err().copied();
            let same = self.decoded(Which::First);
            return choose(first, same).map_err(|both| Error::Only(bad.unwrap_or(both.first)));
        }
        choose(first, self.decoded(Which::Second))
            .map_err(|both| Error::Both { first: both.first, second: both.second })
    }
}

/// The copy `which`, and room for an image: the other one.
fn pair<'c>(copies: &'c mut [&mut [u8]; 2], which: Which) -> (&'c mut [u8], &'c mut [u8]) {
    let [first, second] = copies;
    match which {
        Which::First => (first, second),
        Which::Second => (second, first),
    }
}

const fn position(which: Which) -> usize {
    match which {
        Which::First => 0,
        Which::Second => 1,
    }
}

/// A change of the environment, everyone else locked out.
pub struct Transaction<'t, 'm, S: EnvStore> {
    environment: &'t mut Environment<'m, S>,
    _guard: S::Guard,
}

impl<S: EnvStore> Transaction<'_, '_, S> {
    /// The boot loader's variables as they are now.
    ///
    /// # Errors
    /// As [`Environment::boot`].
    pub fn boot(&self) -> Result<BootVars, Error> {
        self.environment.boot()
    }

    /// The serial of the copy in use, which a save leaves one behind.
    ///
    /// # Errors
    /// As [`Environment::current`].
    pub fn serial(&self) -> Result<u8, Error> {
        self.environment.current().map(|(_, copy)| copy.serial())
    }

    /// Makes all `changes` in one write: to the copy that is not in use, then flush, read back
    /// and choose as U-Boot would. Only when it chooses the new copy, whole, is this done.
    ///
    /// # Errors
    /// [`SetError`]; with two copies the variables in use are then the old ones: a copy that was
    /// written and cannot be trusted is written back. Only a medium that fails at that too may
    /// have taken the new ones.
    pub fn save<'c>(self, changes: &[Change<'c>]) -> Result<(), SetError<'c>> {
        let (which, target) = self.environment.target()?;
        let step = Step { which, target, becomes: target };
        self.environment.write(step, |current, image| {
            current.write_next(changes, image).map_err(SetError::Edit)
        })
    }

    /// Writes the copy that is not in use anew from the one that is, which stays in use.
    ///
    /// # Errors
    /// As [`Transaction::save`].
    pub fn repair(self) -> Result<(), SetError<'static>> {
        let (which, target) = self.environment.target()?;
        self.environment.write(Step { which, target, becomes: which }, |current, image| {
            current.write_repair(image).map_err(|wrong| SetError::Edit(EditError::WrongSize(wrong)))
        })
    }
}

/// One write of a copy.
#[derive(Clone, Copy)]
struct Step {
    /// The copy in use.
    which: Which,
    /// The copy to write.
    target: Which,
    /// The copy in use after it.
    becomes: Which,
}

impl<S: EnvStore> Environment<'_, S> {
    /// The copy in use, and the one to write.
    fn target(&self) -> Result<(Which, Which), Error> {
        let which = self.choose()?.which();
        let target = if self.layout == Layout::Single { which } else { which.other() };
        match self.readable[position(target)] {
            Ok(()) => Ok((which, target)),
            Err(cause) => Err(Error::Unreadable { which: target, cause }),
        }
    }

    /// Makes an image from the copy in use, writes it over `target` and demands the same bytes
    /// back from the medium, and that U-Boot would then choose the right copy.
    fn write<'c>(
        &mut self,
        Step { which, target, becomes }: Step,
        make: impl FnOnce(&Decoded<'_>, &mut [u8]) -> Result<(), SetError<'c>>,
    ) -> Result<(), SetError<'c>> {
        let (held, image) = pair(&mut self.copies, which);
        let current = decode(held, self.layout).map_err(|bad| Error::Only(Bad::Invalid(bad)))?;
        make(&current, image)?;
        let expected = Digest::of(image);
        if let Err(cause) = self.store.write(target, image).and_then(|()| self.store.flush(target))
        {
            self.put_back(which, target);
            return Err(Error::Write { which: target, cause }.into());
        }
        self.read();
        let is_read = self.readable[position(target)].is_ok();
        let is_same = Digest::of(self.copies[position(target)]) == expected;
        if is_read && is_same && self.choose().is_ok_and(|chosen| chosen.which() == becomes) {
            return Ok(());
        }
        self.put_back(which, target);
        Err(Error::ReadBack { which: target }.into())
    }

    /// After a write that failed: makes the copy in use the one that is chosen, whatever became
    /// of the other. A step that reports a failure must not have happened.
    fn put_back(&mut self, which: Which, target: Which) {
        let (held, image) = pair(&mut self.copies, which);
        let Ok(current) = decode(held, self.layout) else { return };
        if current.write_repair(image).is_ok() {
            // The failure is reported already; a second one says nothing more.
            let _ = self.store.write(target, image).and_then(|()| self.store.flush(target));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    const COPY_BYTES: usize = 64;
    const GONE: Cause = Cause { code: 5, text: "input/output error" };

    /// Two copies in memory, with ways to misbehave.
    struct Medium {
        copies: [Vec<u8>; 2],
        unreadable: Option<Which>,
        writes: Vec<Which>,
        garble_writes: bool,
        fail_flush: bool,
    }

    impl EnvStore for &mut Medium {
        type Guard = ();

        fn lock(&mut self) -> Result<(), Cause> {
            Ok(())
        }

        fn read(&mut self, copy: Which, into: &mut [u8]) -> Result<(), Cause> {
            if self.unreadable == Some(copy) {
                return Err(GONE);
            }
            into.copy_from_slice(&self.copies[position(copy)]);
            Ok(())
        }

        fn write(&mut self, copy: Which, from: &[u8]) -> Result<(), Cause> {
            self.writes.push(copy);
            self.copies[position(copy)].copy_from_slice(from);
            if self.garble_writes {
                self.copies[position(copy)][40] ^= 1;
            }
            Ok(())
        }

        fn flush(&mut self, _: Which) -> Result<(), Cause> {
            if self.fail_flush { Err(GONE) } else { Ok(()) }
        }
    }

    fn image(serial: u8, text: &[u8]) -> Vec<u8> {
        let mut image = vec![0; COPY_BYTES];
        image[5..5 + text.len()].copy_from_slice(text);
        let crc = crc32fast::hash(&image[5..]);
        image[..4].copy_from_slice(&crc.to_le_bytes());
        image[4] = serial;
        image
    }

    fn medium(first: Vec<u8>, second: Vec<u8>) -> Medium {
        Medium {
            copies: [first, second],
            unreadable: None,
            writes: Vec::new(),
            garble_writes: false,
            fail_flush: false,
        }
    }

    fn buffers() -> Box<[CopyBuffer; 2]> {
        Box::new([const { Aligned([0; uboot_env::MAX_ENV_BYTES]) }; 2])
    }

    fn save(medium: &mut Medium, changes: &[Change<'static>]) -> Result<(), SetError<'static>> {
        let mut buffers = buffers();
        let mut environment =
            Environment::load(medium, Layout::Redundant, COPY_BYTES, &mut buffers)?;
        environment.begin()?.save(changes)
    }

    fn value(medium: &mut Medium, name: &str) -> Option<Vec<u8>> {
        let mut buffers = buffers();
        let environment = Environment::load(medium, Layout::Redundant, COPY_BYTES, &mut buffers);
        environment.ok()?.current().ok()?.1.get(name).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_save_writes_the_other_copy_once_and_leaves_the_one_in_use() {
        let (old, stale) = (image(9, b"a=1\0b=2"), image(8, b"a=0"));
        let mut medium = medium(old.clone(), stale);
        assert_eq!(save(&mut medium, &[("a", Some("5")), ("c", Some("3"))]), Ok(()));
        assert_eq!(medium.writes, [Which::Second]);
        assert_eq!(medium.copies[0], old);
        assert_eq!(medium.copies[1], image(10, b"a=5\0b=2\0c=3"));
    }

    #[test]
    fn two_bad_copies_are_an_error_that_names_both_and_nothing_is_written() {
        let mut medium = medium(vec![0; COPY_BYTES], vec![0xff; COPY_BYTES]);
        medium.unreadable = Some(Which::Second);
        let refused = save(&mut medium, &[("a", Some("1"))]);
        let Err(SetError::Environment(Error::Both { first, second })) = refused else {
            panic!("{refused:?}")
        };
        assert!(matches!(first, Bad::Invalid(_)));
        assert_eq!(second, Bad::Unreadable(GONE));
        assert!(medium.writes.is_empty());
    }

    #[test]
    fn a_copy_that_cannot_be_read_is_never_written_over() {
        let mut medium = medium(image(1, b"a=1"), image(2, b"a=2"));
        medium.unreadable = Some(Which::Second);
        let refused = save(&mut medium, &[("a", Some("3"))]);
        let expected = Error::Unreadable { which: Which::Second, cause: GONE };
        assert_eq!(refused, Err(expected.into()));
        assert!(medium.writes.is_empty());
    }

    #[test]
    fn a_medium_that_changes_what_is_written_is_found_out_and_the_old_variables_stay() {
        let mut medium = medium(image(1, b"a=1"), image(0, b"a=0"));
        medium.garble_writes = true;
        let refused = save(&mut medium, &[("a", Some("2"))]);
        assert_eq!(refused, Err(Error::ReadBack { which: Which::Second }.into()));
        assert_eq!(value(&mut medium, "a"), Some(b"1".to_vec()));
    }

    #[test]
    fn what_cannot_be_made_durable_is_not_built_upon() {
        let mut medium = medium(image(1, b"a=1"), image(0, b"a=0"));
        medium.fail_flush = true;
        let refused = save(&mut medium, &[("a", Some("2"))]);
        assert_eq!(refused, Err(Error::Flush { which: Which::First, cause: GONE }.into()));
        assert!(medium.writes.is_empty());
    }

    #[test]
    fn what_does_not_fit_or_cannot_be_named_is_refused_before_the_write() {
        let mut medium = medium(image(1, b"a=1"), image(0, b"a=0"));
        let long = "0123456789012345678901234567890123456789012345678901234567890123";
        assert!(matches!(
            save(&mut medium, &[("a", Some(long))]),
            Err(SetError::Edit(EditError::NoRoom { .. }))
        ));
        assert!(matches!(
            save(&mut medium, &[("a=b", Some("1"))]),
            Err(SetError::Edit(EditError::BadName { .. }))
        ));
        assert!(medium.writes.is_empty());
    }

    #[test]
    fn repair_rewrites_the_bad_copy_and_keeps_the_good_one_in_use() {
        let good = image(0, b"a=1");
        let mut medium = medium(vec![0xff; COPY_BYTES], good.clone());
        let mut room = buffers();
        let mut environment =
            Environment::look(&mut medium, Layout::Redundant, COPY_BYTES, &mut room);
        let repaired = environment.begin().map_err(SetError::from).and_then(Transaction::repair);
        assert_eq!(repaired, Ok(()));
        assert_eq!(medium.copies, [image(255, b"a=1"), good]);
        assert_eq!(medium.writes, [Which::First]);
    }

    #[test]
    fn an_environment_with_one_copy_is_saved_in_place() {
        let mut text = image(0, b"");
        text.drain(4..5);
        text.push(0);
        text[4..7].copy_from_slice(b"a=1");
        let crc = crc32fast::hash(&text[4..]);
        text[..4].copy_from_slice(&crc.to_le_bytes());
        let mut medium = medium(text, vec![0; COPY_BYTES]);
        let mut room = buffers();
        let loaded = Environment::load(&mut medium, Layout::Single, COPY_BYTES, &mut room);
        let saved = loaded.map_err(SetError::from).and_then(|mut environment| {
            environment.begin()?.save(&[("a", Some("2"))])?;
            let value = environment.current()?.1.get("a").map(<[u8]>::to_vec);
            Ok((value, environment.found().count()))
        });
        assert_eq!(saved, Ok((Some(b"2".to_vec()), 1)));
        assert_eq!(medium.writes, [Which::First]);
    }
}

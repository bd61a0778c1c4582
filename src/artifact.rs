//! An artifact of format 3 as it streams past, read in the order of its proofs: version,
//! manifest, signature, header, device, payload. Each step consumes what the step before left,
//! so none can be passed over. Never writes, never allocates, never decodes or parses a byte that
//! could have been checked first.
//!
//! ```text
//! open -> Opened -- accept --> Accepted -> Image -- payload --> Payload -- finish --> Drained
//!                                       |        <- finish -------------------------- |
//!                                       -> Bootstrap -- finish
//! ```

pub mod compat;
mod error;
pub mod excerpt;
pub mod header;
pub mod key;
pub mod manifest;
mod open;
mod payload;
pub mod tar;
pub mod trust;

#[cfg(test)]
pub(crate) mod forge;

use core::fmt;

use embedded_io::Read;

use crate::stream::decode::{Coding, Decoders};
use crate::stream::digest::Digest;
use crate::stream::{self, Source};
use compat::{Compatible, Device};
use excerpt::Excerpt;
use header::{Header, META_DATA_MAX_BYTES, ScriptSink, TEXT_MAX_BYTES};
use tar::{Archive, Entry};
use trust::VerifiedManifest;

pub use error::{Error, Kind};
pub use open::{SIGNATURE_MAX_BYTES, VERSION_MAX_BYTES, open};
pub use payload::{Drained, Origin, Payload};

/// Room for what an artifact says of itself, claimed once.
pub struct Texts {
    header_info: [u8; TEXT_MAX_BYTES],
    type_info: [u8; TEXT_MAX_BYTES],
    meta_data: [u8; META_DATA_MAX_BYTES],
}

impl Texts {
    /// Empty room.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            header_info: [0; TEXT_MAX_BYTES],
            type_info: [0; TEXT_MAX_BYTES],
            meta_data: [0; META_DATA_MAX_BYTES],
        }
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Texts").finish_non_exhaustive()
    }
}

/// What reading an artifact's header works in.
#[derive(Debug)]
pub struct Room<'s, 'b> {
    /// Holds the header as it is stored, so its length bounds that; free again after [`open`].
    pub scratch: &'s mut [u8],
    /// What the header says; in use as long as the [`Header`] is.
    pub texts: &'b mut Texts,
    /// Takes the state scripts.
    pub scripts: &'s mut dyn ScriptSink,
}

/// An artifact that an enrolled key signed, read up to its payload.
#[derive(Debug)]
pub struct Opened<'b, R> {
    archive: Archive<R>,
    manifest: VerifiedManifest,
    header: Header<'b>,
}

impl<'b, R> Opened<'b, R> {
    /// What the artifact says of itself.
    #[must_use]
    pub fn header(&self) -> Header<'b> {
        self.header
    }

    /// What was signed.
    #[must_use]
    pub fn manifest(&self) -> &VerifiedManifest {
        &self.manifest
    }

    /// Accepts the artifact for `device`.
    ///
    /// # Errors
    /// [`Error::Compat`], and [`Error::PayloadListed`] where a payload is signed that the header
    /// does not have or the other way round.
    pub fn accept(self, device: &Device<'_>) -> Result<Accepted<'b, R>, Error> {
        let proof = compat::check(&self.header, device)?;
        let refuse = |header, manifest| Err(Error::PayloadListed { header, manifest });
        let digest = self.manifest.payload().map(|(_, digest)| digest);
        match (self.header.payload_type(), digest) {
            (Some(_), Some(digest)) => {
                Ok(Accepted::Image(Image { opened: self, _proof: proof, digest }))
            }
            (None, None) => Ok(Accepted::Bootstrap(Bootstrap { opened: self, _proof: proof })),
            (Some(_), None) => refuse("has a payload", "lists none"),
            (None, Some(_)) => refuse("has no payload", "lists one"),
        }
    }

    /// The next member's coding and size, if it is the archive of the payload.
    fn data(&mut self) -> Result<Coding, Error>
    where
        R: Read<Error = stream::Error>,
    {
        let wanted = "data/0000.tar";
        let member = self.archive.next_member()?.ok_or(Error::Missing { wanted })?;
        open::refuse_augmented(&member)?;
        let coding = manifest::coding(&member.name, "data/0000");
        coding.ok_or_else(|| Error::Order { found: Excerpt::of(&member.name), wanted })
    }

    /// Nothing follows the archive of the payload, of which nothing is left.
    fn ended(&mut self) -> Result<(), Error>
    where
        R: Read<Error = stream::Error>,
    {
        if self.archive.left_bytes() > 0 {
            return Err(stream::Error::Trailing { what: "the compressed payload" }.into());
        }
        match self.archive.next_member()? {
            Some(member) => {
                Err(Error::Order { found: Excerpt::of(&member.name), wanted: "its end" })
            }
            None => Ok(()),
        }
    }
}

/// A signed artifact that is for this device.
#[derive(Debug)]
pub enum Accepted<'b, R> {
    /// It brings a system.
    Image(Image<'b, R>),
    /// It brings words only: what the device provides already.
    Bootstrap(Bootstrap<'b, R>),
}

impl<'b, R> Accepted<'b, R> {
    /// What the artifact says of itself.
    #[must_use]
    pub fn header(&self) -> Header<'b> {
        match self {
            Self::Image(image) => image.header(),
            Self::Bootstrap(bootstrap) => bootstrap.header(),
        }
    }
}

/// An accepted artifact with a root file system's image.
///
/// ```compile_fail,E0451
/// use twinslot::artifact::{Image, Opened, compat::Compatible};
/// use twinslot::stream::digest::Digest;
/// fn forge<'b, R>(opened: Opened<'b, R>, proof: Compatible) -> Image<'b, R> {
///     Image { opened, _proof: proof, digest: Digest([0; 32]) }
/// }
/// ```
/// ```compile_fail,E0616
/// fn bend<R>(image: &mut twinslot::artifact::Image<'_, R>) {
///     image.digest.0 = [0; 32];
/// }
/// ```
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<twinslot::artifact::Image<'static, &[u8]>>();
/// ```
#[derive(Debug)]
pub struct Image<'b, R> {
    opened: Opened<'b, R>,
    _proof: Compatible,
    digest: Digest,
}

impl<'b, R> Image<'b, R> {
    /// What the artifact says of itself.
    #[must_use]
    pub fn header(&self) -> Header<'b> {
        self.opened.header
    }

    /// What was signed.
    #[must_use]
    pub fn manifest(&self) -> &VerifiedManifest {
        &self.opened.manifest
    }
}

impl<R: Source> Image<'_, R> {
    /// Begins the payload. Its size is known then, and none of its bytes was read.
    ///
    /// # Errors
    /// What stands there is not the one file that was signed, or not in the form its name says.
    pub fn payload<'a, D: Decoders>(
        &'a mut self,
        decoders: &mut D,
    ) -> Result<Payload<D::Reader<Entry<'a, R>>>, Error> {
        let digest = self.digest;
        let coding = self.opened.data()?;
        let Opened { archive, manifest, .. } = &mut self.opened;
        let stored_bytes = archive.left_bytes();
        let decoder = decoders.open(coding, archive.entry("payload"))?;
        let mut inner = Archive::new(decoder, "payload archive");
        let wanted = manifest.payload().map(|(name, _)| name.as_str()).unwrap_or_default();
        let member = inner.next_member()?.ok_or(Error::Missing { wanted: "the payload" })?;
        if member.name != *wanted {
            let (found, wanted) = (Excerpt::of(&member.name), Excerpt::of(wanted));
            return Err(Error::PayloadName { found, wanted });
        }
        let (header, size_bytes) = (manifest.header(), member.size_bytes);
        if size_bytes == 0 {
            return Err(Error::PayloadEmpty);
        }
        let origin = Origin { digest, header, size_bytes, stored_bytes };
        Ok(Payload::begun(inner, origin))
    }

    /// Ends the artifact: nothing followed its payload.
    ///
    /// # Errors
    /// Something did.
    pub fn finish(mut self, payload: Drained) -> Result<Whole, Error> {
        let Drained(()) = payload;
        self.opened.ended()?;
        Ok(Whole(()))
    }
}

/// That an artifact was read to its end and nothing was in it that does not belong there.
///
/// ```compile_fail,E0603
/// let forged = twinslot::artifact::Whole(());
/// ```
#[derive(Debug)]
#[must_use]
pub struct Whole(());

/// An accepted artifact without a payload.
#[derive(Debug)]
pub struct Bootstrap<'b, R> {
    opened: Opened<'b, R>,
    _proof: Compatible,
}

impl<'b, R> Bootstrap<'b, R> {
    /// What the artifact says of itself.
    #[must_use]
    pub fn header(&self) -> Header<'b> {
        self.opened.header
    }
}

impl<R: Source> Bootstrap<'_, R> {
    /// Ends the artifact: its payload archive is empty, and nothing followed.
    ///
    /// # Errors
    /// It is not, or something did.
    pub fn finish<D: Decoders>(mut self, decoders: &mut D) -> Result<Whole, Error> {
        let coding = self.opened.data()?;
        let entry = self.opened.archive.entry("payload");
        payload::empty(&mut Archive::new(decoders.open(coding, entry)?, "payload archive"))?;
        self.opened.ended()?;
        Ok(Whole(()))
    }
}

#[cfg(test)]
mod tests;

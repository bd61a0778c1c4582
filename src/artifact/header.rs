//! What an artifact says of itself: `header-info`, state scripts, `type-info`, `meta-data`, in
//! this order (mender-artifact, Documentation/artifact-format-v3.md). Never reads a header whose
//! digest was not checked; never keeps or runs a script itself, it only hands them on.

mod fields;
mod script;

use embedded_io::Read;

use super::Texts;
use super::excerpt::Excerpt;
use super::tar::{self, Archive, Member, bytes};
use crate::device::Cause;
use crate::json::{self, Array, Elements, Object, Text, Value};
use crate::provides::{ARTIFACT_GROUP, ARTIFACT_NAME};
use crate::stream;
use fields::Fields;
pub use script::{PassOver, ScriptSink};

/// The longest name, key or value, in bytes of UTF-8 (mender-artifact since 4.1.1).
pub const WORD_MAX_BYTES: usize = 256;

/// The longest `header-info` and the longest `type-info`, in bytes.
pub const TEXT_MAX_BYTES: usize = 32 << 10;

/// The longest `meta-data`, in bytes; a rootfs-image has an empty one.
pub const META_DATA_MAX_BYTES: usize = 4 << 10;

/// How many state scripts may be there.
pub const SCRIPTS_MAX: usize = 64;

/// How long all members of the header may be together, in bytes.
pub const HEADER_MAX_BYTES: u64 = 4 << 20;

/// The one type of payload that is supported.
pub const ROOTFS_IMAGE: &str = "rootfs-image";

/// How much of a state script is handed on at once, in bytes.
const PART_BYTES: usize = 512;

const HEADER_INFO: &str = "header-info";
const TYPE_INFO: &str = "headers/0000/type-info";
const META_DATA: &str = "headers/0000/meta-data";

/// Why a header is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What holds the members.
    #[error(transparent)]
    Tar(#[from] tar::Error),
    /// A member that is not due.
    #[error("found {found:?} in the header archive, expected {wanted}")]
    Order {
        /// The member found.
        found: Excerpt<48>,
        /// What is due.
        wanted: &'static str,
    },
    /// The end where a member is due.
    #[error("the header archive ends where {wanted} is expected")]
    Missing {
        /// What is due.
        wanted: &'static str,
    },
    /// A member over its bound.
    #[error(
        "{what} in the header archive has {size_bytes} bytes, at most {allowed_bytes} are allowed"
    )]
    TooLarge {
        /// The member.
        what: &'static str,
        /// Its size, in bytes.
        size_bytes: u64,
        /// What may be, in bytes.
        allowed_bytes: u64,
    },
    /// A state script that no artifact may have.
    #[error("{name:?} is not the name of a state script")]
    Script {
        /// The name of the member.
        name: Excerpt<64>,
    },
    /// A state script that could not be kept.
    #[error("cannot keep the state script {name:?}: {cause}")]
    Unkept {
        /// Its name.
        name: Excerpt<48>,
        /// Why.
        cause: Cause,
    },
    /// More state scripts than allowed.
    #[error("more than {SCRIPTS_MAX} state scripts")]
    Scripts,
    /// Not JSON.
    #[error("{what} is not valid JSON: {error}")]
    Json {
        /// The member.
        what: &'static str,
        /// Where and why.
        error: json::Error,
    },
    /// A key that this format does not have, and that may mean something.
    #[error("{what} has the unknown key {key:?}")]
    Key {
        /// The member.
        what: &'static str,
        /// The key.
        key: Excerpt<40>,
    },
    /// A value of another kind than expected, or none.
    #[error("{key} in {what} is not {expected}")]
    Value {
        /// The member.
        what: &'static str,
        /// The key.
        key: &'static str,
        /// What its value must be.
        expected: &'static str,
    },
    /// A type of payload that is not supported.
    #[error("payload type {found:?} is not supported, expected {ROOTFS_IMAGE}")]
    Type {
        /// The type.
        found: Excerpt<40>,
    },
    /// The two texts do not agree.
    #[error("type-info says payload type {found:?}, header-info says {wanted:?}")]
    TypeDiffers {
        /// In `type-info`.
        found: Excerpt<40>,
        /// In `header-info`.
        wanted: Excerpt<40>,
    },
}

impl From<stream::Error> for Error {
    fn from(error: stream::Error) -> Self {
        Self::Tar(error.into())
    }
}

/// What an artifact says of itself, every word of it within its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Header<'b> {
    /// None in a bootstrap artifact.
    payload_type: Option<Text<'b>>,
    artifact_name: Text<'b>,
    artifact_group: Option<Text<'b>>,
    /// Of `header-info`, the device types among them.
    depends: Object<'b>,
    device_types: Array<'b>,
    /// Of `type-info`.
    type_depends: Option<Object<'b>>,
    provides: Option<Object<'b>>,
    clears: Option<Array<'b>>,
    scripts: usize,
}

impl<'b> Header<'b> {
    /// The artifact's name.
    #[must_use]
    pub fn artifact_name(&self) -> Text<'b> {
        self.artifact_name
    }

    /// The group the artifact is one of, if it names one.
    #[must_use]
    pub fn artifact_group(&self) -> Option<Text<'b>> {
        self.artifact_group
    }

    /// The type of the payload; none in a bootstrap artifact, which has no payload.
    #[must_use]
    pub fn payload_type(&self) -> Option<Text<'b>> {
        self.payload_type
    }

    /// The device types the artifact is for, one at least.
    pub fn device_types(&self) -> Words<'b> {
        Words::of(Value::Array(self.device_types))
    }

    /// Each key the artifact depends on, and the values it takes; the device type included.
    pub fn depends(&self) -> impl Iterator<Item = (Text<'b>, Words<'b>)> + use<'b> {
        let more = self.type_depends.into_iter().flat_map(Object::iter);
        let all = self.depends.iter().chain(more);
        all.filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, Words::of(value)))
    }

    /// What the artifact provides besides its name and group.
    pub fn provides(&self) -> impl Iterator<Item = (Text<'b>, Text<'b>)> + use<'b> {
        let all = self.provides.into_iter().flat_map(Object::iter);
        all.filter_map(|(key, value)| Some((key, value.to_text()?)))
    }

    /// Patterns of what the artifact clears; none is everything.
    #[must_use]
    pub fn clears(&self) -> Option<Words<'b>> {
        self.clears.map(|clears| Words::of(Value::Array(clears)))
    }

    /// How many state scripts the artifact has.
    #[must_use]
    pub fn scripts(&self) -> usize {
        self.scripts
    }
}

/// The words that a string, or an array of strings, is.
#[derive(Clone, Debug)]
pub struct Words<'b> {
    one: Option<Text<'b>>,
    many: Option<Elements<'b>>,
}

impl<'b> Words<'b> {
    fn of(value: Value<'b>) -> Self {
        Self { one: value.to_text(), many: value.to_array().map(Array::iter) }
    }
}

impl<'b> Iterator for Words<'b> {
    type Item = Text<'b>;

    fn next(&mut self) -> Option<Text<'b>> {
        self.one.take().or_else(|| self.many.as_mut()?.find_map(Value::to_text))
    }
}

/// The members of a header archive as they come.
struct Members<R> {
    archive: Archive<R>,
    next: Option<Member>,
    /// How many bytes the members still to come may have.
    room_bytes: u64,
}

/// Reads the header from `archive` into `texts`, to the archive's end; its state scripts go to
/// `sink`.
///
/// # Errors
/// See [`Error`].
pub(super) fn read<'b, R: Read<Error = stream::Error>>(
    archive: Archive<R>,
    texts: &'b mut Texts,
    sink: &mut dyn ScriptSink,
) -> Result<Header<'b>, Error> {
    let mut members = Members { archive, next: None, room_bytes: HEADER_MAX_BYTES };
    members.advance()?;
    let info = members.take(HEADER_INFO, &mut texts.header_info)?;
    let scripts = members.scripts(sink)?;
    let kind = members.take(TYPE_INFO, &mut texts.type_info)?;
    if members.is(META_DATA) {
        let data = members.take(META_DATA, &mut texts.meta_data)?;
        if !data.is_empty() {
            Fields::parse(META_DATA, data)?;
        }
    }
    members.ended()?;
    parse(info, kind, scripts)
}

impl<R: Read<Error = stream::Error>> Members<R> {
    fn advance(&mut self) -> Result<(), Error> {
        self.next = self.archive.next_member()?;
        Ok(())
    }

    fn is(&self, name: &str) -> bool {
        self.next.as_ref().is_some_and(|member| member.name == name)
    }

    /// All of the member, which must be `wanted`, in the beginning of `room`.
    fn take<'t>(&mut self, wanted: &'static str, room: &'t mut [u8]) -> Result<&'t [u8], Error> {
        let Some(member) = &self.next else { return Err(Error::Missing { wanted }) };
        if member.name != wanted {
            return Err(Error::Order { found: Excerpt::of(&member.name), wanted });
        }
        let size_bytes = member.size_bytes;
        let allowed_bytes = bytes(room.len()).min(self.room_bytes);
        let room = usize::try_from(size_bytes).ok().and_then(|size| room.get_mut(..size));
        let Some(room) = room.filter(|_| size_bytes <= self.room_bytes) else {
            return Err(Error::TooLarge { what: wanted, size_bytes, allowed_bytes });
        };
        self.room_bytes -= size_bytes;
        tar::fill(&mut self.archive.entry(wanted), room, wanted)?;
        self.advance()?;
        Ok(room)
    }

    /// Hands the state scripts to `sink`; returns how many there are.
    fn scripts(&mut self, sink: &mut dyn ScriptSink) -> Result<usize, Error> {
        for count in 0..=SCRIPTS_MAX {
            let Some(member) = &self.next else { return Ok(count) };
            let Some(script) = member.name.strip_prefix("scripts/") else { return Ok(count) };
            if !script::is_script(script) {
                return Err(Error::Script { name: Excerpt::of(&member.name) });
            }
            let (size_bytes, allowed_bytes) = (member.size_bytes, self.room_bytes);
            let left = allowed_bytes.checked_sub(size_bytes);
            let what = "a state script";
            self.room_bytes = left.ok_or(Error::TooLarge { what, size_bytes, allowed_bytes })?;
            hand_on(&mut self.archive, script, sink)?;
            self.advance()?;
        }
        Err(Error::Scripts)
    }

    fn ended(&self) -> Result<(), Error> {
        match &self.next {
            Some(member) => {
                Err(Error::Order { found: Excerpt::of(&member.name), wanted: "its end" })
            }
            None => Ok(()),
        }
    }
}

/// All of the script that the member begun last is, a part after the other.
fn hand_on<R: Read<Error = stream::Error>>(
    archive: &mut Archive<R>,
    name: &str,
    sink: &mut dyn ScriptSink,
) -> Result<(), Error> {
    let unkept = |cause| Error::Unkept { name: Excerpt::of(name), cause };
    let mut room = [0; PART_BYTES];
    sink.keep(name, &[]).map_err(unkept)?;
    let mut entry = archive.entry("a state script");
    // Every turn takes at least one byte of those left.
    loop {
        match entry.read(&mut room)? {
            0 => return Ok(()),
            len => sink.keep(name, &room[..len]).map_err(unkept)?,
        }
    }
}

/// The header that the two texts are.
fn parse<'b>(info: &'b [u8], kind: &'b [u8], scripts: usize) -> Result<Header<'b>, Error> {
    let info = Fields::parse(HEADER_INFO, info)?;
    info.only(&["payloads", "artifact_provides", "artifact_depends"])?;
    let payload_type = payload_type(&info)?;
    let provides = info.required("artifact_provides")?;
    provides.only(&[ARTIFACT_NAME, ARTIFACT_GROUP])?;
    let depends = info.required("artifact_depends")?;
    depends.only(&["device_type", ARTIFACT_NAME, ARTIFACT_GROUP])?;
    let name = provides.word(ARTIFACT_NAME)?.filter(|name| !name.is_empty());
    depends.list(ARTIFACT_NAME)?;
    depends.list(ARTIFACT_GROUP)?;

    let kind = Fields::parse("type-info", kind)?;
    kind.only(&["type", "artifact_provides", "artifact_depends", "clears_artifact_provides"])?;
    same_type(&kind, payload_type)?;
    Ok(Header {
        payload_type,
        artifact_name: name.ok_or_else(|| provides.fault(ARTIFACT_NAME, "a name"))?,
        artifact_group: provides.word(ARTIFACT_GROUP)?.filter(|group| !group.is_empty()),
        depends: depends.object(),
        device_types: depends
            .list("device_type")?
            .ok_or_else(|| depends.fault("device_type", "a list of device types"))?,
        type_depends: kind.choices("artifact_depends")?,
        provides: kind.map("artifact_provides")?,
        clears: kind.patterns("clears_artifact_provides")?,
        scripts,
    })
}

/// The type of the one payload: what is supported, or none.
fn payload_type<'b>(info: &Fields<'b>) -> Result<Option<Text<'b>>, Error> {
    let one = info.one("payloads")?;
    one.only(&["type"])?;
    match one.word("type")? {
        Some(found) if found != *ROOTFS_IMAGE => Err(Error::Type { found: Excerpt::of(found) }),
        found => Ok(found),
    }
}

/// mender-artifact 3.6 to 4.3 writes an empty type here, and bootstrap artifacts have null.
fn same_type(kind: &Fields<'_>, wanted: Option<Text<'_>>) -> Result<(), Error> {
    let found = kind.word("type")?.filter(|found| !found.is_empty());
    if found.is_none() || found == wanted {
        return Ok(());
    }
    let shown = |text: Option<Text<'_>>| text.map_or_else(Excerpt::default, Excerpt::of);
    Err(Error::TypeDiffers { found: shown(found), wanted: shown(wanted) })
}

#[cfg(test)]
mod tests;

//! Whether an artifact is for this device as it is now. The one place that leaves a
//! [`Compatible`]. Never changes what the device provides.

use super::excerpt::Excerpt;
use super::header::{Header, Words};
use crate::json::Text;
use crate::provides::Provides;

/// The key of the device type among what an artifact depends on.
pub const DEVICE_TYPE: &str = "device_type";

/// What an artifact is matched against.
#[derive(Clone, Copy, Debug)]
pub struct Device<'a> {
    /// The device's type.
    pub device_type: &'a str,
    /// What the booted slot's artifact and those before it left.
    pub provides: &'a Provides,
}

/// Why an artifact is not for this device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Made for other devices.
    #[error("the artifact is for {wanted}, this device is {found:?}")]
    DeviceType {
        /// The device's type.
        found: Excerpt<36>,
        /// The artifact's.
        wanted: Excerpt<40>,
    },
    /// The device provides something else.
    #[error("the artifact depends on {key} {wanted}, this device has {found:?}")]
    Differs {
        /// What is provided.
        key: Excerpt<24>,
        /// The device's value.
        found: Excerpt<36>,
        /// The artifact's values.
        wanted: Excerpt<40>,
    },
    /// The device provides nothing of the kind.
    #[error("the artifact depends on {key} {wanted}, this device has none")]
    Lacks {
        /// What is not provided.
        key: Excerpt<24>,
        /// The artifact's values.
        wanted: Excerpt<40>,
    },
}

/// That the artifact is for this device, as it is now.
///
/// ```compile_fail,E0603
/// let forged = twinslot::artifact::compat::Compatible(());
/// ```
/// ```compile_fail,E0277
/// fn copied<T: Clone>() {}
/// copied::<twinslot::artifact::compat::Compatible>();
/// ```
#[derive(Debug)]
pub struct Compatible(());

/// Matches what `header` depends on against `device`: its type is among those named, and for
/// each further key the device provides one of the values
/// (mender src/mender-update/context/context.cpp, `ArtifactMatchesContext`).
///
/// # Errors
/// The first mismatch, see [`Error`].
pub fn check(header: &Header<'_>, device: &Device<'_>) -> Result<Compatible, Error> {
    let types = || header.device_types();
    if !types().any(|wanted| wanted == *device.device_type) {
        let found = Excerpt::of(device.device_type);
        return Err(Error::DeviceType { found, wanted: Excerpt::list(types()) });
    }
    for (key, values) in header.depends() {
        one(key, values, device)?;
    }
    Ok(Compatible(()))
}

/// One key the artifact depends on.
fn one(key: Text<'_>, values: Words<'_>, device: &Device<'_>) -> Result<(), Error> {
    let found = if key == *DEVICE_TYPE {
        Some(device.device_type)
    } else {
        device.provides.iter().find(|(provided, _)| key == **provided).map(|(_, value)| value)
    };
    let Some(found) = found else {
        return Err(Error::Lacks { key: Excerpt::of(key), wanted: Excerpt::list(values) });
    };
    if values.clone().any(|value| value == *found) {
        return Ok(());
    }
    let (key, wanted) = (Excerpt::of(key), Excerpt::list(values));
    Err(Error::Differs { key, found: Excerpt::of(found), wanted })
}

#[cfg(test)]
mod tests;

//! Why a step of an update did not happen, in one type over the layers below.

use crate::artifact;
use crate::device::Cause;
use crate::environment;
use crate::provides;
use crate::slot::medium;
use crate::stream;

/// Why a step of an update did not happen. The environment then names the booted slot and
/// nothing is armed, unless the error is the environment's own and says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The artifact is not one this device takes.
    #[error(transparent)]
    Artifact(#[from] artifact::Error),
    /// The slot does not hold the payload.
    #[error(transparent)]
    Slot(#[from] medium::Error),
    /// The environment could not be read or changed.
    #[error(transparent)]
    Environment(#[from] environment::Error),
    /// An environment with one copy is lost when power fails while it is written.
    #[error("the environment has one copy: it cannot be changed safely, two are needed")]
    OneCopy,
    /// The state directory takes no record.
    #[error("cannot keep a record in the state directory: {0}")]
    Journal(Cause),
    /// What the artifact and this device provide together is too much to keep.
    #[error(transparent)]
    Provides(#[from] provides::Error),
    /// Someone asked to stop.
    #[error("stopped as asked, before the new system was armed")]
    Interrupted,
}

impl From<stream::Error> for Error {
    fn from(error: stream::Error) -> Self {
        Self::Artifact(error.into())
    }
}

impl From<stream::block::Fault> for Error {
    fn from(fault: stream::block::Fault) -> Self {
        Self::Slot(fault.into())
    }
}

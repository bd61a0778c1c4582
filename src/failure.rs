//! The exit codes and error codes, said once: every failure the program can end with, as one
//! number, one word for apps and one sentence for people.

use std::fmt::Display;
use std::process::ExitCode;

use twinslot::boot::Disagreement;
use twinslot::slot::medium;
use twinslot::{artifact, environment, update};
use uboot_env::config::ConfigError;

use crate::net::{download, exchange, http};
use crate::sys::block::OpenError;
use crate::sys::env::EnvError;
use crate::sys::lock::LockError;
use crate::sys::partition::ResolveError;
use crate::sys::socket::ListenError;
use crate::{config, deployment, machine, scripts, state, sys};

/// How the program ends. Scripts depend on the numbers; 0, 2 and 4 are Mender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// Failed, none of the below.
    Failed,
    /// Nothing in progress (`commit`, `rollback`).
    NothingInProgress,
    /// No update waits (`check`).
    NothingWaits,
    /// Done, reboot to use it (with `--reboot-exit-code`).
    RebootNeeded,
    /// An update is in progress already: armed, on trial, or another twinslot runs.
    InProgress,
    /// Usage or configuration.
    Usage,
    /// Artifact refused: malformed, incompatible, too large.
    Refused,
    /// Device, network, environment, state directory.
    Io,
    /// Artifact refused: signature.
    Signature,
}

impl Exit {
    /// The number.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::NothingInProgress => 2,
            Self::NothingWaits => 3,
            Self::RebootNeeded => 4,
            Self::InProgress => 5,
            Self::Usage => 64,
            Self::Refused => 65,
            Self::Io => 74,
            Self::Signature => 77,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Why a command did not do what it was asked to.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// Stable and in kebab-case, for an app to translate.
    pub(crate) code: &'static str,
    /// For a person.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Display) -> Self {
        Self { exit, code, message: message.to_string() }
    }
}

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::new(Exit::Usage, "configuration", error)
    }
}

impl From<machine::Error> for Failure {
    fn from(error: machine::Error) -> Self {
        use machine::Error as E;
        let (exit, code) = match &error {
            E::Resolve { error: ResolveError::Missing { .. }, .. } => (Exit::Io, "slot-missing"),
            E::Resolve { error: ResolveError::Failed(_), .. } => (Exit::Io, "slot-io"),
            E::NotBooted(_) => (Exit::Failed, "booted-slot-unknown"),
            E::DifferentDisks { .. } => (Exit::Usage, "slots-on-different-disks"),
            _ => (Exit::Usage, "configuration"),
        };
        Self::new(exit, code, error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let (exit, code) = match &error {
            OpenError::Missing { .. } => (Exit::Io, "slot-missing"),
            OpenError::Busy { .. } => (Exit::Io, "slot-busy"),
            OpenError::ReadOnly { .. } => (Exit::Io, "slot-read-only"),
            OpenError::NotBlockDevice { .. } | OpenError::BlockSize { .. } => {
                (Exit::Usage, "slot-unsuitable")
            }
            OpenError::Failed(_) => (Exit::Io, "slot-io"),
        };
        Self::new(exit, code, error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, "environment-configuration", error)
    }
}

impl From<EnvError> for Failure {
    fn from(error: EnvError) -> Self {
        let (exit, code) = match &error {
            EnvError::NotSupported { .. }
            | EnvError::Misaligned { .. }
            | EnvError::Misplaced { .. } => (Exit::Usage, "environment-configuration"),
            EnvError::Open(_) | EnvError::Failed(_) => (Exit::Io, "environment-unreadable"),
        };
        Self::new(exit, code, error)
    }
}

impl From<environment::Error> for Failure {
    fn from(error: environment::Error) -> Self {
        use environment::{Bad, Error as E};
        let (exit, code) = match &error {
            E::Disagreement(reason) => return Self::from(*reason),
            E::Only(Bad::Unreadable(_))
            | E::Both { first: Bad::Unreadable(_), second: Bad::Unreadable(_) }
            | E::Unreadable { .. } => (Exit::Io, "environment-unreadable"),
            E::Only(_) | E::Both { .. } => (Exit::Io, "environment-bad"),
            E::Locked(_) => (Exit::Io, "environment-locked"),
            E::NoRoom { .. } => (Exit::Io, "environment-full"),
            E::Flush { .. } | E::Write { .. } => (Exit::Io, "environment-io"),
            E::ReadBack { .. } => (Exit::Io, "environment-read-back"),
        };
        Self::new(exit, code, error)
    }
}

impl From<environment::SetError<'_>> for Failure {
    fn from(error: environment::SetError<'_>) -> Self {
        match error {
            environment::SetError::Environment(error) => Self::from(error),
            environment::SetError::Edit(error) => Self::new(Exit::Usage, "usage", error),
        }
    }
}

impl From<Disagreement> for Failure {
    fn from(error: Disagreement) -> Self {
        let code = match error {
            Disagreement::Canary => "environment-canary",
            Disagreement::Missing(_) | Disagreement::NotANumber(_) => "environment-incomplete",
            _ => "environment-disagrees",
        };
        Self::new(Exit::Io, code, error)
    }
}

impl From<artifact::Error> for Failure {
    fn from(error: artifact::Error) -> Self {
        let exit = match error.kind() {
            artifact::Kind::Signature => Exit::Signature,
            artifact::Kind::Refused => Exit::Refused,
            artifact::Kind::Io => Exit::Io,
        };
        Self::new(exit, error.code(), error)
    }
}

impl From<update::Error> for Failure {
    fn from(error: update::Error) -> Self {
        match error {
            update::Error::Artifact(error) => Self::from(error),
            update::Error::Environment(error) => Self::from(error),
            update::Error::Slot(error) => Self::from(error),
            update::Error::Journal(_) => Self::new(Exit::Io, "state-dir-unwritable", error),
            update::Error::Provides(_) => Self::new(Exit::Refused, "provides-full", error),
            update::Error::OneCopy => Self::new(Exit::Usage, "environment-configuration", error),
            update::Error::Interrupted => Self::new(Exit::Failed, "interrupted", error),
        }
    }
}

impl From<medium::Error> for Failure {
    fn from(error: medium::Error) -> Self {
        let (exit, code) = match &error {
            medium::Error::Empty => (Exit::Refused, "payload-empty"),
            medium::Error::TooLarge { .. } => (Exit::Refused, "payload-too-large"),
            medium::Error::Digest { .. } => (Exit::Refused, "digest-mismatch"),
            medium::Error::Fault(_) => (Exit::Io, "slot-io"),
            medium::Error::ReadBack { .. } | medium::Error::Head(_) => {
                (Exit::Io, "read-back-mismatch")
            }
        };
        Self::new(exit, code, error)
    }
}

impl From<state::Error> for Failure {
    fn from(error: state::Error) -> Self {
        Self::new(Exit::Io, "state-dir-unreadable", error)
    }
}

impl From<scripts::Broken> for Failure {
    fn from(broken: scripts::Broken) -> Self {
        let code = match &broken {
            scripts::Broken::Stopped { .. } => "interrupted",
            _ => "state-script-failed",
        };
        Self::new(Exit::Failed, code, broken)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { .. } => Self::new(Exit::InProgress, "another-twinslot-runs", error),
            LockError::Failed(failure) => Self::new(Exit::Io, "state-dir-unwritable", failure),
        }
    }
}

impl From<http::SetupError> for Failure {
    fn from(error: http::SetupError) -> Self {
        Self::new(Exit::Usage, "configuration", error)
    }
}

impl From<exchange::Error> for Failure {
    fn from(error: exchange::Error) -> Self {
        use exchange::Error as E;
        let (exit, code) = match &error {
            E::Url { .. } => (Exit::Io, "url-refused"),
            E::Unreachable { .. } => (Exit::Io, "network-unreachable"),
            E::Tls { .. } => (Exit::Io, "tls-failed"),
            E::Malformed { .. } => (Exit::Io, "server-malformed"),
            E::Refused { .. } => (Exit::Io, "server-refused"),
            E::Interrupted => (Exit::Failed, "interrupted"),
        };
        Self::new(exit, code, error)
    }
}

impl From<download::Error> for Failure {
    fn from(error: download::Error) -> Self {
        use download::Error as E;
        let (exit, code) = match error {
            E::Exchange(error) => return Self::from(error),
            E::Changed { .. } => (Exit::Io, "download-changed"),
            E::Truncated { .. } => (Exit::Io, "download-truncated"),
            E::Stalled { .. } => (Exit::Io, "network-stalled"),
            E::Digest { .. } => (Exit::Refused, "download-digest-mismatch"),
        };
        Self::new(exit, code, error)
    }
}

impl From<deployment::Error> for Failure {
    fn from(error: deployment::Error) -> Self {
        let code = match &error {
            deployment::Error::Read(_) => "state-dir-unreadable",
            deployment::Error::Failed(_) => "state-dir-unwritable",
        };
        Self::new(Exit::Io, code, error)
    }
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::Taken { .. } => {
                Self::new(Exit::InProgress, "another-twinslot-runs", error)
            }
            ListenError::Failed(failure) => Self::new(Exit::Io, "control-socket", failure),
        }
    }
}

impl From<sys::Failure> for Failure {
    fn from(failure: sys::Failure) -> Self {
        Self::new(Exit::Io, "io", failure)
    }
}

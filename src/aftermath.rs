//! What the state scripts of an update still have to do once the board is settled: after a
//! rollback, by whomever, and after a power cut at any step. Never decides how the update ended.

use twinslot::slot::Slot;

use crate::config::Config;
use crate::program::Tend;
use crate::scripts::State::{
    ArtifactCommit, ArtifactFailure, ArtifactReboot, ArtifactRollback, ArtifactRollbackReboot,
};
use crate::scripts::Transition::{Enter, Error, Leave};
use crate::scripts::{Kept, Moment, Scripts, Stage};

/// It was to be armed, and never was.
const NEVER_ARMED: &[Moment] = &[
    (ArtifactRollback, Enter),
    (ArtifactRollback, Leave),
    (ArtifactFailure, Enter),
    (ArtifactFailure, Leave),
];

/// The boot loader went back: nothing was run on the way. As Mender, whose reboot has failed then.
const FELL_BACK: &[Moment] = &[
    (ArtifactReboot, Error),
    (ArtifactRollback, Enter),
    (ArtifactRollback, Leave),
    (ArtifactRollbackReboot, Leave),
    (ArtifactFailure, Enter),
    (ArtifactFailure, Leave),
];

/// The new system went back itself.
const GIVEN_UP: &[Moment] =
    &[(ArtifactRollbackReboot, Leave), (ArtifactFailure, Enter), (ArtifactFailure, Leave)];

/// Runs what is left to run on the settled system in `booted`, and forgets the scripts.
pub(crate) fn finish(config: &Config, booted: Slot, tend: Tend<'_>) {
    let mut lost = Scripts::of(config, booted.other());
    let moments = lost.kept().map_or(&[][..], |kept| match kept.stage() {
        Stage::Installing => NEVER_ARMED,
        Stage::Armed => FELL_BACK,
        Stage::GivenUp => GIVEN_UP,
    });
    lost.run_all(moments, tend);
    lost.forget(booted.other());

    let mut kept = Scripts::of(config, booted);
    if kept.kept().map(Kept::stage) == Some(Stage::Armed) {
        // Committed, and then power was lost.
        kept.run_all(&[(ArtifactCommit, Leave)], tend);
    }
    kept.forget(booted);
}

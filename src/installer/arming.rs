//! The end of an installation: the slot is armed, with the artifact's state scripts around that,
//! and the way back where one of them fails. Never writes to a slot.

use twinslot::progress::{Phase, Progress};
use twinslot::slot::medium::WrittenSlot;
use twinslot::slot::{Armed, Slot};
use twinslot::update;

use super::lean::Lean;
use super::{Attempt, unwritable};
use crate::failure::Failure;
use crate::scripts::State::{ArtifactFailure, ArtifactInstall, ArtifactRollback};
use crate::scripts::Transition::{Enter, Error, Leave};
use crate::scripts::{Keeper, Scripts, Stage, patiently, until};

impl<P: Progress> Attempt<'_, '_, P> {
    /// Arms the written slot of `artifact`, whose scripts `keeper` has.
    pub(super) fn arm(
        &mut self,
        written: WrittenSlot,
        keeper: Keeper,
        artifact: &str,
    ) -> Result<Slot, Failure> {
        let slot = written.slot();
        keeper.bind(slot, artifact).map_err(unwritable)?;
        self.scripts = Scripts::of(self.job.config, slot);
        let stop = self.job.stop;
        let entered = self.scripts.run(ArtifactInstall, Enter, &mut until(stop));
        let armed = entered.map_err(Failure::from).and_then(|()| self.arm_now(written));
        if armed.is_err() {
            self.scripts.run_all(&[(ArtifactInstall, Error)], &mut patiently);
            self.give_up(slot, |_| {});
        }
        let armed = armed?;
        self.scripts.go_on(Stage::Armed);
        // From here on nobody stops it: the slot is armed.
        if let Err(broken) = self.scripts.run(ArtifactInstall, Leave, &mut patiently) {
            let failure = Failure::from(broken);
            self.scripts.run_all(&[(ArtifactInstall, Error)], &mut patiently);
            self.give_up(slot, |attempt| attempt.disarm(armed, &failure.message));
            return Err(failure);
        }
        Ok(slot)
    }

    fn arm_now(&mut self, written: WrittenSlot) -> Result<Armed, Failure> {
        Lean::new(&mut *self.progress).phase(Phase::Arm, 0);
        Ok(update::arm(written, self.environment, self.state)?)
    }

    /// What is run when an update is over before its reboot, `back` being the way back itself.
    fn give_up(&mut self, slot: Slot, back: impl FnOnce(&mut Self)) {
        self.scripts.run_all(&[(ArtifactRollback, Enter)], &mut patiently);
        back(self);
        let rest = [(ArtifactRollback, Leave), (ArtifactFailure, Enter), (ArtifactFailure, Leave)];
        self.scripts.run_all(&rest, &mut patiently);
        self.scripts.forget(slot);
    }

    /// A slot that cannot be disarmed is tried by the next boot, and has its health checks then.
    fn disarm(&mut self, armed: Armed, reason: &str) {
        match update::disarm(armed, reason, self.environment, self.state) {
            Ok(recorded) => self.on_record = recorded.is_ok(),
            Err(error) => log::error!("the slot stays armed: {error}"),
        }
    }
}

//! This board in the daemon's hands: the seam between what the daemon decides and what changes
//! anything. Never decides what is installed.

use std::sync::Arc;

use twinslot::memory::Buffers;

use super::watch::{Teller, Watch};
use crate::config::Config;
use crate::contact::Contact;
use crate::deployment::Deployment;
use crate::failed::{self, Failed};
use crate::failure::{Exit, Failure};
use crate::installer::{self, Done, Order, Resume};
use crate::inventory;
use crate::net::download::{Download, Wanted};
use crate::net::http::Stop;
use crate::net::server::{Attributes, Offer};
use crate::probation::View;
use crate::scripts::{Scripts, State, Transition, until};
use crate::session;
use crate::state::StateDir;
use crate::status::running;
use crate::sys::{pool, priority, reboot};
use crate::trial::{self, Decided};

/// An artifact to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) urls: Vec<String>,
    /// The name it was offered by; it must be the one it has.
    pub(crate) artifact_name: Option<String>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) digest: Option<[u8; 32]>,
}

impl From<&Offer> for Source {
    fn from(offer: &Offer) -> Self {
        Self {
            urls: offer.urls.clone(),
            artifact_name: Some(offer.artifact_name.clone()),
            size_bytes: offer.size_bytes,
            digest: offer.digest,
        }
    }
}

/// What the daemon needs of a board.
pub(crate) trait Board: Send {
    /// Where the board is.
    ///
    /// # Errors
    /// It cannot be told.
    fn view(&mut self) -> Result<View, Failure>;

    /// The deployment on record.
    ///
    /// # Errors
    /// It cannot be read.
    fn deployment(&self) -> Result<Option<Deployment>, Failure>;

    /// Replaces the deployment on record.
    ///
    /// # Errors
    /// The state directory cannot be written.
    fn keep(&mut self, deployment: Option<&Deployment>) -> Result<(), Failure>;

    /// Why an artifact failed here before, if it did.
    fn failed(&self, artifact_name: &str) -> Option<failed::Entry>;

    /// Remembers that an artifact failed here, or with no reason that it may be tried again.
    fn blame(&mut self, artifact_name: &str, reason: Option<&str>);

    /// Installs, on a thread of its own that yields to all others.
    ///
    /// # Errors
    /// Nothing is armed.
    fn install(&mut self, source: &Source, teller: Teller<'_>) -> Result<Done, Failure>;

    /// Tests a system on trial; on a settled board only completes the records.
    ///
    /// # Errors
    /// The environment cannot be changed, or another twinslot is at it.
    fn settle(&mut self, contact: Option<Contact<'_>>) -> Result<Decided, Failure>;

    /// # Errors
    /// Nothing is on trial, or the environment cannot be changed.
    fn commit(&mut self) -> Result<Decided, Failure>;

    /// # Errors
    /// Nothing is on trial or armed, or the environment cannot be changed.
    fn rollback(&mut self) -> Result<Decided, Failure>;

    /// Has the owner's state scripts of a moment between updates run.
    ///
    /// # Errors
    /// One of them objects.
    fn moment(&mut self, state: State, transition: Transition) -> Result<(), Failure>;

    /// What the server is to know of this device.
    ///
    /// # Errors
    /// It cannot be told.
    fn inventory(&mut self) -> Result<Attributes, Failure>;

    /// Restarts the board, after what comes before that; returns why not.
    fn reboot(&mut self) -> Failure;
}

/// This one.
pub(crate) struct Own {
    pub(crate) config: Config,
    pub(crate) buffers: &'static mut Buffers,
    pub(crate) watch: Arc<Watch>,
}

impl Own {
    fn failures(&self) -> Failed {
        Failed::new(&StateDir::new(&self.config.state_dir))
    }

    /// The artifact's bytes; asks nobody before the first read.
    fn download(&self, source: &Source) -> Result<Download, Failure> {
        let watch = Arc::clone(&self.watch);
        let stop = Stop::new(move || watch.stopped().is_some());
        let client = session::client(&self.config, stop)?;
        let Source { urls, size_bytes, digest, .. } = source.clone();
        let patience = session::patience(&self.config);
        Ok(Download::new(&client, Wanted { urls, size_bytes, digest, patience }))
    }
}

impl Board for Own {
    fn view(&mut self) -> Result<View, Failure> {
        View::find(&self.config, &mut self.buffers.environment)
    }

    fn deployment(&self) -> Result<Option<Deployment>, Failure> {
        Ok(Deployment::read(&self.config.state_dir)?)
    }

    fn keep(&mut self, deployment: Option<&Deployment>) -> Result<(), Failure> {
        let directory = &self.config.state_dir;
        let Some(deployment) = deployment else { return Ok(Deployment::forget(directory)?) };
        StateDir::new(directory).prepare()?;
        Ok(deployment.keep(directory)?)
    }

    fn failed(&self, artifact_name: &str) -> Option<failed::Entry> {
        self.failures().get(artifact_name)
    }

    fn blame(&mut self, artifact_name: &str, reason: Option<&str>) {
        let failures = self.failures();
        let kept = match reason {
            Some(reason) => failures.remember(artifact_name, reason),
            None => failures.forget(artifact_name),
        };
        if let Err(failure) = kept {
            log::warn!("{failure}");
        }
    }

    fn install(&mut self, source: &Source, mut teller: Teller<'_>) -> Result<Done, Failure> {
        if let Err(cause) = priority::yield_to_others() {
            log::info!("the installation does not yield to others: {cause}");
        }
        let watch: &Watch = teller.watch;
        let stop = || watch.stopped().is_some();
        let input = self.download(source)?;
        let account = input.account();
        let order = Order {
            config: &self.config,
            input,
            resume: Resume::Possible,
            reason: &|| account.failure().map(Failure::from),
            progress: &mut teller,
            stop: &stop,
            expected_name: source.artifact_name.as_deref(),
        };
        let done = installer::install(order, self.buffers);
        if let Err(cause) = pool::give_back(self.buffers) {
            log::info!("the buffers stay in memory: {cause}");
        }
        done
    }

    fn settle(&mut self, contact: Option<Contact<'_>>) -> Result<Decided, Failure> {
        trial::settle(&self.config, &mut self.buffers.environment, contact)
    }

    fn commit(&mut self) -> Result<Decided, Failure> {
        trial::commit(&self.config, &mut self.buffers.environment)
    }

    fn rollback(&mut self) -> Result<Decided, Failure> {
        trial::rollback(&self.config, &mut self.buffers.environment)
    }

    fn moment(&mut self, state: State, transition: Transition) -> Result<(), Failure> {
        let stop = || self.watch.stopped().is_some();
        Ok(Scripts::new(&self.config).run(state, transition, &mut until(&stop))?)
    }

    fn inventory(&mut self) -> Result<Attributes, Failure> {
        inventory::attributes(&self.config, &running(&self.config, &mut self.buffers.environment)?)
    }

    fn reboot(&mut self) -> Failure {
        if let Err(failure) = trial::before_reboot(&self.config, &mut self.buffers.environment) {
            return failure;
        }
        match reboot::restart() {
            Ok(never) => match never {},
            Err(cause) => Failure::new(Exit::Failed, "reboot", format!("cannot reboot: {cause}")),
        }
    }
}

//! The trial of a system with what is known of the deployment that brought it. Never decides
//! what the trial is worth.

use std::time::Duration;

use twinslot::environment::CopyBuffer;
use twinslot::provides::ARTIFACT_NAME;

use crate::config::Config;
use crate::contact::Contact;
use crate::deployment::{self, Deployment, Next, Stand};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::net::exchange;
use crate::net::http::Stop;
use crate::net::server::{Attributes, Stage};
use crate::servers;
use crate::session::{self, Place};
use crate::state::StateDir;
use crate::trial::{self, Decided};

/// Where the board is, and what is known of it.
pub(crate) struct View {
    pub(crate) stand: Stand,
    pub(crate) journal: Vec<u8>,
    /// The running system's artifact.
    pub(crate) running: Option<String>,
    /// What servers are told that it provides.
    pub(crate) provides: Attributes,
}

impl View {
    /// # Errors
    /// Where the board is cannot be told, or its records cannot be read.
    pub(crate) fn find(config: &Config, buffers: &mut [CopyBuffer; 2]) -> Result<Self, Failure> {
        let machine = Machine::find(config)?;
        let environment = session::environment(&config.fw_env_config, buffers)?;
        let place = Place::find(&machine, &environment)?;
        let state = StateDir::new(&config.state_dir);
        let running = state.provides(place.committed())?;
        Ok(Self {
            stand: Stand::from(&place),
            journal: state.journal()?,
            running: running.get(ARTIFACT_NAME).map(str::to_owned),
            provides: servers::provides(config, &running)?,
        })
    }

    /// The number of the deployment whose system is on trial, if one is and a server waits.
    pub(crate) fn tried(&self, deployment: Option<&Deployment>) -> Option<String> {
        let deployment = deployment.filter(|deployment| deployment.end.is_none())?;
        let next = deployment::told(deployment, &self.stand, &self.journal);
        if next == Next::Settle { deployment.id.clone() } else { None }
    }
}

/// Tests the system on trial, as [`trial::settle`] does; where a server deployed it, that server
/// must be reached too.
///
/// # Errors
/// The environment cannot be changed.
pub(crate) fn settle(config: &Config, buffers: &mut [CopyBuffer; 2]) -> Result<Decided, Failure> {
    let tried = tried(config, buffers).unwrap_or_else(|failure| {
        // The trial itself will say so too, if it matters there.
        log::warn!("no deployment can be told: {}", failure.message);
        None
    });
    let limit = Duration::from_secs(config.server.settle_s);
    let Some(id) = tried.filter(|_| !limit.is_zero()) else {
        return trial::settle(config, buffers, None);
    };
    let mut server = servers::connect(config, Stop::default());
    let mut reach = || match &mut server {
        Ok(server) => server.report(&id, Stage::Installing, ""),
        Err(failure) => Err(unserved(&failure.message)),
    };
    trial::settle(config, buffers, Some(Contact { limit, reach: &mut reach }))
}

/// A system that lost its way to its server is as good as cut off from it.
pub(crate) fn unserved(reason: &str) -> exchange::Error {
    exchange::Error::Url { url: "ServerURL".to_owned(), reason: reason.to_owned() }
}

fn tried(config: &Config, buffers: &mut [CopyBuffer; 2]) -> Result<Option<String>, Failure> {
    let deployment = Deployment::read(&config.state_dir)?;
    Ok(View::find(config, buffers)?.tried(deployment.as_ref()))
}

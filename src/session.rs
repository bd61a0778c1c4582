//! What most commands begin with: the configuration, the buffers, this machine, its environment,
//! and where the board is in an update. Changes nothing.

use std::path::Path;
use std::time::Duration;

use twinslot::boot::{BootVars, Disagreement};
use twinslot::environment::{CopyBuffer, Environment};
use twinslot::journal;
use twinslot::journal::outcome::{self, Last, Now};
use twinslot::memory::Buffers;
use twinslot::slot::{Slot, State};
use uboot_env::config::Config as EnvConfig;

use crate::config::{Config, Loaded};
use crate::failure::{Exit, Failure};
use crate::machine::Machine;
use crate::net::download::Patience;
use crate::net::http::{Client, Settings, Stop};
use crate::sys::env::EnvFiles;
use crate::sys::{pool, store};

/// The longest fw_env.config, in bytes.
const ENV_CONFIG_BYTES: u64 = 64 << 10;
/// The longest file of certificates or with a key, in bytes.
const PEM_BYTES: u64 = 1 << 20;

/// Reads the configuration, and says what in it nobody understands.
pub(crate) fn configuration(named: Option<&Path>) -> Result<Config, Failure> {
    let loaded = Loaded::read(named)?;
    for key in &loaded.unknown {
        log::warn!("unknown configuration key: {key}");
    }
    Ok(loaded.config)
}

/// The pool, which nobody else has claimed yet.
pub(crate) fn buffers() -> Result<&'static mut Buffers, Failure> {
    pool::claim().ok_or_else(|| Failure::new(Exit::Failed, "internal", "buffers claimed twice"))
}

/// What servers are asked with; it stops waiting for one when `stop` says so.
pub(crate) fn client(config: &Config, stop: Stop) -> Result<Client, Failure> {
    let server = &config.server;
    let roots = server.certificate.as_deref().map(|path| pem("ServerCertificate", path));
    let client = server.client.as_ref().map(|(certificate, key)| {
        Ok::<_, Failure>((pem("HttpsClient", certificate)?, pem("HttpsClient", key)?))
    });
    let settings = Settings {
        roots: roots.transpose()?,
        client: client.transpose()?,
        silence: Duration::from_secs(server.silence_s),
        stop,
    };
    Ok(Client::new(&settings)?)
}

/// How long a download goes on trying, as configured.
pub(crate) fn patience(config: &Config) -> Patience {
    let server = &config.server;
    let span = Duration::from_secs(server.silence_s.saturating_mul(2));
    Patience::of(server.retry_download, Duration::from_secs(server.retry_poll_s), span)
}

fn pem(key: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let unusable = |message: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, "configuration", format!("{key}: {message}"))
    };
    let read = store::read_bounded(path, PEM_BYTES).map_err(|error| unusable(&error))?;
    read.ok_or_else(|| unusable(&format_args!("{}: no such file", path.display())))
}

/// Opens the environment that fw_env.config names; bad copies are no error here.
pub(crate) fn environment<'m>(
    path: &Path,
    buffers: &'m mut [CopyBuffer; 2],
) -> Result<Environment<'m, EnvFiles>, Failure> {
    let unusable = |message: &dyn std::fmt::Display| {
        let message = format!("{}: {message}", path.display());
        Failure::new(Exit::Usage, "environment-configuration", message)
    };
    let text = store::read_bounded(path, ENV_CONFIG_BYTES).map_err(|error| unusable(&error))?;
    let text = text.ok_or_else(|| unusable(&"no such file"))?;
    let text = std::str::from_utf8(&text).map_err(|error| unusable(&error))?;
    let config = EnvConfig::parse(text).map_err(|error| unusable(&error))?;
    let files = EnvFiles::open(&config)?;
    Ok(Environment::look(files, config.layout(), config.copy_bytes(), buffers))
}

/// Where the board is in an update, with what it was told from.
pub(crate) struct Place {
    pub(crate) booted: Slot,
    pub(crate) vars: BootVars,
    pub(crate) serial: u8,
    /// [`Disagreement::OtherNext`] after a rollback until the reboot: nothing may be done then,
    /// but what happened can be told.
    pub(crate) state: Result<State, Disagreement>,
}

impl Place {
    /// # Errors
    /// The running slot is unknown, the environment is bad, or they disagree.
    pub(crate) fn find(
        machine: &Machine,
        environment: &Environment<'_, EnvFiles>,
    ) -> Result<Self, Failure> {
        let booted = machine.booted()?;
        let vars = environment.boot()?;
        let (_, current) = environment.current()?;
        let (slot, serial) = (booted.slot(), current.serial());
        let state = match booted.state(&vars) {
            Err(error @ Disagreement::OtherNext { .. }) => Err(error),
            state => Ok(state?),
        };
        Ok(Self { booted: slot, vars, serial, state })
    }

    /// The slot whose system was committed last: the running one, unless it is on trial.
    pub(crate) fn committed(&self) -> Slot {
        match self.state {
            Ok(State::Trial(_)) | Err(_) => self.booted.other(),
            Ok(State::Settled(_) | State::Armed(_)) => self.booted,
        }
    }

    /// Says so when the boot loader would never go back by itself.
    pub(crate) fn warn_without_fallback(&self) {
        if self.vars.bootlimit.is_none() {
            log::warn!(
                "the environment has no bootlimit: the boot loader will not go back by itself \
                 from a system that does not start"
            );
        }
    }

    /// The slot that the next boot starts.
    pub(crate) fn next(&self) -> Slot {
        match self.state {
            Ok(State::Armed(_)) | Err(_) => self.booted.other(),
            Ok(State::Settled(_) | State::Trial(_)) => self.booted,
        }
    }

    /// `settled`, `armed` or `trial`.
    pub(crate) fn word(&self) -> &'static str {
        self.state.as_ref().map_or("settled", State::word)
    }

    /// For [`outcome::last`].
    pub(crate) fn now(&self) -> Now {
        let in_progress = matches!(self.state, Ok(State::Armed(_) | State::Trial(_)));
        Now { next: self.next(), in_progress, serial: self.serial }
    }
}

/// How the last attempt ended, told from `journal`.
pub(crate) fn last(journal: &[u8], now: Now) -> Last<'_> {
    outcome::last(journal::records(journal), now)
}

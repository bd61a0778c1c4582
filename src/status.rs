//! What runs, what will, and what is known of it, for a person and for an app. Changes nothing.

use std::fmt::{Display, Write as _};

use twinslot::artifact::key::PublicKey;
use twinslot::environment::{CopyBuffer, Found};
use twinslot::journal::outcome::Last;
use twinslot::provides::{ARTIFACT_NAME, Provides};
use twinslot::slot::Slot;
use twinslot::stream::digest::Digest;
use uboot_env::Which;

use crate::config::Config;
use crate::failure::Failure;
use crate::health::results::{Occasion, Results};
use crate::machine::Machine;
use crate::object::{Object, array};
use crate::session::{self, Place};
use crate::state::StateDir;
use crate::sys::block::SlotReader;
use crate::sys::mmc;
use crate::{installer, trust, why};

/// What the running system provides.
///
/// # Errors
/// Where the board is cannot be told, or the record cannot be read.
pub(crate) fn running(config: &Config, buffers: &mut [CopyBuffer; 2]) -> Result<Provides, Failure> {
    let machine = Machine::find(config)?;
    let environment = session::environment(&config.fw_env_config, buffers)?;
    let place = Place::find(&machine, &environment)?;
    Ok(StateDir::new(&config.state_dir).provides(place.committed())?)
}

/// Provides as an object.
pub(crate) fn provides(provides: &Provides) -> Object {
    provides.iter().fold(Object::default(), |object, (key, value)| object.text(key, value))
}

/// One copy of the environment for an app.
pub(crate) fn copy(found: &Found) -> Object {
    match found {
        Ok(serial) => Object::default().raw("valid", true).raw("serial", serial),
        Err(bad) => Object::default().raw("valid", false).text("problem", bad),
    }
}

/// Everything at once.
pub(crate) struct Status<'c> {
    config: &'c Config,
    machine: Machine,
    state: StateDir,
    place: Place,
    copies: Vec<Found>,
    current: Which,
    journal: Vec<u8>,
    provides: Provides,
}

impl<'c> Status<'c> {
    /// # Errors
    /// Where the board is cannot be told, or its records cannot be read.
    pub(crate) fn find(config: &'c Config, buffers: &mut [CopyBuffer; 2]) -> Result<Self, Failure> {
        let machine = Machine::find(config)?;
        let environment = session::environment(&config.fw_env_config, buffers)?;
        let place = Place::find(&machine, &environment)?;
        let state = StateDir::new(&config.state_dir);
        Ok(Self {
            copies: environment.found().collect(),
            current: environment.current()?.0,
            journal: state.journal()?,
            provides: state.provides(place.committed())?,
            config,
            machine,
            state,
            place,
        })
    }

    /// For a person.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &dyn Display| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name:<13} {value}");
        };
        line("booted", &format_args!("slot {}", self.place.booted));
        line("next", &format_args!("slot {}", self.place.next()));
        line("state", &self.place.word());
        line("artifact", &self.name().unwrap_or("unknown"));
        for slot in [Slot::A, Slot::B] {
            let (device, name) = (&self.machine.partition(slot).path, self.name_in(slot));
            let name = name.unwrap_or_else(|| "unknown".into());
            line(&format!("slot {slot}"), &format_args!("{} {name}", device.display()));
        }
        for (which, found) in [Which::First, Which::Second].into_iter().zip(&self.copies) {
            let used = if which == self.current { ", in use" } else { "" };
            match found {
                Ok(serial) => {
                    line("environment", &format_args!("{which} copy: serial {serial}{used}"));
                }
                Err(bad) => line("environment", &format_args!("{which} copy: {bad}")),
            }
        }
        line("last", &why::summary(&self.last()));
        text
    }

    /// For an app.
    pub(crate) fn fields(&self) -> Object {
        Object::default()
            .text("booted", self.place.booted)
            .text("next", self.place.next())
            .text("state", self.place.word())
            .text_or_null("artifact_name", self.name())
            .text_or_null("device_type", installer::device_type(self.config).ok())
            .raw("slots", self.slots())
            .raw("provides", provides(&self.provides))
            .raw("environment", self.environment())
            .raw("trust", self.trust())
            .raw("last", why::outcome(&self.last()))
            .raw("health", self.health())
            .raw("emmc", self.emmc())
    }

    fn name(&self) -> Option<&str> {
        self.provides.get(ARTIFACT_NAME)
    }

    /// What is on record for `slot`, or for the running one what its builder said.
    fn name_in(&self, slot: Slot) -> Option<String> {
        if slot == self.place.committed() {
            return self.name().map(str::to_owned);
        }
        let recorded = self.state.recorded(slot).ok().flatten()?;
        recorded.get(ARTIFACT_NAME).map(str::to_owned)
    }

    fn last(&self) -> Last<'_> {
        session::last(&self.journal, self.place.now())
    }

    /// What the health checks of the last trial told.
    fn health(&self) -> String {
        let results = Results::find(Occasion::Trial, &self.state).unwrap_or_else(|error| {
            log::warn!("{error}");
            None
        });
        results.map_or_else(|| array([""; 0]), |results| results.shown())
    }

    fn slots(&self) -> Object {
        [Slot::A, Slot::B].into_iter().fold(Object::default(), |object, slot| {
            let path = &self.machine.partition(slot).path;
            let size = SlotReader::open(path).map(|device| device.size_bytes());
            let size = size.map_or("null".to_owned(), |size| size.to_string());
            let fields = Object::default()
                .text("device", path.display())
                .raw("bytes", size)
                .text_or_null("artifact_name", self.name_in(slot));
            object.raw(slot.letter(), fields)
        })
    }

    fn environment(&self) -> Object {
        let vars = &self.place.vars;
        let limit = vars.bootlimit.map_or("null".to_owned(), |limit| limit.to_string());
        Object::default()
            .raw("copies", array(self.copies.iter().map(copy)))
            .raw("current", if self.current == Which::First { 0 } else { 1 })
            .raw("bootcount", vars.bootcount)
            .raw("bootlimit", limit)
    }

    fn trust(&self) -> Object {
        let keys = match trust::keys(self.config) {
            Ok(keys) => {
                let key = |key: &PublicKey| {
                    Object::default().text("id", Digest(*key.id())).text("origin", "config")
                };
                array(keys.iter().map(key))
            }
            Err(failure) => {
                log::warn!("{}", failure.message);
                array([""; 0])
            }
        };
        Object::default().raw("keys", keys).raw("custom_images", false)
    }

    /// The health of the eMMC the slots are on; null where they are on something else.
    fn emmc(&self) -> String {
        let Some(disk) = self.machine.partition(Slot::A).disk else { return "null".to_owned() };
        match mmc::health(disk) {
            Ok(Some(health)) => Object::default()
                .text("pre_eol", health.pre_eol.word())
                .raw("life_time_a", health.life_time_a)
                .raw("life_time_b", health.life_time_b)
                .raw("cache", health.cache)
                .to_string(),
            Ok(None) => "null".to_owned(),
            Err(failure) => {
                log::warn!("{failure}");
                "null".to_owned()
            }
        }
    }
}

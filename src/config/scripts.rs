//! The keys about state scripts. Decides nothing.

use std::path::PathBuf;

use twinslot::json::Value;

use super::{Error, File};

/// State scripts, and how long they may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScriptsConfig {
    /// `RootfsScriptsPath`: those of the running system (Idle, Sync, Download)
    pub(crate) directory: PathBuf,
    /// `StateScriptTimeoutSeconds`: for one script
    pub(crate) timeout_s: u64,
    /// `StateScriptRetryIntervalSeconds`: the pause after exit 21
    pub(crate) retry_interval_s: u64,
    /// `StateScriptRetryTimeoutSeconds`: after which exit 21 is a failure
    pub(crate) retry_timeout_s: u64,
}

impl Default for ScriptsConfig {
    fn default() -> Self {
        Self {
            directory: "/etc/mender/scripts".into(),
            timeout_s: 3600,
            retry_interval_s: 60,
            retry_timeout_s: 1800,
        }
    }
}

impl ScriptsConfig {
    /// Takes a key that is one of these; whether it was.
    pub(super) fn take(
        &mut self,
        file: File<'_>,
        key: &str,
        value: Value<'_>,
    ) -> Result<bool, Error> {
        match key.to_ascii_lowercase().as_str() {
            "rootfsscriptspath" => self.directory = file.text(key, value)?.into(),
            "statescripttimeoutseconds" => self.timeout_s = file.number(key, value)?,
            "statescriptretryintervalseconds" => self.retry_interval_s = file.number(key, value)?,
            "statescriptretrytimeoutseconds" => self.retry_timeout_s = file.number(key, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

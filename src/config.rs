//! The configuration: JSON with mender.conf's keys. Reads files; decides nothing.

use std::path::{Path, PathBuf};

use twinslot::json::{self, Object, Value};

use crate::sys::store::{self, ReadError};

mod scripts;
mod server;
pub(crate) mod window;

pub(crate) use scripts::ScriptsConfig;
pub(crate) use server::ServerConfig;

/// Read in this order where no file is named; later ones stand above earlier ones, as the Mender
/// client does it (client 3 and 4: fallback below /var/lib, main file in /etc).
const MENDER: [&str; 2] = ["/var/lib/mender/mender.conf", "/etc/mender/mender.conf"];
/// This program's own, which stands for all of them.
const OWN: &str = "/etc/twinslot/twinslot.conf";

/// The longest configuration file, in bytes.
const FILE_BYTES: u64 = 256 << 10;

/// Keys that mean something to a Mender client and nothing here, or not yet.
const MENDERS: [&str; 12] = [
    "ClientProtocol",
    "Connectivity",
    "DBus",
    "DaemonLogLevel",
    "DeploymentLogLevel",
    "DeviceTier",
    "ModuleTimeoutSeconds",
    "ModulesPath",
    "SkipVerify",
    "UpdateControlMapBootExpirationTimeSeconds",
    "UpdateControlMapExpirationTimeSeconds",
    "UpdateLogPath",
];

/// Everything an artifact may ask for, in bytes: mender-artifact's xz dictionary is 64 MiB.
const MEMORY_MAX: u64 = 80 << 20;

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// `RootfsPartA`
    pub(crate) slot_a: Option<String>,
    /// `RootfsPartB`
    pub(crate) slot_b: Option<String>,
    /// `ArtifactVerifyKey`, `ArtifactVerifyKeys`
    pub(crate) verify_keys: Vec<PathBuf>,
    /// `DeviceType`
    pub(crate) device_type: Option<String>,
    /// `DeviceTypeFile`
    pub(crate) device_type_file: PathBuf,
    /// `FwEnvConfig`
    pub(crate) fw_env_config: PathBuf,
    /// `StateDir`
    pub(crate) state_dir: PathBuf,
    /// `HealthChecks`
    pub(crate) health_checks: PathBuf,
    /// `HealthTimeoutSeconds`, for all checks together
    pub(crate) health_timeout_s: u64,
    /// `HealthCheckTimeoutSeconds`, for each check; 0 is no limit but the one for all
    pub(crate) health_check_timeout_s: u64,
    /// `HealthBaseline`: what failed before an update does not fail its trial
    pub(crate) health_baseline: bool,
    /// `Watchdog`
    pub(crate) watchdog: PathBuf,
    /// `ReadBack`
    pub(crate) read_back: bool,
    /// `SkipUnchanged`
    pub(crate) skip_unchanged: bool,
    /// `MemoryMax`, in bytes
    pub(crate) memory_max_bytes: u64,
    /// Servers, and when they are asked.
    pub(crate) server: ServerConfig,
    /// State scripts.
    pub(crate) scripts: ScriptsConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            slot_a: None,
            slot_b: None,
            verify_keys: Vec::new(),
            device_type: None,
            device_type_file: "/var/lib/mender/device_type".into(),
            fw_env_config: "/etc/fw_env.config".into(),
            state_dir: "/data/twinslot".into(),
            health_checks: "/etc/twinslot/health.d".into(),
            health_timeout_s: 180,
            health_check_timeout_s: 0,
            health_baseline: false,
            watchdog: "/dev/watchdog".into(),
            read_back: true,
            skip_unchanged: true,
            memory_max_bytes: MEMORY_MAX,
            server: ServerConfig::default(),
            scripts: ScriptsConfig::default(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] ReadError),
    /// The file that was named is not there.
    #[error("{}: no such file", path.display())]
    NoFile { path: PathBuf },
    /// A file is no JSON.
    #[error("{}: {error}", path.display())]
    Json { path: PathBuf, error: json::Error },
    /// A file is JSON, but no object.
    #[error("{}: wanted a JSON object", path.display())]
    NoObject { path: PathBuf },
    /// A key has the wrong kind of value.
    #[error("{}: {key}: wanted {wanted}", path.display())]
    Value { path: PathBuf, key: String, wanted: &'static str },
    /// A key that is needed is nowhere.
    #[error("the configuration has no {0}")]
    Missing(&'static str),
}

/// What was read, and what nobody understood.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// `file: key` for each unknown key.
    pub(crate) unknown: Vec<String>,
}

impl Loaded {
    /// Reads `named`, or the usual files that exist.
    pub(crate) fn read(named: Option<&Path>) -> Result<Self, Error> {
        let mut loaded = Self::default();
        if let Some(path) = named {
            let text = store::read_bounded(path, FILE_BYTES)?;
            let text = text.ok_or_else(|| Error::NoFile { path: path.into() })?;
            loaded.merge(path, &text)?;
            return Ok(loaded);
        }
        let own = Path::new(OWN);
        let files: &[&str] = if own.exists() { &[OWN] } else { &MENDER };
        for path in files.iter().map(Path::new) {
            if let Some(text) = store::read_bounded(path, FILE_BYTES)? {
                loaded.merge(path, &text)?;
            }
        }
        Ok(loaded)
    }

    /// Takes a file's text over what was read before.
    pub(crate) fn merge(&mut self, path: &Path, text: &[u8]) -> Result<(), Error> {
        let parsed = json::parse(text).map_err(|error| Error::Json { path: path.into(), error })?;
        let object = parsed.to_object().ok_or_else(|| Error::NoObject { path: path.into() })?;
        self.take(File { path }, object)
    }

    fn take(&mut self, file: File<'_>, object: Object<'_>) -> Result<(), Error> {
        let config = &mut self.config;
        let mut keys = None;
        for (key, value) in object.iter() {
            let key = key.to_string();
            if config.server.take(file, &key, value)? || config.scripts.take(file, &key, value)? {
                continue;
            }
            // Mender's keys are case-insensitive.
            match key.to_ascii_lowercase().as_str() {
                "rootfsparta" => config.slot_a = Some(file.text(&key, value)?),
                "rootfspartb" => config.slot_b = Some(file.text(&key, value)?),
                "artifactverifykey" => {
                    keys.get_or_insert_with(Vec::new).push(file.text(&key, value)?.into());
                }
                "artifactverifykeys" => {
                    keys.get_or_insert_with(Vec::new).extend(file.paths(&key, value)?);
                }
                "devicetype" => config.device_type = Some(file.text(&key, value)?),
                "devicetypefile" => config.device_type_file = file.text(&key, value)?.into(),
                "fwenvconfig" => config.fw_env_config = file.text(&key, value)?.into(),
                "statedir" => config.state_dir = file.text(&key, value)?.into(),
                "healthchecks" => config.health_checks = file.text(&key, value)?.into(),
                "healthtimeoutseconds" => config.health_timeout_s = file.number(&key, value)?,
                "healthchecktimeoutseconds" => {
                    config.health_check_timeout_s = file.number(&key, value)?;
                }
                "healthbaseline" => config.health_baseline = file.flag(&key, value)?,
                "watchdog" => config.watchdog = file.text(&key, value)?.into(),
                "readback" => config.read_back = file.flag(&key, value)?,
                "skipunchanged" => config.skip_unchanged = file.flag(&key, value)?,
                "memorymax" => config.memory_max_bytes = file.number(&key, value)?,
                _ if MENDERS.iter().any(|known| known.eq_ignore_ascii_case(&key)) => {}
                _ => self.unknown.push(format!("{}: {key}", file.path.display())),
            }
        }
        if let Some(keys) = keys {
            config.verify_keys = keys;
        }
        Ok(())
    }
}

/// A file whose values are being read.
#[derive(Clone, Copy)]
struct File<'p> {
    path: &'p Path,
}

impl File<'_> {
    fn text(self, key: &str, value: Value<'_>) -> Result<String, Error> {
        value.to_text().map(|text| text.to_string()).ok_or_else(|| self.wrong(key, "a string"))
    }

    fn paths(self, key: &str, value: Value<'_>) -> Result<Vec<PathBuf>, Error> {
        let array = value.to_array().ok_or_else(|| self.wrong(key, "a list of strings"))?;
        array.iter().map(|path| self.text(key, path).map(PathBuf::from)).collect()
    }

    fn flag(self, key: &str, value: Value<'_>) -> Result<bool, Error> {
        value.to_bool().ok_or_else(|| self.wrong(key, "true or false"))
    }

    fn number(self, key: &str, value: Value<'_>) -> Result<u64, Error> {
        value.to_u64().ok_or_else(|| self.wrong(key, "a whole number"))
    }

    fn wrong(self, key: &str, wanted: &'static str) -> Error {
        Error::Value { path: self.path.into(), key: key.into(), wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(files: &[&str]) -> Result<Loaded, String> {
        let mut loaded = Loaded::default();
        for text in files {
            let merge = loaded.merge(Path::new("test.conf"), text.as_bytes());
            merge.map_err(|error| error.to_string())?;
        }
        Ok(loaded)
    }

    fn config(files: &[&str]) -> Config {
        merged(files).map_or_else(|error| panic!("{error}"), |loaded| loaded.config)
    }

    #[test]
    fn mender_keys_mean_what_they_mean_to_mender() {
        let read = config(&[r#"{"RootfsPartA":"/dev/mmcblk0p2","rootfspartb":"/dev/mmcblk0p3",
                "ArtifactVerifyKey":"/k","ClientProtocol":"https"}"#]);
        let expected = Config {
            slot_a: Some("/dev/mmcblk0p2".into()),
            slot_b: Some("/dev/mmcblk0p3".into()),
            verify_keys: vec!["/k".into()],
            ..Config::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn a_later_file_stands_above_an_earlier_one_key_by_key() {
        let read = config(&[
            r#"{"RootfsPartA":"a1","DeviceType":"x","ArtifactVerifyKeys":["k1","k2"]}"#,
            r#"{"RootfsPartA":"a2","ArtifactVerifyKey":"k3"}"#,
        ]);
        assert_eq!(read.slot_a.as_deref(), Some("a2"));
        assert_eq!(read.device_type.as_deref(), Some("x"));
        assert_eq!(read.verify_keys, [PathBuf::from("k3")]);
    }

    #[test]
    fn unknown_keys_are_told_and_not_fatal() {
        let loaded = merged(&[r#"{"RootfsPartC":"x","TenantToken":"t"}"#]);
        assert_eq!(loaded.map(|loaded| loaded.unknown), Ok(vec!["test.conf: RootfsPartC".into()]));
    }

    #[test]
    fn a_wrong_value_names_file_key_and_what_was_wanted() {
        for (text, expected) in [
            (r#"{"ReadBack":"yes"}"#, "test.conf: ReadBack: wanted true or false"),
            (r#"{"MemoryMax":-1}"#, "test.conf: MemoryMax: wanted a whole number"),
            (r#"{"StateDir":1}"#, "test.conf: StateDir: wanted a string"),
            (
                r#"{"ArtifactVerifyKeys":"k"}"#,
                "test.conf: ArtifactVerifyKeys: wanted a list of strings",
            ),
            ("[]", "test.conf: wanted a JSON object"),
        ] {
            assert_eq!(merged(&[text]).map(|_| ()), Err(expected.into()));
        }
    }
}

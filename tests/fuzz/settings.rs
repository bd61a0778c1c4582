//! What an owner writes: fw_env.config and the configuration.

use std::path::Path;
use uboot_env::MAX_ENV_BYTES;
use uboot_env::config::Config;

use super::said;
use super::shell::config::Loaded;

/// Copies that were accepted are on the device, and do not overlap.
pub fn fw_env_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let config = match Config::parse(text) {
        Ok(config) => config,
        Err(error) => return said(error),
    };
    let bytes = config.copy_bytes();
    assert!(bytes <= MAX_ENV_BYTES && bytes > config.layout().header_bytes());
    let len = u64::try_from(bytes).unwrap();
    for device_bytes in [0, 1 << 16, 1 << 20, 1 << 34, u64::MAX] {
        match &config {
            Config::Single(place) => match place.start(device_bytes) {
                Ok(start) => {
                    assert!(start.checked_add(len).is_some_and(|end| end <= device_bytes));
                }
                Err(error) => said(error),
            },
            Config::Redundant(pair) => {
                let (first, second) = match pair.starts(device_bytes) {
                    Ok(starts) => starts,
                    Err(error) => {
                        said(error);
                        continue;
                    }
                };
                let ends = [first, second].map(|start| start.checked_add(len).unwrap());
                assert!(ends.iter().all(|end| *end <= device_bytes));
                let is_one = pair.first().device() == pair.second().device();
                assert!(!is_one || ends[0] <= second || ends[1] <= first);
            }
        }
    }
}

/// The same text twice means the same; a key that nobody knows is told.
pub fn configuration(data: &[u8]) {
    let mut loaded = Loaded::default();
    let path = Path::new("fuzz.conf");
    if let Err(error) = loaded.merge(path, data) {
        return said(error);
    }
    let (config, unknown) = (loaded.config.clone(), loaded.unknown.len());
    loaded.merge(path, data).unwrap();
    assert_eq!(loaded.config, config);
    assert_eq!(loaded.unknown.len(), 2 * unknown);
}

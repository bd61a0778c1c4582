//! What an owner writes: fw_env.config and the configuration.

use std::path::Path;
use uboot_env::MAX_ENV_BYTES;
use uboot_env::config::{Config, Offset};

use super::said;
use super::shell::config::Loaded;
use crate::sys::store;

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
                    match place.offset() {
                        Offset::FromStart(from) => assert_eq!(from, start),
                        Offset::FromEnd(from) => assert_eq!(from, device_bytes - start),
                    }
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

/// The same text twice means the same; a key that nobody knows is told; a file that is named must
/// be there.
pub fn configuration(data: &[u8]) {
    let path = Path::new("fuzz.conf");
    let named = store::with(data, || Loaded::read(Some(path)));
    let mut loaded = match named {
        Ok(loaded) => loaded,
        Err(error) => return said(error),
    };
    let (config, unknown) = (loaded.config.clone(), loaded.unknown.len());
    loaded.merge(path, data).unwrap();
    assert_eq!(loaded.config, config);
    assert_eq!(loaded.unknown.len(), 2 * unknown);
    // A window opens within a day.
    if let Some(window) = config.server.maintenance_window {
        for now_s in (0..86_400).step_by(3599) {
            let pause_s = window.opens_in_s(now_s);
            assert!(pause_s < 86_400 && window.opens_in_s(now_s + pause_s) == 0);
        }
    }
    // Nothing named: the usual files say the same here.
    let usual = store::with(data, || Loaded::read(None)).unwrap();
    assert_eq!(usual.config, config);
    said(Loaded::read(Some(path)).unwrap_err());
}

//! One program for all fuzz targets; which one is run is said by `TWINSLOT_FUZZ`. The bodies are
//! the tests' own.
#![no_main]

#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
#[path = "../tests/sim/mod.rs"]
mod sim;
#[path = "../tests/fuzz/sys.rs"]
mod sys;

use libfuzzer_sys::fuzz_target;
use std::env;
use std::sync::OnceLock;

static BODY: OnceLock<fn(&[u8])> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let body = BODY.get_or_init(|| {
        let name = env::var("TWINSLOT_FUZZ").expect("TWINSLOT_FUZZ names the target");
        let known = fuzz::TARGETS.iter().find(|(target, _)| *target == name);
        known.expect("TWINSLOT_FUZZ names a target that is there").1
    });
    body(data);
});

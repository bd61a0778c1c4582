//! twinslot.
fn main() {}

//! U-Boot's own saveenv, and what we saved read by U-Boot.

use super::bench::{Bench, must_say};
use super::lab::FACTORY;
use super::medium::writes;
use anyhow::{Result, ensure};

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.boot()?.must_be("a", FACTORY)?;
    bench.ok("twinslot env set e2e_ours=one e2e_gone=x")?;
    bench.cut()?;

    let before = bench.copies()?;
    bench.start()?;
    let board = bench.running()?;
    // A key that comes before U-Boot has set up its UART is lost.
    board.expect("DRAM:")?;
    board.stop_in_uboot()?;
    must_say(&board.uboot("printenv e2e_ours")?, "e2e_ours=one")?;
    board.uboot("setenv e2e_theirs two words; setenv e2e_gone")?;
    must_say(&board.uboot("saveenv")?, "OK")?;
    bench.cut()?;
    let count = writes(&before, &bench.copies()?)?;
    ensure!(count == 1, "saveenv wrote {count} times");

    bench.boot()?.must_be("a", FACTORY)?;
    let said = bench.ok("twinslot env print e2e_ours e2e_theirs")?;
    must_say(&said, "e2e_ours=one")?;
    must_say(&said, "e2e_theirs=two words")?;
    bench.exits(1, "twinslot env print e2e_gone")?;
    bench.ok("twinslot env check").map(drop)
}

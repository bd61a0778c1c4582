//! What is the owner's stays as it is, through an update that is kept and one that is not.

use super::bench::Bench;
use super::lab::{FACTORY, Release};
use anyhow::{Result, ensure};

/// Every file on the data partition that is not ours, with its bytes, mode and place.
const OWNED: &str = "cd /data && find . -path ./twinslot -prune -o -type f \
    -exec ls -l {} + -exec sha256sum {} + | sort; cd /";

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    bench.fill_slot_b()?;
    bench.boot()?.must_be("a", FACTORY)?;
    bench.ok("mkdir -p /data/owner && dd if=/dev/urandom of=/data/owner/noise bs=64k count=16")?;
    let before = look(bench)?;
    bench.install(Release::Unhealthy)?;
    unchanged(bench, &before, "installing")?;
    bench.reboot()?.must_be("a", FACTORY)?;
    unchanged(bench, &before, "a trial and its rollback")?;
    bench.install(Release::Good)?;
    bench.reboot()?.must_be("b", "release-2")?;
    unchanged(bench, &before, "an update")
}

/// The owner's files as the system sees them; recovery and partition table as they lie.
type Look = (String, Vec<u8>, Vec<u8>);

fn look(bench: &mut Bench<'_>) -> Result<Look> {
    let files = owned(bench)?;
    ensure!(files.contains("noise"), "not all files: {files}");
    let medium = bench.medium()?;
    Ok((files, medium.digest("recovery")?, medium.head_digest()?))
}

/// The owner's files as the system sees them.
pub(super) fn owned(bench: &mut Bench<'_>) -> Result<String> {
    let files = bench.ok(OWNED)?;
    ensure!(files.contains("ledger"), "not all files: {files}");
    Ok(files)
}

fn unchanged(bench: &mut Bench<'_>, before: &Look, what: &str) -> Result<()> {
    let after = look(bench)?;
    ensure!(*before == after, "{what} changed what is not ours:\n{}\n{}", before.0, after.0);
    Ok(())
}

//! A web server with a channel file: what nobody vouches for is announced, what is signed too, and
//! a person decides, with the example app.

use super::{Site, path};
use crate::command::{program, quiet, text};
use crate::e2e::bench::{Bench, must_say};
use crate::e2e::lab::{FACTORY, KEY, Release};
use crate::qemu::PATIENCE;
use crate::rootfs::Updates;
use crate::rootfs::contents::hexadecimal;
use crate::rootfs::server::CHANNEL;
use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};
use std::fs;

pub(crate) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let mut site = Site::open(bench, Updates::OnDemand)?;
    site.bench.boot()?.must_be("a", FACTORY)?;
    let channel = publish(&site, Release::Good)?;
    announced(&mut site, "\"vouched\":false")?;
    sign(&site, &channel)?;
    let prompt = announced(&mut site, "\"vouched\":true")?;
    for said in ["\"severity\":\"security\"", "\"notes\":\"What is new", "\"downgrade\":false"] {
        must_say(&prompt, said)?;
    }
    must_say(&site.bench.ok("echo n | app")?, "A new version is available: release-2")?;
    untouched(&mut site)?;

    agree(site.bench)?;
    site.bench.ready()?.must_be("b", "release-2")?;
    site.bench.status(&[("booted", "b"), ("next", "b"), ("state", "settled")])?;
    must_say(&site.bench.ok("echo n | app")?, "release-2 was installed and runs.")?;
    site.bench.exits(3, "twinslot check").map(drop)
}

/// What waits is told, and left alone.
fn announced(site: &mut Site<'_, '_>, vouched: &str) -> Result<String> {
    let prompt = site.bench.ok("twinslot check --json")?;
    must_say(&prompt, "\"artifact_name\":\"release-2\"")?;
    must_say(&prompt, vouched)?;
    site.polls(2)?;
    untouched(site)?;
    Ok(prompt)
}

fn untouched(site: &mut Site<'_, '_>) -> Result<()> {
    let count = site.server.record().count(&path(Release::Good));
    ensure!(count == 0, "the artifact was asked for {count} times, and nobody said so");
    site.bench.status(&[("booted", "a"), ("next", "a"), ("state", "settled")]).map(drop)
}

/// A person says yes, and the box reboots by itself.
pub(crate) fn agree(bench: &mut Bench<'_>) -> Result<String> {
    bench.begin("echo y | app")?;
    let reboots = ["Installed. The box reboots into it now", "Not installed"];
    let (which, said) = bench.running()?.console.expect(&reboots, PATIENCE)?;
    ensure!(which == 0, "the app did not install it: {said}");
    Ok(said)
}

/// Names a release as the newest one, which nobody has signed; returns the channel file.
pub(crate) fn publish(site: &Site<'_, '_>, release: Release) -> Result<String> {
    let artifact = site.serve(release)?;
    let bytes = fs::read(&artifact)?;
    let (path, digest) = (path(release), hexadecimal(&Sha256::digest(&bytes)));
    let channel = format!(
        "{{\"version\":\"{}\",\"url\":\"{path}\",\"size\":{},\"sha256\":\"{digest}\",\
         \"notes\":\"What is new in {}.\",\"severity\":\"security\",\
         \"device_type\":[\"{}\"]}}\n",
        release.name(),
        bytes.len(),
        release.name(),
        site.bench.lab.board.device_type,
    );
    site.server.serve(CHANNEL, channel.clone().into_bytes());
    Ok(channel)
}

/// Puts the owner's signature beside the channel file.
pub(crate) fn sign(site: &Site<'_, '_>, channel: &str) -> Result<()> {
    let file = |what: &str| {
        site.bench.lab.directory.join(format!("channel-{}.{what}", site.server.port()))
    };
    let (message, der, raw) = (file("json"), file("der"), file("raw"));
    fs::write(&message, channel)?;
    let mut openssl = program("openssl", &["dgst", "-sha256", "-sign", KEY, "-out"]);
    quiet(openssl.arg(&der).arg(&message))?;
    fs::write(&raw, plain(&fs::read(&der)?).context("openssl made no P-256 signature")?)?;
    let base64 = text(program("openssl", &["base64", "-A", "-in"]).arg(&raw))?;
    for path in [message, der, raw] {
        fs::remove_file(path)?;
    }
    site.server.serve(&format!("{CHANNEL}.sig"), base64.into_bytes());
    Ok(())
}

/// Of a DER signature the two numbers, 32 bytes each, as artifacts have them.
fn plain(der: &[u8]) -> Option<Vec<u8>> {
    let [0x30, _, rest @ ..] = der else { return None };
    let (r, rest) = number(rest)?;
    let (s, _) = number(rest)?;
    Some([r, s].concat())
}

fn number(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let [0x02, length, rest @ ..] = der else { return None };
    let (digits, rest) = rest.split_at_checked(usize::from(*length))?;
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = &digits[zeros..];
    let mut number = [0; 32];
    number.get_mut(32_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_signature_have_32_bytes_whatever_der_makes_of_them() {
        let long = [&[0x02, 33, 0, 0x80][..], &[1; 31]].concat();
        let short = [0x02, 1, 7];
        let body = [&long[..], &short].concat();
        let der = [&[0x30, u8::try_from(body.len()).unwrap()][..], &body].concat();
        let plain = plain(&der).unwrap();
        assert_eq!((plain.len(), plain[0], plain[31], plain[32], plain[63]), (64, 0x80, 1, 0, 7));
        assert_eq!(super::plain(&der[..20]), None);
    }
}

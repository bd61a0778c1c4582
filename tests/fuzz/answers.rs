//! What servers answer: a deployment of Mender's, and a channel file.

use super::net::channel::file;
use super::net::mender::deployment;
use super::net::server::Offer;
use super::said;
use super::text::theirs;

/// An offer that was taken is bounded, and safe to show and to put into a header.
fn taken(offer: &Offer) {
    assert!(!offer.urls.is_empty() && offer.urls.len() <= 16);
    let words = offer.urls.iter().chain([&offer.artifact_name]).chain(&offer.deployment);
    for word in words.chain(&offer.severity) {
        said(word);
        assert!(word.len() <= 3 * 4096, "{}", word.len());
    }
    let notes = offer.notes.as_deref().unwrap_or_default();
    assert!(!notes.contains(|char: char| char.is_control() && char != '\n'));
}

/// Mender's answer.
pub fn deployment(data: &[u8]) {
    match deployment::parse(data) {
        Ok(offer) => {
            assert!(offer.deployment.is_some());
            theirs(data);
            taken(&offer);
        }
        Err(reason) => said(reason),
    }
}

/// A channel file. What it offers is no offer to who runs it, and nobody vouches for it yet.
pub fn channel(data: &[u8]) {
    let newest = match file::parse(data) {
        Ok(newest) => newest,
        Err(reason) => return said(reason),
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut provides = vec![pair("device_type", "rockpro64")];
    let Some(offer) = newest.clone().offer("https://a/b/c.json", &provides) else { return };
    assert!(offer.deployment.is_none() && !offer.vouched);
    taken(&offer);
    provides.push(pair("artifact_name", &offer.artifact_name));
    assert_eq!(newest.offer("https://a/b/c.json", &provides), None);
}

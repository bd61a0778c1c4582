//! What makes a release one that asks a server for updates: keys in its configuration, and the
//! mark by which its daemon is started. Whom it trusts there is on the data partition, as the
//! owner's choice, and because tests have a new server every time.

use super::Updates;
use super::contents::Contents;
use crate::build;
use crate::qemu::SERVER;
use anyhow::{Context, Result};

const CONFIG: &str = "etc/twinslot/twinslot.conf";
/// The boot service looks for it.
const DAEMON: &str = "etc/twinslot/daemon";
/// On the data partition: what the server's certificate must lead to.
pub(crate) const ROOT: &str = "server-root.pem";
/// Where a plain web server has the channel file.
pub(crate) const CHANNEL: &str = "/channel.json";

/// Between two looks, as scenarios have no time to lose.
const POLL_SECONDS: u32 = 2;
/// For how long a trial may look for its server.
pub(crate) const SETTLE_SECONDS: u32 = 30;

/// Adds it to a release that is complete without.
pub(super) fn add(contents: &mut Contents, updates: Updates) -> Result<()> {
    let (path, on_demand) = match updates {
        Updates::ByHand => return Ok(()),
        Updates::Deployments => ("", false),
        Updates::OnDemand => (CHANNEL, true),
    };
    let config = contents.file(CONFIG).with_context(|| format!("there is no {CONFIG}"))?;
    let config = String::from_utf8_lossy(config).into_owned();
    let config = config.trim_end().strip_suffix("\n}").context("a configuration is one object")?;
    let host = SERVER.trim_end_matches(":443");
    let keys = format!(
        ",
  \"ServerURL\": \"https://{host}{path}\",
  \"ServerCertificate\": \"/data/{ROOT}\",
  \"UpdatePollIntervalSeconds\": {POLL_SECONDS},
  \"RetryPollIntervalSeconds\": {POLL_SECONDS},
  \"StatusIntervalSeconds\": 1,
  \"SettleServerSeconds\": {SETTLE_SECONDS},
  \"OnDemand\": {on_demand}
}}
"
    );
    contents.text(CONFIG, config.to_owned() + &keys);
    contents.text(DAEMON, "");
    if updates == Updates::OnDemand {
        contents.copy("usr/bin/app", &build::app()?)?;
    }
    Ok(())
}

//! The keys about servers. Decides nothing.

use std::path::PathBuf;

use twinslot::json::Value;

use super::window::Window;
use super::{Error, File};

/// Servers, and when they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerConfig {
    /// `ServerURL`, or `Servers`: tried in this order. One that ends in `.json` names a channel
    /// file on a plain web server.
    pub(crate) urls: Vec<String>,
    /// `ServerCertificate`: PEM roots in place of the system's
    pub(crate) certificate: Option<PathBuf>,
    /// `HttpsClient.Certificate` and `HttpsClient.Key`, PEM
    pub(crate) client: Option<(PathBuf, PathBuf)>,
    /// `Security.AuthPrivateKey`: PEM, in place of the key this device makes itself
    pub(crate) auth_key: Option<PathBuf>,
    /// `TenantToken`
    pub(crate) tenant_token: Option<String>,
    /// `UpdatePollIntervalSeconds`
    pub(crate) update_poll_s: u64,
    /// `InventoryPollIntervalSeconds`
    pub(crate) inventory_poll_s: u64,
    /// `RetryPollIntervalSeconds`: the longest pause after a server that did not answer
    pub(crate) retry_poll_s: u64,
    /// `RetryDownloadCount`: pauses in a download without a gain (1 KiB) before it fails
    pub(crate) retry_download: u64,
    /// `NetworkTimeoutSeconds`: how long a server may be silent
    pub(crate) silence_s: u64,
    /// `OnDemand`: the daemon only reports that an update waits
    pub(crate) on_demand: bool,
    /// `MaintenanceWindow`: when the daemon may install by itself; none is always
    pub(crate) maintenance_window: Option<Window>,
    /// `AllowDowngrade`: also take an older version by itself
    pub(crate) allow_downgrade: bool,
    /// `SettleServerSeconds`: time in which the server of a deployment must be reached on trial;
    /// 0: it need not
    pub(crate) settle_s: u64,
    /// `StatusIntervalSeconds`: between two reports of how far a download is
    pub(crate) status_s: u64,
    /// `ControlSocket`
    pub(crate) control_socket: PathBuf,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            certificate: None,
            client: None,
            auth_key: None,
            tenant_token: None,
            update_poll_s: 1800,
            inventory_poll_s: 28_800,
            retry_poll_s: 300,
            retry_download: 10,
            silence_s: 30,
            on_demand: false,
            maintenance_window: None,
            allow_downgrade: false,
            settle_s: 300,
            status_s: 30,
            control_socket: "/run/twinslot.sock".into(),
        }
    }
}

impl ServerConfig {
    /// Takes a key that is one of these; whether it was.
    pub(super) fn take(
        &mut self,
        file: File<'_>,
        key: &str,
        value: Value<'_>,
    ) -> Result<bool, Error> {
        match key.to_ascii_lowercase().as_str() {
            "serverurl" => self.urls = vec![file.text(key, value)?],
            "servers" => self.urls = servers(file, key, value)?,
            "servercertificate" => self.certificate = Some(file.text(key, value)?.into()),
            "httpsclient" => self.client = client(file, key, value)?,
            "security" => self.auth_key = auth_key(file, key, value)?,
            "tenanttoken" => self.tenant_token = Some(file.text(key, value)?),
            "updatepollintervalseconds" => self.update_poll_s = file.number(key, value)?,
            "inventorypollintervalseconds" => self.inventory_poll_s = file.number(key, value)?,
            "retrypollintervalseconds" => self.retry_poll_s = file.number(key, value)?,
            "retrydownloadcount" => self.retry_download = file.number(key, value)?,
            "networktimeoutseconds" => self.silence_s = file.number(key, value)?.max(1),
            "ondemand" => self.on_demand = file.flag(key, value)?,
            "maintenancewindow" => self.maintenance_window = window(file, key, value)?,
            "allowdowngrade" => self.allow_downgrade = file.flag(key, value)?,
            "settleserverseconds" => self.settle_s = file.number(key, value)?,
            "statusintervalseconds" => self.status_s = file.number(key, value)?,
            "controlsocket" => self.control_socket = file.text(key, value)?.into(),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// `[{"ServerURL": "..."}]`
fn servers(file: File<'_>, key: &str, value: Value<'_>) -> Result<Vec<String>, Error> {
    let wrong = || file.wrong(key, "a list of objects with a ServerURL");
    let array = value.to_array().ok_or_else(wrong)?;
    let url = |server: Value<'_>| {
        let url = server.to_object().and_then(|server| server.get("ServerURL"));
        file.text(key, url.ok_or_else(wrong)?)
    };
    array.iter().map(url).collect()
}

/// `{"Certificate": PATH, "Key": PATH}`; as Mender's, with an empty `Certificate` for none.
fn client(
    file: File<'_>,
    key: &str,
    value: Value<'_>,
) -> Result<Option<(PathBuf, PathBuf)>, Error> {
    let wanted = "an object with Certificate and Key";
    let object = value.to_object().ok_or_else(|| file.wrong(key, wanted))?;
    let path = |name: &str| match object.get(name) {
        Some(path) => file.text(key, path),
        None => Ok(String::new()),
    };
    let (certificate, private) = (path("Certificate")?, path("Key")?);
    match (certificate.is_empty(), private.is_empty()) {
        (true, true) => Ok(None),
        (false, false) => Ok(Some((certificate.into(), private.into()))),
        _ => Err(file.wrong(key, wanted)),
    }
}

/// `{"AuthPrivateKey": PATH}`; as Mender's, empty for none.
fn auth_key(file: File<'_>, key: &str, value: Value<'_>) -> Result<Option<PathBuf>, Error> {
    let object = value.to_object().ok_or_else(|| file.wrong(key, "an object"))?;
    let path = object.get("AuthPrivateKey").map(|path| file.text(key, path)).transpose()?;
    Ok(path.filter(|path| !path.is_empty()).map(PathBuf::from))
}

/// `HH:MM-HH:MM`; an empty one is always.
fn window(file: File<'_>, key: &str, value: Value<'_>) -> Result<Option<Window>, Error> {
    let text = file.text(key, value)?;
    if text.is_empty() {
        return Ok(None);
    }
    let window = Window::parse(&text);
    window.map(Some).ok_or_else(|| file.wrong(key, "HH:MM-HH:MM in UTC"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Loaded;
    use super::*;

    fn read(text: &str) -> Result<ServerConfig, String> {
        let mut loaded = Loaded::default();
        let merged = loaded.merge(Path::new("test.conf"), text.as_bytes());
        merged.map(|()| loaded.config.server).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_are_one_or_a_list_and_intervals_are_seconds() {
        let one = read(r#"{"ServerURL":"https://x","UpdatePollIntervalSeconds":5}"#);
        assert_eq!(one.map(|one| (one.urls, one.update_poll_s)), Ok((vec!["https://x".into()], 5)));
        let two = read(r#"{"Servers":[{"ServerURL":"https://x"},{"ServerURL":"https://y"}]}"#);
        assert_eq!(two.map(|two| two.urls), Ok(vec!["https://x".into(), "https://y".into()]));
        let wrong = "test.conf: Servers: wanted a list of objects with a ServerURL";
        assert_eq!(read(r#"{"Servers":[{"URL":"https://x"}]}"#), Err(wrong.into()));
    }

    #[test]
    fn a_client_certificate_comes_with_its_key_or_not_at_all() {
        let client = |text: &str| read(text).map(|read| read.client);
        assert_eq!(client(r#"{"HttpsClient":{"Certificate":"","Key":""}}"#), Ok(None));
        let both = client(r#"{"HttpsClient":{"Certificate":"/c","Key":"/k"}}"#);
        assert_eq!(both, Ok(Some(("/c".into(), "/k".into()))));
        let wrong = "test.conf: HttpsClient: wanted an object with Certificate and Key";
        assert_eq!(client(r#"{"HttpsClient":{"Certificate":"/c"}}"#), Err(wrong.into()));
    }

    #[test]
    fn the_devices_key_may_be_the_owners() {
        let key = |text: &str| read(text).map(|read| read.auth_key);
        assert_eq!(key(r#"{"Security":{"AuthPrivateKey":"/k"}}"#), Ok(Some("/k".into())));
        assert_eq!(key(r#"{"Security":{"AuthPrivateKey":"","SSLEngine":""}}"#), Ok(None));
        assert_eq!(key(r#"{"Security":7}"#), Err("test.conf: Security: wanted an object".into()));
    }

    #[test]
    fn a_maintenance_window_that_is_none_is_refused() {
        let window = |text: &str| read(text).map(|read| read.maintenance_window);
        assert_eq!(window(r#"{"MaintenanceWindow":""}"#), Ok(None));
        let night = window(r#"{"MaintenanceWindow":"22:30-04:00"}"#);
        assert_eq!(night, Ok(Window::parse("22:30-04:00")));
        let wrong = "test.conf: MaintenanceWindow: wanted HH:MM-HH:MM in UTC";
        assert_eq!(window(r#"{"MaintenanceWindow":"night"}"#), Err(wrong.into()));
    }
}

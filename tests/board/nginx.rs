//! Debian's nginx, run as nobody on a loopback port of its own, with TLS and a limited rate.

use super::tools::{nginx, text};
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use testserver::Authority;

const NOBODY: u32 = 65534;
const LIMIT: Duration = Duration::from_secs(20);

/// Runs until it is dropped.
pub struct Nginx {
    child: Option<Child>,
    directory: TempDir,
    port: u16,
}

impl Nginx {
    /// Serves copies of these files, each at so many bytes a second.
    pub fn start(authority: &Authority, files: &[&Path], bytes_per_second: u64) -> Self {
        let directory = TempDir::with_prefix("twinslot-nginx.").unwrap();
        let path = directory.path();
        fs::create_dir(path.join("files")).unwrap();
        for file in files {
            fs::copy(file, path.join("files").join(file.file_name().unwrap())).unwrap();
        }
        let pair = authority.pair(&["localhost", "127.0.0.1"]).unwrap();
        fs::write(path.join("certificate.pem"), pair.certificate).unwrap();
        fs::write(path.join("key.pem"), pair.key).unwrap();
        // Of all that were free just now, nobody else wants this one.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        fs::write(path.join("nginx.conf"), config(path, port, bytes_per_second)).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        let mut nginx = Self { child: None, directory, port };
        nginx.run();
        nginx
    }

    pub fn url(&self, name: &str) -> String {
        format!("https://localhost:{}/{name}", self.port)
    }

    /// Runs it again, with all as it was.
    pub fn run(&mut self) {
        let path = self.directory.path();
        let config = path.join("nginx.conf");
        let mut command = Command::new(nginx());
        command.args(["-p", text(path), "-c", text(&config), "-e", text(&path.join("errors"))]);
        command.uid(NOBODY).gid(NOBODY).stdin(Stdio::null()).stdout(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let errors = fs::read_to_string(path.join("errors")).unwrap_or_default();
            assert!(start.elapsed() < LIMIT, "nginx does not listen: {errors}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it, and runs it again at so many bytes a second.
    pub fn limit_rate(&mut self, bytes_per_second: u64) {
        self.kill();
        let path = self.directory.path();
        let config = config(path, self.port, bytes_per_second);
        fs::write(path.join("nginx.conf"), config).unwrap();
        self.run();
    }

    /// Kills it in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A line a request that was answered to its end: status, bytes, the range asked for.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

fn config(path: &Path, port: u16, bytes_per_second: u64) -> String {
    let path = text(path);
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {path}/{name};\n"))
        .concat();
    format!(
        "daemon off;\n\
        master_process off;\n\
        pid {path}/pid;\n\
        events {{ worker_connections 64; }}\n\
        http {{\n\
        {temporary}\
        log_format short '$status $body_bytes_sent $http_range';\n\
        access_log {path}/log short;\n\
        server {{\n\
        listen 127.0.0.1:{port} ssl;\n\
        ssl_certificate {path}/certificate.pem;\n\
        ssl_certificate_key {path}/key.pem;\n\
        root {path}/files;\n\
        limit_rate {bytes_per_second};\n\
        }}\n\
        }}\n"
    )
}

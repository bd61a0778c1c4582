//! HTTPS against OpenSSL's server: what is offered works with it, and a server that is not who it
//! should be gets no request.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use tempfile::TempDir;

use super::*;

/// A directory with an authority and what it signed.
struct Papers(TempDir);

impl Papers {
    /// Made once for all tests.
    fn get() -> &'static Self {
        static PAPERS: OnceLock<Papers> = OnceLock::new();
        PAPERS.get_or_init(|| {
            let papers = Self(tempfile::tempdir().unwrap());
            papers.authority("ca");
            papers.authority("stranger");
            papers.signed(("p256", "EC -pkeyopt ec_paramgen_curve:P-256"), "ca", &[]);
            papers.signed(("p384", "EC -pkeyopt ec_paramgen_curve:P-384"), "ca", &["-sha384"]);
            papers.signed(("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"), "ca", &[]);
            papers.signed(("rsa-odd", "RSA -pkeyopt rsa_keygen_bits:2049"), "ca", &[]);
            papers.signed(("strange", "EC -pkeyopt ec_paramgen_curve:P-256"), "stranger", &[]);
            papers.between("expired", "200101000000Z", "200201000000Z");
            papers.between("early", "490101000000Z", "490201000000Z");
            papers.own("own", "localhost");
            papers.own("own-again", "localhost");
            papers.own("own-other", "example.com");
            papers.own_once("own-expired", "200101000000Z", "200201000000Z");
            papers.chain();
            std::fs::write(papers.path("hello"), "hello over TLS\n").unwrap();
            papers
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn openssl(&self, line: &str, more: &[&str]) {
        let mut command = Command::new("openssl");
        command.current_dir(self.0.path()).args(line.split(' ')).args(more);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn authority(&self, name: &str) {
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        self.openssl(
            &format!("req -x509 {ec} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"),
            &["-addext", "basicConstraints=critical,CA:TRUE"],
        );
    }

    /// A server that signs for itself, in the way that is shown everywhere.
    fn own(&self, name: &str, host: &str) {
        let line = format!("req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem");
        let names = format!("subjectAltName=DNS:{host}");
        let authority = ["-addext", "basicConstraints=critical,CA:TRUE"];
        let more = ["-days", "2", "-subj", "/CN=localhost", "-addext", &names];
        self.openssl(&line, &[&more[..], &authority].concat());
    }

    /// The same, valid from and until.
    fn own_once(&self, name: &str, from: &str, until: &str) {
        self.openssl(&format!("genrsa -out {name}.key 2048"), &[]);
        self.openssl(&format!("req -new -key {name}.key -out {name}.csr -subj /CN={name}"), &[]);
        let text = "subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:TRUE\n";
        std::fs::write(self.path("ext-own"), text).unwrap();
        let line = format!("ca -batch -notext -config ca.cnf -extfile ext-own -in {name}.csr");
        let line = format!("{line} -selfsign -keyfile {name}.key -out {name}.pem");
        self.openssl(&line, &["-startdate", from, "-enddate", until]);
    }

    /// Valid from and until.
    fn between(&self, name: &str, from: &str, until: &str) {
        let text = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nrand_serial=yes\npolicy=any\n\
                    new_certs_dir=.\ndefault_md=sha256\n[any]\ncommonName=supplied\n";
        std::fs::write(self.path("ca.cnf"), text).unwrap();
        std::fs::write(self.path("index"), "").unwrap();
        self.signed((name, "EC -pkeyopt ec_paramgen_curve:P-256"), "ca", &[]);
        let line = format!("ca -batch -notext -config ca.cnf -extfile ext -in {name}.csr");
        let line = format!("{line} -cert ca.pem -keyfile ca.key -out {name}.pem");
        self.openssl(&line, &["-startdate", from, "-enddate", until]);
    }

    fn signed(&self, (name, key): (&str, &str), by: &str, more: &[&str]) {
        self.openssl(&format!("genpkey -algorithm {key} -out {name}.key"), &[]);
        self.openssl(&format!("req -new -key {name}.key -out {name}.csr -subj /CN={name}"), &[]);
        let text = "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n";
        std::fs::write(self.path("ext"), text).unwrap();
        let line = format!("x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -extfile ext");
        self.openssl(&format!("{line} -CAcreateserial -days 2 -out {name}.pem"), more);
    }

    /// Authorities of every kind of key that sign with every hash and padding.
    fn chain(&self) {
        let kinds = [
            ("c-p256", "EC -pkeyopt ec_paramgen_curve:P-256", &["-sha256"][..]),
            ("c-p256-384", "EC -pkeyopt ec_paramgen_curve:P-256", &["-sha384"]),
            ("c-p384", "EC -pkeyopt ec_paramgen_curve:P-384", &["-sha384"]),
            ("c-p384-256", "EC -pkeyopt ec_paramgen_curve:P-384", &["-sha256"]),
            ("c-rsa256", "RSA -pkeyopt rsa_keygen_bits:2048", &["-sha256"]),
            ("c-rsa384", "RSA -pkeyopt rsa_keygen_bits:3072", &["-sha384"]),
            ("c-rsa512", "RSA -pkeyopt rsa_keygen_bits:4096", &["-sha512"]),
            ("c-pss256", "RSA -pkeyopt rsa_keygen_bits:2048", &PSS_256),
            ("c-pss384", "RSA -pkeyopt rsa_keygen_bits:2049", &PSS_384),
            ("c-pss512", "RSA -pkeyopt rsa_keygen_bits:2056", &PSS_512),
        ];
        for (name, key, hash) in kinds {
            self.openssl(&format!("genpkey -algorithm {key} -out {name}-ca.key"), &[]);
            let line = format!("req -x509 -key {name}-ca.key -out {name}-ca.pem -days 2");
            let subject = format!("/CN={name}");
            self.openssl(
                &line,
                &["-subj", &subject, "-addext", "basicConstraints=critical,CA:TRUE"],
            );
            self.signed((name, "EC -pkeyopt ec_paramgen_curve:P-256"), &format!("{name}-ca"), hash);
        }
    }
}

const PSS_256: [&str; 5] =
    ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"];
const PSS_384: [&str; 5] =
    ["-sha384", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"];
const PSS_512: [&str; 5] =
    ["-sha512", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:-1"];

/// `openssl s_server`, which serves the files of the papers.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(papers: &Papers, name: &str, options: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args("s_server -accept localhost:0 -4 -WWW -http_server_binmode".split(' '));
        command.args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")]);
        command.args(options.split_ascii_whitespace()).current_dir(papers.0.path());
        command.stdout(Stdio::piped()).stderr(Stdio::null()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.find_map(|line| line.ok().filter(|line| line.starts_with("ACCEPT")));
        let line = line.unwrap_or_else(|| panic!("no server for {name} {options}"));
        let port = line.rsplit(':').next().unwrap().trim().parse().unwrap();
        // What it says of each connection goes nowhere.
        thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }

    fn ask(&self, client: &Client) -> Result<String, Error> {
        self.ask_as("localhost", client)
    }

    fn ask_as(&self, host: &str, client: &Client) -> Result<String, Error> {
        let url = format!("https://{host}:{}/hello", self.port);
        let answer = client.send(get(&url))?;
        assert_eq!(answer.status, 200);
        Ok(String::from_utf8(answer.body).unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn get(url: &str) -> Request<'_> {
    Request { method: Method::Get, url, headers: &[], body_max_bytes: 1 << 10 }
}

fn settings(roots: &Path) -> Settings {
    let roots = Some(std::fs::read(roots).unwrap());
    Settings { roots, silence: Duration::from_secs(20), ..Settings::default() }
}

fn client(papers: &Papers) -> Client {
    Client::new(&settings(&papers.path("ca.pem"))).unwrap()
}

/// Every case that does not end as it should, in words.
fn all_said_hello<'c>(cases: impl Iterator<Item = (&'c str, String, &'c str)>) {
    let papers = Papers::get();
    let mut wrong = String::new();
    for (name, options, root) in cases {
        let server = Server::start(papers, name, &options);
        let client = Client::new(&settings(&papers.path(root))).unwrap();
        let said = server.ask(&client);
        if said.as_deref() != Ok("hello over TLS\n") {
            writeln!(wrong, "{name} {options}: {said:?}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_cipher_suite_on_offer_works_with_openssl() {
    let tls13 = ["AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"];
    let tls13 = tls13.map(|suite| ("p256", format!("-tls1_3 -ciphersuites TLS_{suite}"), "ca.pem"));
    let old = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"];
    let old = old.iter().flat_map(|suite| {
        [("p256", "ECDSA"), ("rsa", "RSA")].map(|(papers, kind)| {
            (papers, format!("-tls1_2 -cipher ECDHE-{kind}-{suite}"), "ca.pem")
        })
    });
    all_said_hello(tls13.into_iter().chain(old));
}

#[test]
fn every_key_agreement_on_offer_works_with_openssl() {
    let groups = ["X25519", "P-256", "P-384"].into_iter();
    all_said_hello(groups.flat_map(|group| {
        ["-tls1_2", "-tls1_3"].map(|tls| ("p256", format!("{tls} -groups {group}"), "ca.pem"))
    }));
}

#[test]
fn every_signature_of_a_handshake_on_offer_works_with_openssl() {
    let new = [
        ("p256", "ecdsa_secp256r1_sha256"),
        ("p384", "ecdsa_secp384r1_sha384"),
        ("rsa", "rsa_pss_rsae_sha256"),
        ("rsa", "rsa_pss_rsae_sha384"),
        ("rsa", "rsa_pss_rsae_sha512"),
        ("rsa-odd", "rsa_pss_rsae_sha256"),
    ];
    let old = [
        ("p256", "ECDSA+SHA256"),
        ("p256", "ECDSA+SHA384"),
        ("p384", "ECDSA+SHA256"),
        ("rsa", "RSA+SHA256"),
        ("rsa", "RSA+SHA384"),
        ("rsa", "RSA+SHA512"),
        ("rsa", "rsa_pss_rsae_sha256"),
    ];
    let new = new.map(|(name, scheme)| (name, format!("-tls1_3 -sigalgs {scheme}"), "ca.pem"));
    let old = old.map(|(name, scheme)| (name, format!("-tls1_2 -sigalgs {scheme}"), "ca.pem"));
    all_said_hello(new.into_iter().chain(old));
}

#[test]
fn every_signature_of_a_certificate_on_offer_is_believed() {
    let names = [
        ("c-p256", "c-p256-ca.pem"),
        ("c-p256-384", "c-p256-384-ca.pem"),
        ("c-p384", "c-p384-ca.pem"),
        ("c-p384-256", "c-p384-256-ca.pem"),
        ("c-rsa256", "c-rsa256-ca.pem"),
        ("c-rsa384", "c-rsa384-ca.pem"),
        ("c-rsa512", "c-rsa512-ca.pem"),
        ("c-pss256", "c-pss256-ca.pem"),
        ("c-pss384", "c-pss384-ca.pem"),
        ("c-pss512", "c-pss512-ca.pem"),
    ];
    all_said_hello(names.into_iter().map(|(name, root)| (name, String::new(), root)));
}

#[test]
fn a_server_that_is_not_who_it_should_be_is_refused_with_the_reason() {
    let papers = Papers::get();
    for (name, host, expected) in [
        ("strange", "localhost", "leads to no authority that is trusted"),
        ("stranger", "localhost", "its certificate"),
        ("expired", "localhost", "its certificate has expired on 2020-02-01, and today is 20"),
        ("early", "localhost", "its certificate is not valid before 2049-01-01, and today is 20"),
        ("p256", "127.0.0.1", "not valid for name"),
    ] {
        let server = Server::start(papers, name, "");
        match server.ask_as(host, &client(papers)) {
            Err(Error::Tls { reason, .. }) => {
                assert!(reason.contains(expected), "{name}: {reason}");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn tls_1_1_and_a_suite_without_forward_secrecy_are_refused() {
    let papers = Papers::get();
    for options in ["-tls1_1 -cipher ALL:@SECLEVEL=0", "-tls1_2 -cipher AES128-GCM-SHA256"] {
        let server = Server::start(papers, "rsa", options);
        let said = server.ask(&client(papers));
        assert!(matches!(said, Err(Error::Tls { .. })), "{options}: {said:?}");
    }
}

#[test]
fn a_client_shows_its_certificate_to_a_server_that_wants_one() {
    let papers = Papers::get();
    papers.openssl("pkcs8 -topk8 -nocrypt -in p256.key -out pkcs8.pem", &[]);
    papers.openssl("ec -in p256.key -out sec1.pem", &[]);
    for tls in ["-tls1_2", "-tls1_3"] {
        let server = Server::start(
            papers,
            "rsa",
            &format!("{tls} -Verify 1 -CAfile ca.pem -verify_return_error"),
        );
        for key in ["pkcs8.pem", "sec1.pem"] {
            let pair = Some((papers.read("p256.pem"), papers.read(key)));
            let settings = Settings { client: pair, ..settings(&papers.path("ca.pem")) };
            let said = server.ask(&Client::new(&settings).unwrap());
            assert_eq!(said.as_deref(), Ok("hello over TLS\n"), "{tls} {key}");
        }
        let said = server.ask(&client(papers));
        assert!(matches!(said, Err(Error::Tls { .. })), "{tls}: {said:?}");
    }
}

#[test]
fn a_server_that_signs_for_itself_is_believed_where_that_was_given() {
    let papers = Papers::get();
    for tls in ["-tls1_2", "-tls1_3"] {
        for (name, root, expected) in [
            ("own", "own.pem", None),
            ("own", "own-again.pem", Some("is an authority's")),
            ("own", "ca.pem", Some("is an authority's")),
            ("own-other", "own-other.pem", Some("not valid for name")),
            ("own-expired", "own-expired.pem", Some("has expired on")),
        ] {
            let server = Server::start(papers, name, tls);
            let said = server.ask(&Client::new(&settings(&papers.path(root))).unwrap());
            match (said, expected) {
                (Ok(said), None) => assert_eq!(said, "hello over TLS\n", "{tls} {name} {root}"),
                (Err(error), Some(word)) if error.to_string().contains(word) => {}
                (said, _) => panic!("{tls} {name} {root}: {said:?}, wanted {expected:?}"),
            }
        }
    }
}

#[test]
fn certificates_and_keys_that_are_none_are_refused_before_anything_is_asked() {
    let papers = Papers::get();
    let new = |roots: &[u8], client: Option<(&str, &str)>| {
        let client = client.map(|(chain, key)| (papers.read(chain), papers.read(key)));
        let settings = Settings { roots: Some(roots.to_vec()), client, ..Settings::default() };
        Client::new(&settings).map(|_| ()).map_err(|error| error.to_string())
    };
    let roots = papers.read("ca.pem");
    assert_eq!(new(&roots, Some(("p256.pem", "p256.key"))), Ok(()));
    let empty = "ServerCertificate: no certificate in it";
    assert_eq!(new(b"", None), Err(empty.into()));
    for (chain, key, expected) in [
        ("p256.pem", "p256.pem", "HttpsClient: Key: "),
        ("p256.pem", "rsa.key", "HttpsClient: unexpected error: wanted a P-256 private key"),
        ("p256.pem", "strange.key", "HttpsClient: "),
        ("p256.key", "p256.key", "HttpsClient: "),
    ] {
        let error = new(&roots, Some((chain, key))).unwrap_err();
        assert!(error.starts_with(expected), "{chain} {key}: {error}");
    }
}

#[test]
fn http_without_tls_is_refused() {
    let error = client(Papers::get()).send(get("http://localhost/a?secret"));
    let (url, reason) = ("http://localhost/a".into(), "only https is allowed".into());
    assert_eq!(error, Err(Error::Url { url, reason }));
}

#[test]
fn a_server_that_is_not_there_or_says_nothing_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let silence = Duration::from_millis(300);
    let settings = Settings { silence, ..settings(&Papers::get().path("ca.pem")) };
    let client = Client::new(&settings).unwrap();
    let url = format!("https://localhost:{port}/");
    let said = client.send(get(&url));
    assert!(matches!(said, Err(Error::Unreachable { .. })), "{said:?}");
    drop(listener);
    let said = client.send(get(&url));
    assert!(matches!(said, Err(Error::Unreachable { .. })), "{said:?}");
}

#[test]
fn a_request_to_stop_ends_the_wait() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let begin = std::time::Instant::now();
    let stop = Stop::new(move || begin.elapsed() > Duration::from_millis(300));
    let settings = Settings { stop, ..settings(&Papers::get().path("ca.pem")) };
    let said = Client::new(&settings).unwrap().send(get(&url));
    assert_eq!(said, Err(Error::Interrupted));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_speaks_no_tls_is_no_secure_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 64];
        let _ = stream.read(&mut hello).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let said = client(Papers::get()).send(get(&url));
    assert!(matches!(said, Err(Error::Tls { .. })), "{said:?}");
    server.join().unwrap();
}

#[test]
fn a_longer_body_than_asked_for_is_an_error() {
    let papers = Papers::get();
    let server = Server::start(papers, "p256", "");
    let url = format!("https://localhost:{}/hello", server.port);
    let len = |body_max_bytes| {
        let answer = client(papers).send(Request { body_max_bytes, ..get(&url) });
        answer.map(|answer| answer.body.len())
    };
    assert_eq!(len(15), Ok(15));
    assert!(matches!(len(14), Err(Error::Malformed { .. })), "{:?}", len(14));
}

#[test]
fn a_pause_is_told_in_seconds_or_as_a_date() {
    for (value, expected) in [
        ("120", Some(120)),
        ("0", Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
        ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
        ("soon", None),
        ("-1", None),
    ] {
        let pause = pause(value, 784_111_740);
        assert_eq!(pause, expected.map(Duration::from_secs), "{value}");
    }
}

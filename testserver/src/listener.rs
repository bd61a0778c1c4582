//! Who the server is, and the thread that takes its connections. Never listens but on loopback.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::Server;
use crate::certificates::{Authority, Der};
use crate::connection::{Shared, converse};

/// Who a server says it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// Itself: localhost, 127.0.0.1, 10.0.2.2 and the names it was given.
    #[default]
    Itself,
    /// Someone else.
    WrongHost,
    /// Itself, until years ago.
    Expired,
    /// Itself, as an authority says that nobody was told of.
    UnknownAuthority,
    /// It does not say: there is no TLS at all.
    PlainHttp,
}

/// What clients must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clients {
    /// Nothing.
    #[default]
    Anyone,
    /// A certificate of the server's authority.
    Certified,
}

/// Whether connections are let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    /// They are.
    #[default]
    Open,
    /// Each is closed as soon as it is there.
    Shut,
}

/// What a server is to be like.
#[derive(Default)]
pub struct Setup {
    /// A new one where there is none.
    pub authority: Option<Authority>,
    /// Who it says it is.
    pub identity: Identity,
    /// What clients must show.
    pub clients: Clients,
    /// More names and addresses for its certificate.
    pub names: Vec<String>,
    /// The port; 0: any that is free.
    pub port: u16,
}

impl Server {
    /// A server as planned.
    ///
    /// # Errors
    /// The port is taken, a name is none, or there is no randomness.
    pub fn start_as(setup: Setup) -> io::Result<Self> {
        let authority = setup.authority.clone().map_or_else(Authority::new, Ok)?;
        let tls = tls(&setup, &authority)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, setup.port))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::new(tls));
        let acceptor = Arc::clone(&shared);
        let acceptor = thread::spawn(move || accept(&listener, &acceptor));
        Ok(Self { shared, authority, port, acceptor: Some(acceptor) })
    }
}

fn tls(setup: &Setup, authority: &Authority) -> io::Result<Option<Arc<ServerConfig>>> {
    let mut names = ["localhost", "127.0.0.1", "10.0.2.2"].map(str::to_owned).to_vec();
    names.extend(setup.names.iter().cloned());
    let (certificate, key): Der = match setup.identity {
        Identity::PlainHttp => return Ok(None),
        Identity::Itself => authority.server(names)?,
        Identity::WrongHost => authority.server(vec!["elsewhere.example".to_owned()])?,
        Identity::Expired => authority.expired(names)?,
        Identity::UnknownAuthority => Authority::new()?.server(names)?,
    };
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    let builder = match setup.clients {
        Clients::Anyone => builder.with_no_client_auth(),
        Clients::Certified => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der()).map_err(io::Error::other)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
        }
    };
    let config = builder.with_single_cert(vec![certificate], key).map_err(io::Error::other)?;
    Ok(Some(Arc::new(config)))
}

/// Until the server stops; each connection is a thread of its own.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        if shared.stopping() {
            return;
        }
        let Ok(socket) = socket else { continue };
        if shared.change(|state| state.door) == Door::Open {
            start(socket, shared);
        }
    }
}

fn start(socket: TcpStream, shared: &Arc<Shared>) {
    let own = Arc::clone(shared);
    let thread = thread::spawn(move || converse(socket, &own));
    shared.keep(thread);
}

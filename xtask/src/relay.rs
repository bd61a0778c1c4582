//! One connection of an emulated board, which QEMU hands over as stdin and stdout, taken to a port
//! of this machine's loopback. Says nothing: whatever it printed, the board would read.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::{copy, stdin, stdout};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::thread;

/// The task: `relay PORT`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let [port] = arguments else { bail!("relay takes PORT") };
    let port: u16 = port.parse().context("relay takes PORT")?;
    // To the board, a server that is not there is a connection that ends at once.
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return Ok(()) };
    // Unlike Rust's own stdout these do not wait for the end of a line.
    let mut from_board = File::from(stdin().as_fd().try_clone_to_owned()?);
    let mut to_board = File::from(stdout().as_fd().try_clone_to_owned()?);
    let (mut from_server, mut to_server) = (server.try_clone()?, server);
    thread::spawn(move || {
        copy(&mut from_board, &mut to_server)?;
        to_server.shutdown(Shutdown::Write)
    });
    // Ends with the server or with the board, whichever goes first; that is no error.
    drop(copy(&mut from_server, &mut to_board));
    Ok(())
}

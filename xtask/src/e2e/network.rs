//! A board's network, before anything is built upon it: one server and nothing else, as often and
//! as many at a time as it likes; and a clock that certificates can be checked by.

use super::bench::Bench;
use super::lab::FACTORY;
use crate::qemu::SERVER;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

const BODY_BYTES: usize = 1 << 20;
/// How far the clocks may be apart: a slow machine takes its time to ask.
const APART_SECONDS: u64 = 60;

pub(super) fn run(bench: &mut Bench<'_>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    // Ends with this program.
    thread::spawn(move || listener.incoming().map_while(Result::ok).try_for_each(answer));
    bench.set_network(port);
    bench.boot()?.must_be("a", FACTORY)?;

    let get = format!("wget -q -O - http://{SERVER}/");
    let both = format!("{get} | wc -c >/tmp/one & {get} | wc -c; wait; cat /tmp/one");
    let counted = bench.ok(&both)?;
    let lines = counted.lines().filter(|line| *line == BODY_BYTES.to_string());
    ensure!(lines.count() == 2, "two downloads at a time came to:\n{counted}");
    for elsewhere in [format!("10.0.2.2:{port}"), "10.0.2.100:80".into(), "192.0.2.1:443".into()] {
        let said = bench.shell(&format!("timeout 5 wget -q -O - http://{elsewhere}/"))?;
        ensure!(said.code != 0, "the board reached {elsewhere}");
    }
    let clock: u64 = bench.ok("date +%s")?.trim().parse().context("no time")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    ensure!(now.abs_diff(clock) <= APART_SECONDS, "the board's clock says {clock}, ours {now}");
    bench.power_off()
}

/// A web server that takes whatever is asked for the same question.
fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    let _ = connection.read(&mut asked)?;
    write!(connection, "HTTP/1.0 200 OK\r\nContent-Length: {BODY_BYTES}\r\n\r\n")?;
    connection.write_all(&vec![b'x'; BODY_BYTES])
}

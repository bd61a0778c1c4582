//! The test server as a program: its address and root on the first line, then a line out for each
//! line in, until there are no more. Never listens but on loopback.

use std::io::{self, BufRead, Write};

use serde_json::{Value, json};
use testserver::{Server, obey};

fn main() -> io::Result<()> {
    let server = Server::start()?;
    say(&json!({ "url": server.url(""), "port": server.port(), "root": server.root() }))?;
    for line in io::stdin().lock().lines() {
        say(&obey(&server, &line?).unwrap_or_else(|error| json!({ "error": error })))?;
    }
    Ok(())
}

fn say(line: &Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

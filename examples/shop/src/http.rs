//! One small HTTP/1.1 GET, so that runbooks need no curl.
//!
//! It speaks plain `http://` to a host and port. It follows no redirect and decodes no chunks:
//! the shop sends neither.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::{Result, say};

/// How long each of connecting, writing and reading may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes; the shop's are under 200.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a server answered.
pub(crate) struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The body at `url`. An answer that is no success still shows its body.
pub(crate) fn show(url: &str) -> Result<String> {
    let answer = get(url)?;
    if answer.is_success() {
        return Ok(answer.body);
    }
    say(&answer.body);
    Err(format!("{url} answered {}", answer.status).into())
}

/// Asks for `url`, which looks like `http://127.0.0.1:8101/health`.
pub(crate) fn get(url: &str) -> Result<Answer> {
    ask(url).map_err(|why| format!("cannot get {url:?}: {why}").into())
}

fn ask(url: &str) -> Result<Answer> {
    let rest = url
        .strip_prefix("http://")
        .ok_or("it does not start with http://")?;
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("it holds a space or a control character".into());
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = host
        .to_socket_addrs()?
        .find(|a| a.is_ipv4())
        .ok_or("no IPv4 address")?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| "the answer is not HTTP".into())
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

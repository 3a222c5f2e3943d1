//! One request on a connection of its own, and how long the answer took.

use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Longer than any answer in these tests takes.
const LIMIT: Duration = Duration::from_secs(15);

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    pub took: Duration,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Sends `METHOD PATH` with these header lines and this JSON, and reads the answer to its end.
pub fn ask(address: SocketAddr, line: &str, headers: &[&str], body: &str) -> io::Result<Answer> {
    ask_within(address, line, headers, body, LIMIT)
}

/// The same by a caller who gives up when nothing comes for so long.
pub fn ask_within(
    address: SocketAddr,
    line: &str,
    headers: &[&str],
    body: &str,
    patience: Duration,
) -> io::Result<Answer> {
    let begin = Instant::now();
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(patience))?;
    let length = body.len();
    let more: String = headers
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    write!(
        socket,
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n{body}"
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
        took: begin.elapsed(),
    })
}

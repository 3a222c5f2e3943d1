//! A scripted upstream: a raw socket that writes down what it is sent and answers what it is told to.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::net::TcpSocket;

use crate::wire::{find, value};

/// One upstream instance; its threads end with the test's process.
pub struct Upstream {
    pub address: SocketAddr,
    state: Arc<State>,
}

/// One request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    body_bytes: AtomicU64,
    gate: Gate,
}

/// Holds scripts back until a test opens it.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

/// A request whose head has been read, and the connection it came on.
pub struct Turn<'a> {
    pub seen: Seen,
    stream: &'a mut TcpStream,
    read: &'a mut Vec<u8>,
    state: &'a State,
}

/// What becomes of the connection after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Keep,
    Close,
}

impl Upstream {
    /// Plays the script for every request.
    pub fn playing(script: impl Fn(&mut Turn<'_>) -> Then + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let script = Arc::new(script);
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, state) = (script.clone(), shared.clone());
                let number = state.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    state.open.fetch_add(1, Ordering::SeqCst);
                    converse(stream.unwrap(), number, &*script, &state);
                    state.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, state }
    }

    /// Reads each request whole and answers it with these bytes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::playing(move |turn| {
            turn.read_body();
            turn.write(&answer);
            Then::Keep
        })
    }

    /// 200 with a small JSON body.
    pub fn well() -> Self {
        Self::answering(ok("{\"ok\":true}"))
    }

    /// An address at which nobody listens, nor will: its socket stays bound.
    pub fn nobody() -> SocketAddr {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        std::mem::forget(socket);
        address
    }

    /// Every request so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    /// How many requests came, as a number to compare.
    pub fn count(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }

    /// Bytes that scripts have read or written by `skip_body` and `pour`.
    pub fn flowed(&self) -> u64 {
        self.state.body_bytes.load(Ordering::SeqCst)
    }

    /// Lets every script pass that waits at the gate.
    pub fn open_gate(&self) {
        *self.state.gate.open.lock().unwrap() = true;
        self.state.gate.opened.notify_all();
    }
}

impl Turn<'_> {
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads the whole body and keeps it.
    pub fn read_body(&mut self) {
        let headers = self.seen.headers.clone();
        if let Some(length) = value(&headers, "content-length") {
            let length: usize = length.parse().unwrap();
            while self.read.len() < length && self.more() {}
            self.seen.body = self.read.drain(..length.min(self.read.len())).collect();
        } else if value(&headers, "transfer-encoding").is_some() {
            self.read_chunks();
        }
        self.note();
    }

    /// Reads that much of the body and counts it only.
    pub fn skip_body(&mut self, length: u64) -> u64 {
        let mut total = std::mem::take(self.read).len() as u64;
        let mut block = vec![0; 256 * 1024];
        while total < length {
            match self.stream.read(&mut block) {
                Ok(some @ 1..) => {
                    total += some as u64;
                    self.state.body_bytes.store(total, Ordering::SeqCst);
                }
                _ => break,
            }
        }
        total
    }

    /// Writes that many bytes of body, as fast as they are taken.
    pub fn pour(&mut self, length: u64) {
        let block = vec![b'y'; 256 * 1024];
        let mut left = length;
        while left > 0 {
            let most = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.stream.write(&block[..most]) {
                Ok(some @ 1..) => left -= some as u64,
                _ => return,
            }
            self.state.body_bytes.store(length - left, Ordering::SeqCst);
        }
    }

    /// Waits until the other side has closed.
    pub fn wait_for_the_end(&mut self) {
        let mut block = [0; 4096];
        while matches!(self.stream.read(&mut block), Ok(1..)) {}
    }

    /// Waits until the test opens the gate.
    pub fn wait_at_the_gate(&self) {
        let gate = &self.state.gate;
        let open = gate.open.lock().unwrap();
        let waited = gate
            .opened
            .wait_timeout_while(open, Duration::from_secs(30), |open| !*open);
        assert!(*waited.unwrap().0, "the gate never opened");
    }

    /// Writes the request down again, its body included.
    fn note(&self) {
        let mut all = self.state.seen.lock().unwrap();
        if let Some(noted) = all
            .iter_mut()
            .rev()
            .find(|noted| noted.connection == self.seen.connection)
        {
            noted.body.clone_from(&self.seen.body);
        }
    }

    fn read_chunks(&mut self) {
        loop {
            let Some(line) = find(self.read, b"\r\n") else {
                if !self.more() {
                    return;
                }
                continue;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.read[..line]).unwrap(), 16)
                .expect("a bare chunk size");
            while self.read.len() < line + 2 + size + 2 {
                if !self.more() {
                    return;
                }
            }
            self.seen
                .body
                .extend_from_slice(&self.read[line + 2..line + 2 + size]);
            self.read.drain(..line + 2 + size + 2);
            if size == 0 {
                return;
            }
        }
    }

    fn more(&mut self) -> bool {
        more(self.stream, self.read)
    }
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    pub fn headers_called(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// A 200 with a JSON body.
pub fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn converse(
    mut stream: TcpStream,
    number: usize,
    script: &(impl Fn(&mut Turn<'_>) -> Then + ?Sized),
    state: &State,
) {
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut read = Vec::new();
    loop {
        let end = loop {
            match find(&read, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if more(&mut stream, &mut read) => {}
                None => return,
            }
        };
        let head: Vec<u8> = read.drain(..end).collect();
        let head = String::from_utf8(head).expect("what the gateway writes is ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let headers = lines.map(|line| line.split_once(": ").expect("name, colon, space, value"));
        let headers = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let seen = Seen {
            line,
            headers,
            body: Vec::new(),
            connection: number,
        };
        state.seen.lock().unwrap().push(seen.clone());
        let then = script(&mut Turn {
            seen,
            stream: &mut stream,
            read: &mut read,
            state,
        });
        if then == Then::Close {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn more(stream: &mut TcpStream, read: &mut Vec<u8>) -> bool {
    let mut block = [0; 16 * 1024];
    match stream.read(&mut block) {
        Ok(some @ 1..) => {
            read.extend_from_slice(&block[..some]);
            true
        }
        _ => false,
    }
}

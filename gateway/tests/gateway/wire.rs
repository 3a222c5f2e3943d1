//! A client that sends exactly the bytes it is given and reads answers without being clever.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use socket2::{Domain, Socket, Type};

/// Longer than anything here takes; shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to the gateway.
pub struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// One answer, its body decoded.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The body came to the end that its head announced.
    pub whole: bool,
}

impl Wire {
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    /// From an address of this machine's choice; all of 127.0.0.0/8 is here.
    pub fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let source = SocketAddr::from((source, 0));
        socket.bind(&source.into()).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends bytes; a gateway that has closed already is not an error here.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends bytes one by one, so that every boundary falls between two reads.
    pub fn send_slowly(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.stream.write_all(&[*byte]).is_err() {
                return;
            }
        }
    }

    /// As many bytes as the gateway takes until it has taken none for `pause`.
    pub fn send_until_stalled(&mut self, most: usize, pause: Duration) -> usize {
        self.stream.set_nonblocking(true).unwrap();
        let block = vec![b'x'; 64 * 1024];
        let mut sent = 0;
        let mut since = Instant::now();
        while sent < most && since.elapsed() < pause {
            match self.stream.write(&block[..block.len().min(most - sent)]) {
                Ok(taken) => {
                    sent += taken;
                    since = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => panic!("after {sent} bytes: {error}"),
            }
        }
        self.stream.set_nonblocking(false).unwrap();
        sent
    }

    /// The next answer; 1xx are passed over.
    pub fn answer_to(&mut self, method: &str) -> Answer {
        loop {
            let head = self.head();
            let (status, headers) = parse_head(&head);
            if status >= 200 {
                let (body, whole) = self.body(method, status, &headers);
                return Answer {
                    status,
                    headers,
                    body,
                    whole,
                };
            }
        }
    }

    /// The next answer, if there is one before the connection ends.
    pub fn try_answer(&mut self) -> Option<Answer> {
        while find(&self.read, b"\r\n\r\n").is_none() {
            if !matches!(self.more(), Ok(1..)) {
                return None;
            }
        }
        Some(self.answer())
    }

    pub fn answer(&mut self) -> Answer {
        self.answer_to("GET")
    }

    /// The head of the next answer alone.
    pub fn head(&mut self) -> String {
        loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            let seen = String::from_utf8_lossy(&self.read).into_owned();
            assert!(
                self.more().unwrap_or(0) > 0,
                "the connection ended within a head: {seen:?}"
            );
        }
    }

    /// Reads exactly that much of a body and throws it away.
    pub fn skip(&mut self, length: u64) {
        let mut left = length - (self.read.len() as u64).min(length);
        self.read.drain(..(length - left) as usize);
        let mut block = vec![0; 256 * 1024];
        while left > 0 {
            let most = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let some = self.stream.read(&mut block[..most]).unwrap();
            assert!(some > 0, "the body ended {left} bytes early");
            left -= some as u64;
        }
    }

    /// Reads until the end; whether that much came before it.
    pub fn reads_on(&mut self, length: u64) -> bool {
        let mut read = self.read.len() as u64;
        let mut block = vec![0; 256 * 1024];
        while let Ok(some @ 1..) = self.stream.read(&mut block) {
            read += some as u64;
        }
        read >= length
    }

    /// The bare connection; whatever was read ahead is gone.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Whether the gateway closed the connection, without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.read.is_empty() && matches!(self.more(), Ok(0) | Err(_))
    }

    fn more(&mut self) -> io::Result<usize> {
        let mut block = [0; 16 * 1024];
        let some = self.stream.read(&mut block)?;
        self.read.extend_from_slice(&block[..some]);
        Ok(some)
    }

    fn body(&mut self, method: &str, status: u16, headers: &[(String, String)]) -> (Vec<u8>, bool) {
        if method == "HEAD" || status == 204 || status == 304 {
            return (Vec::new(), true);
        }
        if let Some(length) = value(headers, "content-length") {
            let length: usize = length.parse().unwrap();
            while self.read.len() < length && matches!(self.more(), Ok(1..)) {}
            let whole = self.read.len() >= length;
            return (
                self.read.drain(..length.min(self.read.len())).collect(),
                whole,
            );
        }
        if value(headers, "transfer-encoding").is_some() {
            return self.chunks();
        }
        while matches!(self.more(), Ok(1..)) {}
        (std::mem::take(&mut self.read), true)
    }

    fn chunks(&mut self) -> (Vec<u8>, bool) {
        let mut body = Vec::new();
        loop {
            let Some(line) = find(&self.read, b"\r\n") else {
                if !matches!(self.more(), Ok(1..)) {
                    return (body, false);
                }
                continue;
            };
            let size = usize::from_str_radix(std::str::from_utf8(&self.read[..line]).unwrap(), 16)
                .unwrap();
            while self.read.len() < line + 2 + size + 2 {
                if !matches!(self.more(), Ok(1..)) {
                    return (body, false);
                }
            }
            body.extend_from_slice(&self.read[line + 2..line + 2 + size]);
            self.read.drain(..line + 2 + size + 2);
            if size == 0 {
                return (body, true);
            }
        }
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The `code` of a problem document.
    pub fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

fn parse_head(head: &str) -> (u16, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let pair = |line: &str| {
        line.split_once(':')
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    (status, lines.filter_map(pair).collect())
}

pub fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Waits until something is true, and says what was seen last when it never is.
pub fn eventually<T: std::fmt::Debug>(look: impl Fn() -> T, is: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = look();
        if is(&seen) {
            return seen;
        }
        assert!(
            Instant::now() < until,
            "never came true; last seen: {seen:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

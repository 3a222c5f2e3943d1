//! An agent on a real socket that says what a test tells it to say, one reply per request, and writes down what it was
//! asked. When the script is over it holds requests open, as an agent does when nothing changes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub enum Reply {
    /// A complete response: status, further header lines, body.
    Full(u16, String, Vec<u8>),
    /// These bytes, and then the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, and then one more every 100 ms.
    Drip(Vec<u8>),
    /// Nothing, and the connection stays open.
    Hang,
    /// The reply, after a pause.
    Late(Duration, Box<Reply>),
}

pub struct Request {
    pub at: Instant,
    /// Method and target.
    pub line: String,
    pub token: Option<String>,
}

#[derive(Clone)]
pub struct Scripted {
    pub address: String,
    state: Rc<State>,
}

struct State {
    replies: RefCell<VecDeque<Reply>>,
    always: RefCell<Option<Box<dyn Fn() -> Reply>>>,
    requests: RefCell<Vec<Request>>,
}

impl Scripted {
    pub async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Rc::new(State {
            replies: RefCell::new(replies.into_iter().collect()),
            always: RefCell::new(None),
            requests: RefCell::new(Vec::new()),
        });
        let address = format!("http://{}", listener.local_addr().unwrap());
        let scripted = Self {
            address,
            state: Rc::clone(&state),
        };
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix_web::rt::spawn(serve(stream, Rc::clone(&state)));
            }
        });
        scripted
    }

    /// What it says once the script is over.
    pub fn always(&self, reply: impl Fn() -> Reply + 'static) {
        self.state.always.replace(Some(Box::new(reply)));
    }

    pub fn then(&self, reply: Reply) {
        self.state.replies.borrow_mut().push_back(reply);
    }

    pub fn lines(&self) -> Vec<String> {
        self.state
            .requests
            .borrow()
            .iter()
            .map(|request| request.line.clone())
            .collect()
    }

    pub fn times(&self) -> Vec<Instant> {
        self.state
            .requests
            .borrow()
            .iter()
            .map(|request| request.at)
            .collect()
    }

    pub fn tokens(&self) -> Vec<Option<String>> {
        self.state
            .requests
            .borrow()
            .iter()
            .map(|request| request.token.clone())
            .collect()
    }

    pub async fn asked(&self, times: usize, limit: Duration) {
        let what = format!("{times} requests");
        crate::eventually(&what, limit, || async { self.lines().len() >= times }).await;
    }
}

/// 200 with that index and those instances.
pub fn answer(index: u64, instances: &[Value]) -> Reply {
    with_headers(&format!("X-Consul-Index: {index}\r\n"), instances)
}

pub fn with_headers(headers: &str, instances: &[Value]) -> Reply {
    Reply::Full(
        200,
        headers.to_owned(),
        serde_json::to_vec(instances).unwrap(),
    )
}

pub fn status(status: u16) -> Reply {
    Reply::Full(status, String::new(), b"No cluster leader".to_vec())
}

/// A passing instance at `127.0.0.1` of that port.
pub fn instance(id: &str, port: i64) -> Value {
    json!({
        "Node": { "Node": "n", "Address": "127.0.0.1" },
        "Service": { "ID": id, "Service": "users", "Address": "127.0.0.1", "Port": port, "Meta": { "zone": "a" } },
        "Checks": [{ "CheckID": "service:x", "Status": "passing" }],
    })
}

async fn serve(mut stream: TcpStream, state: Rc<State>) {
    let Some(request) = read(&mut stream).await else {
        return;
    };
    state.requests.borrow_mut().push(request);
    let scripted = state.replies.borrow_mut().pop_front();
    let reply = scripted.or_else(|| state.always.borrow().as_ref().map(|always| always()));
    say(&mut stream, reply.unwrap_or(Reply::Hang)).await;
}

async fn say(stream: &mut TcpStream, mut reply: Reply) {
    while let Reply::Late(pause, later) = reply {
        tokio::time::sleep(pause).await;
        reply = *later;
    }
    // The client may be gone by now, which is its right.
    let _ = match reply {
        Reply::Full(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
            );
            stream.write_all(&[head.into_bytes(), body].concat()).await
        }
        Reply::Raw(bytes) => stream.write_all(&bytes).await,
        Reply::Drip(bytes) => drip(stream, &bytes).await,
        Reply::Hang | Reply::Late(..) => std::future::pending().await,
    };
}

async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.write_all(b" ").await?;
    }
}

/// Reads one request, its body included: closing with unread bytes would reset the connection.
async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
                .next()
        };
        let length: usize = header("content-length").map_or(0, |value| value.parse().unwrap());
        if body.len() >= length {
            let line = head
                .lines()
                .next()
                .unwrap_or_default()
                .trim_end_matches(" HTTP/1.1")
                .to_owned();
            return Some(Request {
                at: Instant::now(),
                line,
                token: header("x-consul-token"),
            });
        }
    }
}

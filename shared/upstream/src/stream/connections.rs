//! The connections of one worker: dialled, lent, given back, closed when idle for too long.

use super::body::{RequestBody, ResponseBody};
use super::failure::{Failure, FailureKind};
use actix_web::rt;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout, timeout_at};

/// hyper's buffer of one connection: with either side stalled, this is what a stream costs.
const BUFFER: usize = 64 * 1024;
/// More headers than any answer of ours; above it the answer is refused.
const HEADERS: usize = 100;
/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// Limits of the connections of one worker.
#[derive(Debug, Clone, Copy)]
pub struct StreamConfig {
    /// Time for a TCP connection. Default 500 ms: inside one network it takes microseconds or fails.
    pub connect_timeout: Duration,
    /// Idle connections are closed after this. Default 30 s: shorter than the services keep them (75 s).
    pub idle_timeout: Duration,
    /// Idle connections kept for one endpoint. Default 64.
    pub idle_per_endpoint: usize,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_millis(500),
            idle_timeout: Duration::from_secs(30),
            idle_per_endpoint: 64,
        }
    }
}

/// The idle connections of one worker; clones share them. Stays on its thread.
#[derive(Clone)]
pub struct Connections(Rc<Shared>);

struct Shared {
    config: StreamConfig,
    idle: RefCell<HashMap<SocketAddr, Vec<Idle>>>,
}

struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// A connection in use. Given back at a clean end, closed when dropped.
pub(super) struct Loan {
    sender: SendRequest<RequestBody>,
    address: SocketAddr,
    shared: Weak<Shared>,
}

impl Connections {
    /// No connection yet; closing idle ones runs on the current thread's runtime.
    pub fn new(config: StreamConfig) -> Self {
        let shared = Rc::new(Shared {
            config,
            idle: RefCell::default(),
        });
        rt::spawn(sweep(Rc::downgrade(&shared)));
        Self(shared)
    }

    /// Sends one request and waits for the head of its answer, until `until`.
    ///
    /// An idle connection that the upstream closed meanwhile is replaced by a new one, once, as long
    /// as nothing was written.
    ///
    /// # Errors
    /// [`Failure`] says what happened and whether anything was written.
    pub async fn send(
        &self,
        address: SocketAddr,
        request: Request<RequestBody>,
        until: Instant,
    ) -> Result<Response<ResponseBody>, Failure> {
        let mut request = request;
        while let Some(sender) = self.0.take_idle(address) {
            match self.exchange(sender, address, request, until).await {
                Err((_, Some(unsent))) => request = unsent,
                Err((failure, None)) => return Err(failure),
                Ok(answer) => return Ok(answer),
            }
        }
        // Boxed: dialling is rare, and its state would make every request's larger.
        let sender = match Box::pin(self.dial(address, until)).await {
            Ok(sender) => sender,
            Err(failure) => return Err(failure.unsent(request.into_body())),
        };
        let answer = self.exchange(sender, address, request, until).await;
        answer.map_err(|(failure, unsent)| match unsent {
            Some(request) => failure.unsent(request.into_body()),
            None => failure,
        })
    }

    async fn dial(
        &self,
        address: SocketAddr,
        until: Instant,
    ) -> Result<SendRequest<RequestBody>, Failure> {
        let left = until.saturating_duration_since(Instant::now());
        let own = self.0.config.connect_timeout;
        let late = if left < own {
            FailureKind::Timeout
        } else {
            FailureKind::ConnectTimeout
        };
        let stream = match timeout(left.min(own), TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unconnected(error)),
            Err(_) => return Err(Failure::new(late, false)),
        };
        stream.set_nodelay(true).map_err(unconnected)?;
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER)
            .max_headers(HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::new(FailureKind::Reset, false).because(error))?;
        rt::spawn(async move {
            // The caller learns of a broken connection through its own answer or body.
            let _ = connection.await;
        });
        Ok(sender)
    }

    async fn exchange(
        &self,
        mut sender: SendRequest<RequestBody>,
        address: SocketAddr,
        request: Request<RequestBody>,
        until: Instant,
    ) -> Result<Response<ResponseBody>, (Failure, Option<Request<RequestBody>>)> {
        if let Err(error) = sender.ready().await {
            return Err((
                Failure::new(FailureKind::Reset, false).because(error),
                Some(request),
            ));
        }
        let upload = request.body().flow();
        match timeout_at(until.into(), sender.try_send_request(request)).await {
            Err(_) => {
                let late = upload.is_some_and(|upload| upload.waits_for_client());
                let kind = if late {
                    FailureKind::RequestLate
                } else {
                    FailureKind::Timeout
                };
                Err((Failure::new(kind, true), None))
            }
            Ok(Err(mut unsent)) => {
                let request = unsent.take_message();
                Err((broken(unsent.into_error(), request.is_none()), request))
            }
            Ok(Ok(answer)) => {
                let loan = Loan {
                    sender,
                    address,
                    shared: Rc::downgrade(&self.0),
                };
                accept(answer, loan).map_err(|failure| (failure, None))
            }
        }
    }
}

/// Takes an answer that can be read one way only.
fn accept(answer: Response<Incoming>, loan: Loan) -> Result<Response<ResponseBody>, Failure> {
    let headers = answer.headers();
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    // What is neither chunked nor has a length ends with the connection: then a cut body looks like a whole one.
    let clear = match (encodings.next(), encodings.next()) {
        (None, _) => true,
        (Some(only), None) => {
            only.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(CONTENT_LENGTH)
                && answer.version() == Version::HTTP_11
        }
        (Some(_), Some(_)) => false,
    };
    if !clear || answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::new(FailureKind::BadAnswer, true));
    }
    Ok(answer.map(|incoming| ResponseBody::new(incoming, loan)))
}

fn unconnected(error: io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::ConnectionRefused => FailureKind::ConnectRefused,
        io::ErrorKind::TimedOut => FailureKind::ConnectTimeout,
        _ => FailureKind::Reset,
    };
    Failure::new(kind, false).because(error)
}

fn broken(error: hyper::Error, written: bool) -> Failure {
    let kind = if error.is_user() {
        FailureKind::RequestBody
    } else if error.is_parse() {
        FailureKind::BadAnswer
    } else {
        FailureKind::Reset
    };
    Failure::new(kind, written).because(error)
}

impl Shared {
    fn take_idle(&self, address: SocketAddr) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&address)?;
        while let Some(Idle { sender, since }) = connections.pop() {
            if sender.is_ready() && since.elapsed() < self.config.idle_timeout {
                return Some(sender);
            }
        }
        None
    }

    fn keep(&self, address: SocketAddr, sender: SendRequest<RequestBody>) {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(address).or_default();
        if connections.len() < self.config.idle_per_endpoint {
            connections.push(Idle {
                sender,
                since: Instant::now(),
            });
        }
    }

    fn close_stale(&self) {
        let most = self.config.idle_timeout;
        self.idle.borrow_mut().retain(|_, connections| {
            connections.retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < most);
            !connections.is_empty()
        });
    }
}

impl Loan {
    pub(super) fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        if let Some(shared) = self.shared.upgrade() {
            shared.keep(self.address, self.sender);
        }
    }
}

async fn sweep(shared: Weak<Shared>) {
    loop {
        sleep(SWEEP).await;
        match shared.upgrade() {
            Some(shared) => shared.close_stale(),
            None => return,
        }
    }
}

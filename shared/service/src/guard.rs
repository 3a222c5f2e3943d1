//! Who may hold a connection of the public listener, and for how long: a deadline for each head, an end to idling, an end to answers that nobody reads, a number of connections for each address.
//!
//! The server below times the head of a connection's first request only, and a client that does not read its answer not at all.
//! So its socket is wrapped, and this house times both itself.
//! The wrapping never parses: the stream sees bytes, the application says when a head was read and when an answer has ended, and both meet in a [`Watch`].
//! Bodies are not timed here: how fast one must come is for whoever reads it.

mod addresses;
mod exchange;
pub(crate) mod metrics;
mod refusal;
mod stream;
mod watch;

use self::addresses::Addresses;
use self::metrics::Metrics;
use self::stream::Guarded;
pub use self::watch::Watch;
use crate::config::Server;
use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_server::GracefulShutdownSignal;
use actix_service::{
    IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_service,
};
use actix_web::body::MessageBody;
use actix_web::rt::net::TcpStream;
use std::fmt::Debug;
use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Under which address a connection is counted; `None` is counted nowhere.
pub(crate) type Counted = Arc<dyn Fn(IpAddr) -> Option<IpAddr> + Send + Sync>;

/// After an answer that ends the connection, what the client still sends is thrown away for so long, so that the answer arrives.
const DISCONNECT: Duration = Duration::from_secs(2);

/// What every connection of one listener is held to.
#[derive(Clone)]
pub(crate) struct Guard {
    times: Times,
    requests: Option<NonZeroU32>,
    addresses: Arc<Addresses>,
    counted: Counted,
    /// Clients are strangers: they are invited to send a body only when somebody wants it.
    strangers: bool,
    metrics: Metrics,
}

/// How long a client may let us wait.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// For the rest of a head, from its first byte.
    head: Duration,
    /// For the first byte of another request.
    idle: Duration,
    /// For some of its answer to be taken.
    stall: Duration,
}

impl Guard {
    /// As configured; `strangers` are counted by address as `counted` says.
    pub(crate) fn new(server: &Server, strangers: Option<Counted>, metrics: Metrics) -> Self {
        let most = server.connections_per_address;
        Self {
            times: Times {
                head: Duration::from_millis(server.head_timeout_ms),
                idle: Duration::from_millis(server.keep_alive_ms),
                stall: Duration::from_millis(server.write_stall_ms),
            },
            requests: server.requests_per_connection,
            addresses: Arc::new(Addresses::new(most)),
            strangers: strangers.is_some(),
            counted: strangers.unwrap_or_else(|| Arc::new(Some)),
            metrics,
        }
    }

    /// One worker's service for accepted connections, around the application.
    pub(crate) fn around<F, S, B>(
        self,
        application: F,
        stopping: GracefulShutdownSignal,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
    where
        F: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = (), Error = actix_web::Error> + 'static,
        S::Response: Into<Response<B>> + 'static,
        S::InitError: Debug,
        S::Service: 'static,
        B: MessageBody + Unpin + 'static,
    {
        let (most, strangers) = (self.requests, self.strangers);
        let watched = apply_fn_factory(application, move |request, application: &S::Service| {
            exchange::watched(application, request, most)
        });
        let http = HttpService::build()
            // As `HttpServer` does it: without, idle connections would hold every drain to its deadline.
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            // Both are timed here, for every request and with one timer for each connection.
            .keep_alive(KeepAlive::Os)
            .client_request_timeout(Duration::ZERO)
            // Never longer than the head's deadline, so that nobody is told 408 after a last answer.
            .client_disconnect_timeout(DISCONNECT.min(self.times.head))
            .h1_allow_half_closed(false)
            .expect(fn_service(move |request| {
                ready(exchange::expecting(request, strangers))
            }))
            .on_connect_ext(|io: &Guarded, data| drop(data.insert(io.watch())))
            .finish(watched.map_err(|error| Response::from(error.error_response())));
        fn_service(move |socket| ready(self.accept(socket))).and_then(http)
    }

    fn accept(
        &self,
        socket: TcpStream,
    ) -> Result<(Guarded, Protocol, Option<SocketAddr>), DispatchError> {
        let peer = socket.peer_addr()?;
        let key = (self.counted)(peer.ip().to_canonical());
        let Ok(place) = self.addresses.take(key) else {
            // No answer: whoever opens that many does not wait for one, and each byte would be work.
            self.metrics.address_limit.inc();
            return Err(io::Error::from(io::ErrorKind::ConnectionRefused).into());
        };
        let guarded = Guarded::new(socket, peer, place, self.times, self.metrics.clone());
        Ok((guarded, Protocol::Http1, Some(peer)))
    }
}

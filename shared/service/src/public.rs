//! The public listener: the service's routes inside the layers that every process has.
//!
//! From the outside in: observation (span, metrics), the drain mark, the deadline, the routes.

use crate::config::Server;
use crate::deadline::{self, DefaultTimeout};
use crate::drain::{self, Drain};
use crate::input::BodyLimit;
use crate::spec::Configure;
use crate::unrouted::{no_method, no_route};
use actix_web::body::MessageBody;
use actix_web::dev::{Server as Running, ServiceRequest, ServiceResponse};
use actix_web::http::{KeepAlive, Method, StatusCode};
use actix_web::middleware::{Condition, ErrorHandlers, Next, from_fn};
use actix_web::web::{Data, PayloadConfig};
use actix_web::{App, HttpServer, web};
use std::io;
use std::net::TcpListener;
use std::time::Duration;
use telemetry::http::{Observe, ServerMetrics};

/// Blocking threads of one worker: argon2 and file work, no request waits for more than one.
const BLOCKING_THREADS: usize = 2;
/// A client that does not read its last bytes is let go after this.
const DISCONNECT: Duration = Duration::from_secs(2);

/// What the public listener needs beside its routes.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub server: Server,
    pub drain: Drain,
    pub metrics: ServerMetrics,
    pub edge: bool,
    pub shutdown: Duration,
}

/// Serves `routes` on `listener` until it is stopped.
pub(crate) fn serve(
    listener: TcpListener,
    routes: Configure,
    around: Surroundings,
) -> io::Result<Running> {
    let server = around.server.clone();
    let shutdown = around.shutdown.as_secs().max(1);
    let body_limit = Data::new(BodyLimit(server.body_limit_bytes));
    let timeout = Data::new(DefaultTimeout(Duration::from_millis(
        server.request_timeout_ms,
    )));
    let drain = Data::new(around.drain.clone());
    let factory = move || {
        let routes = routes.clone();
        App::new()
            .app_data(drain.clone())
            .app_data(body_limit.clone())
            .app_data(timeout.clone())
            .app_data(PayloadConfig::new(body_limit.0))
            // An app's own default, such as the gateway's, wins over this one.
            .default_service(web::to(no_route))
            .configure(|config| routes(config))
            .wrap(Condition::new(
                !around.edge,
                ErrorHandlers::new().handler(StatusCode::METHOD_NOT_ALLOWED, no_method),
            ))
            .wrap(Condition::new(!around.edge, from_fn(head_as_get)))
            .wrap(Condition::new(!around.edge, from_fn(deadline::enforce)))
            .wrap(from_fn(drain::mark))
            .wrap(Observe::new(around.metrics.clone()).trust_incoming(!around.edge))
    };
    let running = HttpServer::new(factory)
        .workers(server.workers.get())
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .max_connections(server.max_connections)
        .keep_alive(KeepAlive::Timeout(Duration::from_millis(
            server.keep_alive_ms,
        )))
        .client_request_timeout(Duration::from_millis(server.head_timeout_ms))
        .client_disconnect_timeout(DISCONNECT)
        .h1_allow_half_closed(false)
        .shutdown_timeout(shutdown)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(running)
}

/// What answers GET answers HEAD: the server below leaves the body out.
async fn head_as_get<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    next.call(request).await
}

//! The public listener: the service's routes inside the layers that every process has.
//!
//! From the outside in: the guard of the connection, observation (span, metrics), the drain mark,
//! faults on demand, the deadline, what faults delay, the routes.

use crate::config::Server;
use crate::deadline::{self, DefaultTimeout};
use crate::drain::{self, Drain};
use crate::faults::{self, Faults};
use crate::guard::{self, Counted, Guard};
use crate::input::BodyLimit;
use crate::runtimes::{Role, Runtimes};
use crate::spec::Configure;
use crate::unrouted::{no_method, no_route};
use actix_service::map_config;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server as Running, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Condition, ErrorHandlers, Next, from_fn};
use actix_web::web::{Data, PayloadConfig};
use actix_web::{App, web};
use std::io;
use std::net::TcpListener;
use std::time::Duration;
use telemetry::http::{Observe, ServerMetrics};

/// Blocking threads of one worker: argon2 and file work, no request waits for more than one.
const BLOCKING_THREADS: usize = 2;
/// What the public listener needs beside its routes.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub server: Server,
    pub drain: Drain,
    pub faults: Faults,
    pub metrics: ServerMetrics,
    pub connections: guard::metrics::Metrics,
    pub runtimes: Runtimes,
    /// Set where clients are strangers.
    pub edge: Option<Counted>,
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
    let faults = Data::new(around.faults.clone());
    let runtimes = around.runtimes;
    let edge = around.edge.is_some();
    let guard = Guard::new(&server, around.edge, around.connections);
    let application = move || {
        let routes = routes.clone();
        App::new()
            // Gone with its worker.
            .app_data(runtimes.join(Role::Public))
            .app_data(drain.clone())
            .app_data(faults.clone())
            .app_data(body_limit.clone())
            .app_data(timeout.clone())
            .app_data(PayloadConfig::new(body_limit.0))
            // An app's own default, such as the gateway's, wins over this one.
            .default_service(web::to(no_route))
            .configure(|config| routes(config))
            .wrap(Condition::new(
                !edge,
                ErrorHandlers::new().handler(StatusCode::METHOD_NOT_ALLOWED, no_method),
            ))
            .wrap(Condition::new(!edge, from_fn(head_as_get)))
            .wrap(Condition::new(!edge, from_fn(faults::delay)))
            .wrap(Condition::new(!edge, from_fn(deadline::enforce)))
            .wrap(Condition::new(!edge, from_fn(faults::strike)))
            .wrap(from_fn(drain::mark))
            .wrap(Observe::new(around.metrics.clone()).trust_incoming(!edge))
    };
    let builder = Running::build()
        .workers(server.workers.get())
        .worker_max_blocking_threads(BLOCKING_THREADS)
        .max_concurrent_connections(server.max_connections)
        .shutdown_timeout(shutdown)
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let serving = builder.listen("public", listener, move || {
        let application = map_config(application(), |()| AppConfig::default());
        guard.clone().around(application, stopping.clone())
    })?;
    Ok(serving.run())
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

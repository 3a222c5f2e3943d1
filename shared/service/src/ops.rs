//! The ops listener: `/livez`, `/readyz`, `/metrics`. It changes nothing.
//!
//! `/livez` is the process alone. `/readyz` is the latches, and never answers 429, which Consul
//! would read as a warning. `ask` is the same question from outside: registration proves itself with
//! it, and `--probe` is nothing else.

use crate::faults::{self, Faults, Kind};
use crate::latch::Readiness;
use crate::unrouted::no_route;
use actix_web::dev::Server as Running;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Data;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Serialize;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// An own socket answers within this or is not well.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
/// The status line is all that is read.
const STATUS_LINE: usize = 12;

#[derive(Serialize)]
struct Ready {
    ready: bool,
    missing: Vec<Arc<str>>,
}

/// Serves the three paths until stopped.
pub(crate) fn serve(
    listener: TcpListener,
    readiness: Readiness,
    registry: prometheus::Registry,
    faults: Faults,
) -> io::Result<Running> {
    let factory = move || {
        App::new()
            .app_data(Data::new(readiness.clone()))
            .app_data(Data::new(registry.clone()))
            .app_data(Data::new(faults.clone()))
            .route("/livez", web::get().to(livez))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
            .default_service(web::to(no_route))
    };
    Ok(HttpServer::new(factory)
        .workers(1)
        .worker_max_blocking_threads(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run())
}

async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "live": true }))
}

async fn readyz(readiness: Data<Readiness>, faults: Data<Faults>) -> HttpResponse {
    if let Some(ready) = faults.health() {
        faults.injected(Kind::Health);
        return lie(ready);
    }
    let missing = readiness.missing();
    if missing.is_empty() {
        return HttpResponse::Ok().json(Ready {
            ready: true,
            missing,
        });
    }
    HttpResponse::ServiceUnavailable().json(Ready {
        ready: false,
        missing,
    })
}

/// What a fault on demand wants `/readyz` to say.
fn lie(ready: bool) -> HttpResponse {
    let mut response = if ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    let missing = if ready {
        vec![]
    } else {
        vec!["fault on demand".into()]
    };
    response
        .insert_header((faults::FAULT, Kind::Health.as_str()))
        .json(Ready { ready, missing })
}

async fn metrics(registry: Data<prometheus::Registry>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, telemetry::metrics::CONTENT_TYPE))
        .body(telemetry::metrics::text(&registry))
}

/// Asks `/readyz` over the socket, blocking: whether the answer is 200.
///
/// # Errors
/// The socket refuses, or does not answer in time.
pub(crate) fn ask(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&reachable(address), PROBE_TIMEOUT)?;
    stream.set_read_timeout(Some(PROBE_TIMEOUT))?;
    stream.set_write_timeout(Some(PROBE_TIMEOUT))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut line = [0; STATUS_LINE];
    stream.read_exact(&mut line)?;
    Ok(&line == b"HTTP/1.1 200")
}

/// A wildcard listens everywhere, but is no address to connect to.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_process_is_ready_when_its_latches_are_and_says_what_is_missing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let readiness = Readiness::default();
        let store = readiness.latch("store");
        let server = serve(
            listener,
            readiness,
            prometheus::Registry::new(),
            Faults::off(),
        )
        .unwrap();
        actix_web::rt::spawn(server);
        let asked = || async move { web::block(move || ask(address)).await.unwrap().unwrap() };
        assert!(!asked().await);
        store.set();
        assert!(asked().await);
    }
}

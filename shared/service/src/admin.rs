//! The admin listener: everything that changes a running process.
//!
//! Loopback by default. A browser page of another origin cannot talk to it: a `Host` that is
//! neither an IP address nor a configured name is refused. Every change needs the token.

mod upstreams;

use crate::config::{Secret, Server};
use crate::faults::{self, Faults};
use crate::latch::Latch;
use crate::spec::Configure;
use crate::unrouted::no_route;
use crate::{Error, input};
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, Server as Running, ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HOST, HeaderValue, WWW_AUTHENTICATE};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::Data;
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, HttpServer, ResponseError, web};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::sync::Arc;
use telemetry::LogFilter;
use upstream::Pool;

/// What the admin listener guards and changes.
#[derive(Clone)]
pub(crate) struct Controls {
    pub token: Option<Secret>,
    pub hosts: Vec<String>,
    /// Cleared by an operator, the process reports itself unready.
    pub healthy: Latch,
    pub log: LogFilter,
    /// The services that this process calls.
    pub upstreams: BTreeMap<String, Arc<Pool>>,
}

/// Proof that the caller brought the admin token: an argument of every handler that changes state.
#[derive(Debug)]
pub struct Token(());

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Health {
    healthy: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    filter: String,
}

impl Controls {
    pub(crate) fn new(
        server: &Server,
        healthy: Latch,
        log: LogFilter,
        upstreams: BTreeMap<String, Arc<Pool>>,
    ) -> Self {
        Self {
            token: server.admin_token.clone(),
            hosts: server.admin_hosts.clone(),
            healthy,
            log,
            upstreams,
        }
    }
}

/// Serves the routes of every process and `more` until stopped.
pub(crate) fn serve(
    listener: TcpListener,
    controls: Controls,
    faults: Faults,
    more: Configure,
) -> io::Result<Running> {
    let factory = move || {
        let more = more.clone();
        App::new()
            .app_data(Data::new(controls.clone()))
            .app_data(Data::new(faults.clone()))
            .app_data(Data::new(controls.upstreams.clone()))
            .route("/health", web::put().to(set_health))
            .route("/log", web::get().to(log))
            .route("/log", web::put().to(set_log))
            .configure(faults::routes)
            .configure(upstreams::routes)
            .default_service(web::to(no_route))
            .configure(|config| more(config))
            .wrap(from_fn(own_host))
    };
    Ok(HttpServer::new(factory)
        .workers(1)
        .worker_max_blocking_threads(1)
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run())
}

async fn set_health(
    _: Token,
    controls: Data<Controls>,
    health: input::Json<Health>,
) -> Result<HttpResponse, Error> {
    let input::Json(Health { healthy }) = health;
    if healthy {
        controls.healthy.set()
    } else {
        controls.healthy.clear()
    }
    tracing::warn!(healthy, "health set by an operator");
    Ok(HttpResponse::Ok().json(serde_json::json!({ "healthy": healthy })))
}

async fn log(controls: Data<Controls>) -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "filter": controls.log.get() }))
}

async fn set_log(
    _: Token,
    controls: Data<Controls>,
    log: input::Json<Log>,
) -> Result<HttpResponse, Error> {
    let input::Json(Log { filter }) = log;
    controls
        .log
        .set(&filter)
        .map_err(|error| Error::invalid("filter", error.to_string()))?;
    tracing::warn!(filter, "log filter set by an operator");
    Ok(HttpResponse::Ok().json(serde_json::json!({ "filter": controls.log.get() })))
}

impl FromRequest for Token {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let controls = request.app_data::<Data<Controls>>();
        let expected = controls.and_then(|controls| controls.token.as_ref());
        ready(authorize(expected, bearer(request)).map(Self))
    }
}

fn authorize(expected: Option<&Secret>, given: Option<&str>) -> Result<(), Error> {
    let Some(expected) = expected else {
        return Err(Error::new(
            403,
            "admin_disabled",
            "server.admin_token is not set: nothing can be changed",
        ));
    };
    if given.is_some_and(|given| expected.matches(given)) {
        return Ok(());
    }
    let challenge = HeaderValue::from_static("Bearer realm=\"admin\"");
    Err(Error::new(
        401,
        "admin_token_required",
        "send Authorization: Bearer TOKEN",
    )
    .header(WWW_AUTHENTICATE, challenge))
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    request
        .headers()
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}

async fn own_host<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let controls = request.app_data::<Data<Controls>>().cloned();
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let known = controls.is_some_and(|controls| is_own(host, &controls.hosts));
    if !known {
        let error = Error::new(
            421,
            "foreign_host",
            "this listener does not answer to that name",
        );
        return Ok(request.into_response(error.error_response().map_into_right_body()));
    }
    Ok(next.call(request).await?.map_into_left_body())
}

/// IP addresses cannot be rebound by DNS; names have to be configured.
fn is_own(host: &str, names: &[String]) -> bool {
    let (name, rest) = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').unwrap_or_default(),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let ends = rest.is_empty() || rest.strip_prefix(':').is_some_and(digits);
    let known = match host.starts_with('[') {
        true => name.parse::<Ipv6Addr>().is_ok(),
        false => {
            let configured = names.iter().any(|known| known == name);
            name == "localhost" || name.parse::<Ipv4Addr>().is_ok() || configured
        }
    };
    ends && known
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_ours_is_refused() {
        let names = ["gateway.internal".to_owned()];
        for own in [
            "localhost:8082",
            "127.0.0.1",
            "[::1]:8082",
            "10.0.0.7:1",
            "gateway.internal:80",
            "[::1]",
            "localhost",
        ] {
            assert!(is_own(own, &names), "{own}");
        }
        for foreign in [
            "",
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "localhost:8082.evil.example",
            "localhost:evil.example:80",
            "localhost:",
            "localhost:+80",
            "127.0.0.1:80@evil.example",
            "[::1].evil.example",
            "[::1]:80.evil.example",
            "[::1",
            "[localhost]",
            "::1",
        ] {
            assert!(!is_own(foreign, &names), "{foreign}");
        }
    }

    #[test]
    fn without_a_token_nothing_can_be_changed() {
        let token = Secret::from("right".to_owned());
        assert_eq!(authorize(None, Some("right")).unwrap_err().status(), 403);
        assert_eq!(authorize(Some(&token), None).unwrap_err().status(), 401);
        assert_eq!(
            authorize(Some(&token), Some("wrong")).unwrap_err().status(),
            401
        );
        assert!(authorize(Some(&token), Some("right")).is_ok());
    }
}

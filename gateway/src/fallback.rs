//! What a read gets when its upstream cannot answer: the last good answer, then what the route names, in its order: another service, a fixed body. Else the failure itself.
//!
//! A fallback stands in for a read that failed on the way or on the upstream's side (refused, cut, late, 5xx); it never hides a client's own mistake or a limit.
//! The answer says what it is: `X-Gateway-Fallback: cache`, `service` or `static`.
//! The failure that it hides is in the request's log line; its trace has the failed attempts, and `lictor.fallback`.

pub mod config;
pub mod last_good;
pub mod service;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    http::{
        Method,
        header::{AGE, HeaderName, HeaderValue},
    },
};

use self::{config::Fallback, last_good::LastGood};
use crate::{
    error::{Error, Origin},
    exchange::Exchange,
    gateway::{Gateway, Worker},
    kept::key::Key,
    proxy::Asked,
    route::Route,
};

/// Which kind of fallback answered.
pub const X_GATEWAY_FALLBACK: HeaderName = HeaderName::from_static("x-gateway-fallback");

/// All fallbacks of the gateway, by name, and what it remembers.
pub struct Fallbacks {
    pub named: BTreeMap<Arc<str>, Fallback>,
    pub last_good: LastGood,
}

/// The answer, or what there is in its place when it failed and the request was a read.
pub async fn or(
    answer: Result<HttpResponse, Error>,
    worker: &Worker,
    asked: &Asked<'_>,
    exchange: &mut Exchange<'_>,
) -> Result<HttpResponse, Error> {
    let failed = match &answer {
        Ok(answer) => answer.status().is_server_error(),
        Err(error) => error.facts().origin != Origin::Client,
    };
    let read = matches!(*asked.request.method(), Method::GET | Method::HEAD);
    if !(failed && read && asked.route.has_fallback()) {
        return answer;
    }
    let code = answer.as_ref().err().map_or("status", Error::label);
    // Boxed: failures are rare, and another hop's state is kilobytes.
    let standing_in = Box::pin(stand_in(worker, asked, exchange)).await;
    match standing_in {
        Some((source, mut stand_in)) => {
            let headers = stand_in.headers_mut();
            headers.insert(X_GATEWAY_FALLBACK, HeaderValue::from_static(source));
            worker
                .gateway
                .metrics
                .fell_back(&asked.route.template, source);
            telemetry::span::annotate("lictor.fallback", source);
            exchange.stood_in = Some((source, code));
            Ok(stand_in)
        }
        None => answer,
    }
}

async fn stand_in(
    worker: &Worker,
    asked: &Asked<'_>,
    exchange: &mut Exchange<'_>,
) -> Option<(&'static str, HttpResponse)> {
    let gateway = &*worker.gateway;
    if let Some((key, max_age)) = asked.key.as_ref().zip(asked.route.last_good)
        && let Some(answer) = remembered(&gateway.fallbacks.last_good, key, max_age)
    {
        return Some(("cache", answer));
    }
    for name in &asked.route.fallbacks {
        match gateway.fallback(name) {
            Fallback::Fixed(fixed) => return Some(("static", fixed.to_response())),
            Fallback::Service(other) => {
                if let Some(answer) = service::ask(other, worker, asked, exchange).await {
                    return Some(("service", answer));
                }
            }
        }
    }
    None
}

fn remembered(last_good: &LastGood, key: &Key, max_age: Duration) -> Option<HttpResponse> {
    let (kept, age) = last_good.find(key, max_age, Instant::now())?;
    let mut answer = kept.to_response();
    answer.headers_mut().insert(AGE, HeaderValue::from(age));
    Some(answer)
}

impl Gateway {
    fn fallback(&self, name: &str) -> &Fallback {
        let named = self.fallbacks.named.get(name);
        named.expect("the configuration was checked: every route's fallbacks exist")
    }
}

impl Route {
    fn has_fallback(&self) -> bool {
        self.last_good.is_some() || !self.fallbacks.is_empty()
    }
}

//! The API as one OpenAPI document: what the services say of themselves, as far as routes let it be reached, and the gateway's own.
//!
//! The services are asked when somebody asks and what is known is older than [`FRESH`], all at once, by one request at a time: the others get what is known, or wait when nothing is.
//! A service that does not answer keeps the part that it last gave; one that never gave any is missing, and named in `x-lictor-missing`.
//! What the services say is asked in `openapi/parts.rs`; how that becomes one document is `openapi/join.rs`, what the gateway answers itself is `openapi/own.rs`.

pub mod join;
pub mod own;
mod parts;

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    http::header::{ContentType, HeaderValue},
    web::Bytes,
};
use tokio::time::timeout;
use upstream::Deadline;

use self::parts::Parts;
use crate::{aggregate::gaps::X_GATEWAY_COMPLETE, error::Error, gateway::Worker};

/// Documents change when services are deployed.
const FRESH: Duration = Duration::from_secs(60);
/// Who is missing may be back soon.
const FRESH_WITH_GAPS: Duration = Duration::from_secs(5);

/// The services' documents and what was made of them; shared by all workers.
#[derive(Default)]
pub struct Documents {
    /// Held by whoever asks the services.
    parts: tokio::sync::Mutex<Parts>,
    joined: Mutex<Option<Joined>>,
}

#[derive(Clone)]
struct Joined {
    body: Bytes,
    complete: bool,
    until: Instant,
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi",
    operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) async fn answer(worker: &Worker, deadline: Deadline) -> Result<HttpResponse, Error> {
    let documents = &worker.gateway.documents;
    let known = documents.known();
    match known {
        Some(fresh) if fresh.until > Instant::now() => Ok(fresh.answer()),
        Some(old) => match documents.parts.try_lock() {
            Ok(mut parts) => Ok(make(worker, &mut parts, deadline).await.answer()),
            Err(_) => Ok(old.answer()),
        },
        None => {
            let left = deadline.remaining(Instant::now()).unwrap_or_default();
            let parts = timeout(left, documents.parts.lock()).await;
            let late = |_| Error::Upstream(upstream::Error::deadline_exceeded("openapi"));
            let mut parts = parts.map_err(late)?;
            // Whoever had them before has made it.
            match documents.known() {
                Some(made) => Ok(made.answer()),
                None => Ok(make(worker, &mut parts, deadline).await.answer()),
            }
        }
    }
}

/// Asks the services, and joins what is known then.
async fn make(worker: &Worker, parts: &mut Parts, deadline: Deadline) -> Joined {
    let gateway = &worker.gateway;
    let complete = parts.renew(worker, deadline).await;
    let document = join::join(
        own::document(),
        &parts.known,
        &gateway.routes,
        &parts.missing,
    );
    let joined = Joined {
        body: document.to_string().into(),
        complete: parts.missing.is_empty(),
        until: Instant::now() + if complete { FRESH } else { FRESH_WITH_GAPS },
    };
    gateway.documents.learn(joined.clone());
    joined
}

impl Documents {
    fn known(&self) -> Option<Joined> {
        let joined = self.joined.lock();
        joined.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, joined: Joined) {
        let mut known = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(joined);
    }
}

impl Joined {
    fn answer(self) -> HttpResponse {
        let complete = HeaderValue::from_static(if self.complete { "true" } else { "false" });
        HttpResponse::Ok()
            .insert_header(ContentType::json())
            .insert_header((X_GATEWAY_COMPLETE, complete))
            .body(self.body)
    }
}

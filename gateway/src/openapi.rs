//! The API as one OpenAPI document: what the services say of themselves, as far as routes let it be reached, and the gateway's own.
//!
//! The services are asked when somebody asks and what is known is older than [`FRESH`], all at once, by one request at a time: the others get what is known, or wait when nothing is.
//! What is made then is for everybody: neither the haste of whoever asked first nor its leaving changes it.
//! A service that does not answer keeps the part that it last gave; one that never gave any is missing, and named in `x-lictor-missing`.
//! What the services say is asked in `openapi/parts.rs` and read in `openapi/document.rs`; how that becomes one document is `openapi/join.rs`, what the gateway answers itself is `openapi/own.rs`.

mod document;
mod join;
pub mod own;
mod parts;

use std::{
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    http::header::{ContentType, HeaderValue},
    rt,
    web::Bytes,
};
use telemetry::propagation::carried;
use tokio::{sync::OwnedMutexGuard, time::timeout};
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
    /// Held by whoever asks the services, which may outlive the request that began it.
    parts: Arc<tokio::sync::Mutex<Parts>>,
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
pub(crate) async fn answer(worker: &Rc<Worker>, deadline: Deadline) -> Result<HttpResponse, Error> {
    let documents = &worker.gateway.documents;
    if !documents.is_fresh() {
        let left = deadline.remaining(Instant::now()).unwrap_or_default();
        // Whether it came to its end or not, what is known then is the answer.
        let _ = timeout(left, renew(worker)).await;
    }
    let late = || Error::Upstream(upstream::Error::deadline_exceeded("openapi"));
    documents.known().map(Joined::answer).ok_or_else(late)
}

/// Has the document made, unless somebody else does and there is one meanwhile.
async fn renew(worker: &Rc<Worker>) {
    let documents = &worker.gateway.documents;
    let parts = documents.parts.clone();
    let parts = match documents.known() {
        Some(_) => parts.try_lock_owned().ok(),
        None => Some(parts.lock_owned().await),
    };
    // Whoever had them before may have made it.
    if let Some(parts) = parts.filter(|_| !documents.is_fresh()) {
        // In a task of its own: a client that leaves takes nothing from those who wait.
        let making = rt::spawn(carried(make(worker.clone(), parts)));
        let _ = making.await;
    }
}

/// Asks the services, and joins what is known then.
async fn make(worker: Rc<Worker>, mut parts: OwnedMutexGuard<Parts>) {
    let gateway = &worker.gateway;
    let complete = parts.renew(&worker).await;
    let document = join::join(
        own::document(),
        &parts.known,
        &gateway.routes,
        &parts.missing,
    );
    gateway.documents.learn(Joined {
        body: document.to_string().into(),
        complete: parts.missing.is_empty(),
        until: Instant::now() + if complete { FRESH } else { FRESH_WITH_GAPS },
    });
}

impl Documents {
    fn is_fresh(&self) -> bool {
        self.known()
            .is_some_and(|known| known.until > Instant::now())
    }

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

//! Whether the process is on its way out. Responses then carry `Connection: close` and
//! `X-Service-Draining: 1`, so that a gateway rests this endpoint without waiting for Consul.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells a gateway that the endpoint leaves.
pub const DRAINING: HeaderName = HeaderName::from_static("x-service-draining");

/// The drain flag of one process; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<AtomicBool>);

impl Drain {
    /// From now on every response says so.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether the process is leaving.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Marks responses while the process drains.
pub(crate) async fn mark<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let drain = request.app_data::<web::Data<Drain>>().cloned();
    let mut response = next.call(request).await?;
    if drain.is_some_and(|drain| drain.is_draining()) {
        response
            .headers_mut()
            .insert(DRAINING, HeaderValue::from_static("1"));
        response
            .response_mut()
            .head_mut()
            .set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

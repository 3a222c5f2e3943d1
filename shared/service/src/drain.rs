//! Whether the process is on its way out. Responses then carry `Connection: close` and
//! `X-Service-Draining: 1`, so that a gateway rests this endpoint without waiting for Consul.
//! How far it is can be read on the ops listener to the end; Prometheus forgets whom Consul forgets.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web;
use prometheus::{IntGauge, Registry};

/// Tells a gateway that the endpoint leaves.
pub const DRAINING: HeaderName = HeaderName::from_static("x-service-draining");

/// How far a process is on its way out; clones share it.
#[derive(Debug, Clone)]
pub struct Drain(IntGauge);

/// In the order in which a process goes through them; the number is the metric's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It serves.
    Serving = 0,
    /// It was told to end and tells Consul; it still serves.
    Leaving = 1,
    /// Consul was told; until everybody has heard it, it serves, and says so in every response.
    Draining = 2,
    /// The listener is closed; running requests end.
    Closing = 3,
}

impl Drain {
    /// Registers the gauge, once for the process, which serves.
    ///
    /// # Errors
    /// The name is registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let state = IntGauge::new(
            "lictor_drain_state",
            "How far the process is on its way out: 0 serving, 1 told to end, 2 deregistered and still serving, 3 its listener is closed.",
        )?;
        registry.register(Box::new(state.clone()))?;
        Ok(Self(state))
    }

    /// The next stage begins; from [`Stage::Draining`] on every response says so.
    pub fn enter(&self, stage: Stage) {
        self.0.set(stage as i64);
    }

    /// Whether responses say that the process leaves.
    pub fn is_draining(&self) -> bool {
        self.0.get() >= Stage::Draining as i64
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_among_the_metrics_and_clones_share_it() {
        let registry = Registry::new();
        let drain = Drain::register(&registry).unwrap();
        let text = || telemetry::metrics::text(&registry);
        assert!(text().contains("\nlictor_drain_state 0\n"), "{}", text());
        for (stage, marked) in [
            (Stage::Leaving, false),
            (Stage::Draining, true),
            (Stage::Closing, true),
        ] {
            drain.clone().enter(stage);
            assert_eq!(drain.is_draining(), marked, "{stage:?}");
            let shown = format!("\nlictor_drain_state {}\n", stage as i64);
            assert!(text().contains(&shown), "{}", text());
        }
    }
}

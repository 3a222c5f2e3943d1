//! What a service is given to build itself from: its store, the upstreams it named, its identity.

use crate::BadValue;
use crate::drain::Drain;
use crate::faults::Faults;
use crate::identity::Identity;
use crate::latch::Readiness;
use crate::spec::StartError;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use upstream::Pool;

/// Handed to a service's `build`, once, on the main thread.
#[derive(Clone)]
pub struct Context {
    pub(crate) store: Option<Store>,
    pub(crate) upstreams: BTreeMap<String, Arc<Pool>>,
    /// The healthy instances of the own service, as Consul tells: shared quotas and zone shares need it.
    pub own: consul::View,
    pub(crate) watch_metrics: consul::Metrics,
    /// The Consul agent; stays on the main thread.
    pub agent: consul::Agent,
    /// Who this instance is.
    pub identity: Identity,
    /// Where metrics are registered.
    pub registry: prometheus::Registry,
    /// The metrics of calls, for clients that a service makes itself.
    pub client_metrics: telemetry::http::ClientMetrics,
    /// Conditions of readiness.
    pub readiness: Readiness,
    /// What is broken on purpose.
    pub faults: Faults,
    /// Whether the process is leaving.
    pub drain: Drain,
}

impl Context {
    /// The service's database.
    ///
    /// # Errors
    /// The service was declared without migrations, so it has none.
    pub fn store(&self) -> Result<&Store, StartError> {
        self.store.as_ref().ok_or_else(|| {
            StartError::new("this service declares no migrations, so it has no store")
        })
    }

    /// A service to call; it must be named in `[upstreams.NAME]`.
    ///
    /// # Errors
    /// It is not named there.
    pub fn upstream(&self, name: &str) -> Result<Arc<Pool>, StartError> {
        let found = self.upstreams.get(name).cloned();
        found.ok_or_else(|| {
            BadValue::new(
                format!("upstreams.{name}"),
                "(missing)",
                "is needed by this service",
            )
            .into()
        })
    }

    /// Every service to call, by its Consul name.
    pub fn upstreams(&self) -> &BTreeMap<String, Arc<Pool>> {
        &self.upstreams
    }
}

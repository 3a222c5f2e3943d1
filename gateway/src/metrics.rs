//! What the gateway counts of its own doings. Calls, breakers and picks are counted by `upstream`, requests by `telemetry`.
//!
//! Every label has a closed set of values: names from configuration, codes from this crate.

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::error::Error;

/// The gateway's own metrics.
#[derive(Clone)]
pub struct Metrics {
    /// Requests by limit group and whether they were admitted.
    limit_decisions: IntCounterVec,
    /// Requests by what became of their credentials.
    auth_decisions: IntCounterVec,
    /// Requests that the gateway answered with a problem of its own, by code.
    refusals: IntCounterVec,
    /// Answers from a fallback, by route and source.
    fallbacks: IntCounterVec,
    /// Reads on routes that coalesce, by how they came to their answer.
    coalesced: IntCounterVec,
    /// What is remembered of good answers.
    pub last_good: LastGoodMetrics,
    /// Parts that an aggregate had to leave out.
    aggregate_missing: IntCounterVec,
    /// Requests turned away because the gateway was full, by priority.
    shed: IntCounterVec,
    /// Requests for the keys that sign tokens, by what became of them.
    keyset_refreshes: IntCounterVec,
    /// 1 while an operator has closed the route, else 0.
    maintenance: IntGaugeVec,
    /// Requests that hold a place in the gateway now.
    pub in_flight: IntGauge,
    /// Places that there are; low priority is turned away at 80 % of them, normal at 90 %.
    pub in_flight_limit: IntGauge,
    /// Healthy gateways that share the quotas; a request is charged as many cells.
    pub quota_gateways: IntGauge,
}

/// The two counters of one limit group.
#[derive(Clone)]
pub struct Decisions {
    pub admitted: IntCounter,
    pub refused: IntCounter,
}

/// The store of last good answers.
#[derive(Clone)]
pub struct LastGoodMetrics {
    /// Bytes that last good answers take now.
    pub bytes: IntGauge,
    /// Last good answers that are kept now.
    pub entries: IntGauge,
    /// Last good answers that made room for others.
    pub evictions: IntCounter,
}

/// How reads on routes that coalesce came to their answer.
pub struct Coalesced {
    pub led: IntCounter,
    pub shared: IntCounter,
    pub alone: IntCounter,
}

/// The counters of what becomes of credentials.
pub struct AuthDecisions {
    granted: IntCounter,
    anonymous: IntCounter,
    all: IntCounterVec,
}

impl AuthDecisions {
    /// Counts one decision: let in with a name, without one, or refused for the error's reason.
    pub fn count<T>(&self, decided: &Result<Option<T>, Error>) {
        match decided {
            Ok(Some(_)) => self.granted.inc(),
            Ok(None) => self.anonymous.inc(),
            Err(error) => self.all.with_label_values(&[error.label()]).inc(),
        }
    }
}

impl Metrics {
    /// Registers everything, once for the process.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let maintenance = IntGaugeVec::new(
            Opts::new(
                "lictor_route_maintenance",
                "1 while an operator has closed the route, else 0.",
            ),
            &["route"],
        )?;
        registry.register(Box::new(maintenance.clone()))?;
        Ok(Self {
            limit_decisions: counter(
                "lictor_rate_limit_decisions_total",
                "Requests by limit group and whether they were admitted.",
                &["group", "decision"],
            )?,
            auth_decisions: counter(
                "lictor_auth_decisions_total",
                "Requests by what became of their credentials.",
                &["decision"],
            )?,
            refusals: counter(
                "lictor_gateway_refusals_total",
                "Requests that the gateway answered with a problem of its own, by code.",
                &["code"],
            )?,
            fallbacks: counter(
                "lictor_fallbacks_total",
                "Answers from a fallback, by route and source.",
                &["route", "source"],
            )?,
            coalesced: counter(
                "lictor_coalesced_total",
                "Reads on routes that coalesce, by how they came to their answer.",
                &["result"],
            )?,
            last_good: LastGoodMetrics::register(registry)?,
            aggregate_missing: counter(
                "lictor_aggregate_missing_total",
                "Parts that an aggregate had to leave out.",
                &["aggregate", "part"],
            )?,
            shed: counter(
                "lictor_shed_total",
                "Requests turned away because the gateway was full, by priority.",
                &["priority"],
            )?,
            keyset_refreshes: counter(
                "lictor_keyset_refreshes_total",
                "Requests for the keys that sign tokens, by what became of them.",
                &["result"],
            )?,
            maintenance,
            in_flight: gauge(
                "lictor_gateway_in_flight",
                "Requests that hold a place in the gateway now.",
            )?,
            in_flight_limit: gauge(
                "lictor_gateway_in_flight_limit",
                "Places that there are; low priority is turned away at 80 % of them, normal at 90 %.",
            )?,
            quota_gateways: gauge(
                "lictor_rate_limit_gateways",
                "Healthy gateways that share the quotas; a request is charged as many cells.",
            )?,
        })
    }

    /// The counters of a limit group, resolved once: they are on every request's way.
    pub fn limit_decisions(&self, group: &str) -> Decisions {
        Decisions {
            admitted: self.limit_decisions.with_label_values(&[group, "admitted"]),
            refused: self.limit_decisions.with_label_values(&[group, "refused"]),
        }
    }

    /// The counters of what becomes of credentials, the frequent ones resolved once.
    pub fn auth_decisions(&self) -> AuthDecisions {
        AuthDecisions {
            granted: self.auth_decisions.with_label_values(&["granted"]),
            anonymous: self.auth_decisions.with_label_values(&["anonymous"]),
            all: self.auth_decisions.clone(),
        }
    }

    /// The gateway answered with this code.
    pub fn refused(&self, code: &'static str) {
        self.refusals.with_label_values(&[code]).inc();
    }

    /// A fallback answered.
    pub fn fell_back(&self, route: &str, source: &'static str) {
        self.fallbacks.with_label_values(&[route, source]).inc();
    }

    /// The counters of coalescing, resolved once.
    pub fn coalesced(&self) -> Coalesced {
        let result = |result| self.coalesced.with_label_values(&[result]);
        Coalesced {
            led: result("led"),
            shared: result("shared"),
            alone: result("alone"),
        }
    }

    /// An aggregate went out without one of its parts.
    pub fn missing(&self, aggregate: &'static str, part: &str) {
        self.aggregate_missing
            .with_label_values(&[aggregate, part])
            .inc();
    }

    /// The keys that sign tokens were asked for.
    pub fn keys_refreshed(&self, result: &'static str) {
        self.keyset_refreshes.with_label_values(&[result]).inc();
    }

    /// An operator closed or opened a route.
    pub fn maintenance(&self, route: &str, closed: bool) {
        self.maintenance
            .with_label_values(&[route])
            .set(i64::from(closed));
    }

    /// A request was turned away to keep the others well.
    pub fn shed(&self, priority: &'static str) {
        self.shed.with_label_values(&[priority]).inc();
    }
}

impl LastGoodMetrics {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let evictions = IntCounter::new(
            "lictor_last_good_evictions_total",
            "Last good answers that made room for others.",
        )?;
        registry.register(Box::new(evictions.clone()))?;
        Ok(Self {
            bytes: gauge(
                "lictor_last_good_bytes",
                "Bytes that last good answers take now.",
            )?,
            entries: gauge(
                "lictor_last_good_entries",
                "Last good answers that are kept now.",
            )?,
            evictions,
        })
    }
}

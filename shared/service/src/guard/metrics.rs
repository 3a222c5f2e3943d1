//! What the guard counts.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// Connections of clients, and why some were ended.
#[derive(Clone)]
pub(crate) struct Metrics {
    /// Connections that are open now.
    pub(super) open: IntGauge,
    /// A head was not whole in time.
    pub(super) head_timeout: IntCounter,
    /// Nothing of an answer was taken for too long.
    pub(super) write_stall: IntCounter,
    /// The parser could not read what came.
    pub(super) malformed: IntCounter,
    /// The address had enough connections.
    pub(super) address_limit: IntCounter,
}

impl Metrics {
    /// Registers both families, once for the process.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let open = IntGauge::new(
            "lictor_client_connections",
            "Connections of clients that are open now.",
        )?;
        let ended = IntCounterVec::new(
            Opts::new(
                "lictor_client_connections_ended_total",
                "Connections that were ended because of their client.",
            ),
            &["reason"],
        )?;
        registry.register(Box::new(open.clone()))?;
        registry.register(Box::new(ended.clone()))?;
        let reason = |word: &str| ended.with_label_values(&[word]);
        Ok(Self {
            open,
            head_timeout: reason("head_timeout"),
            write_stall: reason("write_stall"),
            malformed: reason("malformed"),
            address_limit: reason("address_limit"),
        })
    }
}

//! What every process's `/metrics` has in common: its text, its latency buckets, the build and the process itself.
//!
//! Metrics of a concern live with the concern, one struct each, on the registry that the process owns.
//! There is no global registry here: tests would share it.

use prometheus::{IntGaugeVec, Opts, Registry, TextEncoder};

use crate::Resource;

/// Latency buckets in seconds: those of the semantic conventions, and two below, because our answers are faster than
/// the convention's first bucket.
pub const LATENCY_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The content type of [`text`].
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Everything on `registry` in Prometheus' text format.
pub fn text(registry: &Registry) -> String {
    TextEncoder::new()
        .encode_to_string(&registry.gather())
        .unwrap_or_else(|error| {
            tracing::error!(%error, "metrics could not be encoded");
            String::new()
        })
}

/// Registers `lictor_build_info` and, where the platform has them, the `process_*` metrics.
pub(crate) fn register_process(
    resource: &Resource,
    registry: &Registry,
) -> Result<(), prometheus::Error> {
    let build = IntGaugeVec::new(
        Opts::new(
            "lictor_build_info",
            "Always 1; the labels say which build this process runs.",
        ),
        &["service", "version"],
    )?;
    build
        .with_label_values(&[&resource.service, &resource.version])
        .set(1);
    registry.register(Box::new(build))?;
    #[cfg(target_os = "linux")]
    registry.register(Box::new(
        prometheus::process_collector::ProcessCollector::for_self(),
    ))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_build_and_the_process() {
        let registry = Registry::new();
        let resource = Resource {
            service: "orders".into(),
            version: "1.2.3".into(),
            instance: "orders-1".into(),
            zone: "a".into(),
            environment: "test".into(),
        };
        register_process(&resource, &registry).unwrap();
        let text = text(&registry);
        assert!(
            text.contains(r#"lictor_build_info{service="orders",version="1.2.3"} 1"#),
            "{text}"
        );
        if cfg!(target_os = "linux") {
            assert!(text.contains("process_start_time_seconds"), "{text}");
        }
    }

    #[test]
    fn buckets_ascend() {
        assert!(LATENCY_BUCKETS.is_sorted());
    }
}

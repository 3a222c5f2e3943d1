//! Telemetry from its settings to its end: one start, one shutdown.
//!
//! Starting registers the process's own metrics, opens the span pipeline and makes this process's subscriber the
//! global one; each can be done once per process.
//! Nothing global is touched before everything that can fail has succeeded.
//! The exporting layer turns `tracing` spans into children of whatever span is current, and never decides a status:
//! that is the rule of [`crate::http`].

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracer;
use prometheus::Registry;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer,
    filter::{Targets, filter_fn},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    LogFilter, Resource, Settings, logs, metrics,
    traces::{self, Pipeline},
};

/// Inner spans below this level are not exported, whatever is logged.
const EXPORTED: LevelFilter = LevelFilter::INFO;

/// A process's telemetry while it runs.
#[derive(Debug)]
pub struct Telemetry {
    pipeline: Pipeline,
    filter: LogFilter,
}

/// Why telemetry did not start, or a filter was not changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log filter is not in `tracing`'s syntax.
    #[error("telemetry.log: `{filter}` is not a log filter: {reason}")]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The collector's address cannot be used.
    #[error("telemetry.otlp_endpoint: {0}")]
    Endpoint(#[from] opentelemetry_otlp::ExporterBuildError),
    /// A metric is registered already.
    #[error("telemetry metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The exporting thread could not be started.
    #[error("telemetry thread: {0}")]
    Thread(#[from] std::io::Error),
    /// Another subscriber is global already, or the subscriber is gone.
    #[error("telemetry subscriber: {0}")]
    Subscriber(String),
}

impl Telemetry {
    /// Starts logs, traces and the process's own metrics.
    ///
    /// # Errors
    /// When the filter or the endpoint is malformed, when `registry` has these metrics already, or when a subscriber
    /// is installed already.
    pub fn start(
        settings: &Settings,
        resource: &Resource,
        registry: &Registry,
    ) -> Result<Self, Error> {
        metrics::register_process(resource, registry)?;
        let (filter, reloadable) = LogFilter::new(&settings.log)?;
        let pipeline = Pipeline::start(settings, resource, registry)?;
        tracing_subscriber::registry()
            .with(logs::layer(settings.log_format).with_filter(reloadable))
            .with(exporting_layer(pipeline.tracer()))
            .try_init()
            .map_err(|error| Error::Subscriber(error.to_string()))?;
        traces::install(pipeline.tracer());
        Ok(Self { pipeline, filter })
    }

    /// The log filter, which can be changed while the process runs.
    pub fn log_filter(&self) -> LogFilter {
        self.filter.clone()
    }

    /// Exports what is queued and stops; `true` when all of it reached the collector in time.
    ///
    /// Blocks for `timeout` at most, so it must be called off the async runtime.
    pub fn shutdown(self, timeout: Duration) -> bool {
        self.pipeline.shutdown(timeout)
    }
}

/// Turns `tracing` spans into exported ones, without the attributes that cost time and tell nothing.
pub(crate) fn exporting_layer<S>(tracer: SdkTracer) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let targets = exported_targets();
    // Events are log lines, and carry the trace's ids there. Exported as well they would cost twice, and one of level
    // ERROR would fail its span: the layer's `with_error_events_to_status(false)` is about fields only.
    let spans_only =
        filter_fn(move |meta| meta.is_span() && targets.would_enable(meta.target(), meta.level()))
            .with_max_level_hint(EXPORTED);
    tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_error_events_to_status(false)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(spans_only)
}

/// Without the HTTP crates: the exporter speaks HTTP too, and telemetry about telemetry never ends.
fn exported_targets() -> Targets {
    let everything = Targets::new().with_default(EXPORTED);
    [
        "actix",
        "awc",
        "h2",
        "hyper",
        "hyper_util",
        "opentelemetry",
        "reqwest",
    ]
    .into_iter()
    .fold(everything, |targets, noisy| {
        targets.with_target(noisy, LevelFilter::OFF)
    })
}

//! The way of a span from its end to the collector: resource, sampler, bounded queue, OTLP over HTTP.
//!
//! Sampling follows the parent; a root is sampled by ratio.
//! Retrying a failed export is left out on purpose: the queue is the buffer, and what does not fit is counted.
//! Edge spans are made by [`crate::http`] on the tracer installed here; before it is they have ids and go
//! nowhere.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use prometheus::Registry;

use crate::{
    Error, Resource, Settings,
    processor::{self, Batches},
};

/// How long one export may take: a collector nearby answers in milliseconds, and while we wait the queue fills.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// The OTLP path for traces, appended to the configured base URL.
const TRACES_PATH: &str = "/v1/traces";

static INSTALLED: OnceLock<SdkTracer> = OnceLock::new();
static UNCONNECTED: OnceLock<SdkTracer> = OnceLock::new();

/// A tracer provider and the exporting thread behind it.
#[derive(Debug)]
pub struct Pipeline {
    provider: SdkTracerProvider,
}

impl Pipeline {
    /// Builds the pipeline and starts its thread, without making it global.
    ///
    /// # Errors
    /// When the endpoint is not a URL, the thread cannot start, or `registry` has the export metrics already.
    pub fn start(
        settings: &Settings,
        resource: &Resource,
        registry: &Registry,
    ) -> Result<Self, Error> {
        let metrics = processor::Metrics::register(registry)?;
        let mut provider = SdkTracerProvider::builder()
            .with_resource(attributes(resource))
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
                settings.sample_ratio.get(),
            ))));
        if let Some(base) = settings.endpoint() {
            let exporter = exporter(base)?;
            provider = provider.with_span_processor(Batches::spawn(
                exporter,
                &attributes(resource),
                metrics,
            )?);
        }
        Ok(Self {
            provider: provider.build(),
        })
    }

    /// A tracer whose spans this pipeline exports.
    pub fn tracer(&self) -> SdkTracer {
        self.provider.tracer("lictor")
    }

    /// Exports what is queued and stops; `true` when all of it reached the collector within `timeout`.
    ///
    /// Blocks: call it off the async runtime.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.provider.shutdown_with_timeout(timeout).is_ok()
    }
}

/// Makes `tracer` the one that edge and inner spans of this process are made with; the first one stays.
pub(crate) fn install(tracer: SdkTracer) {
    // A second pipeline in one process is a test's: it hands its tracer to `Observe` itself.
    let _ = INSTALLED.set(tracer);
}

/// The process's tracer.
pub(crate) fn tracer() -> &'static SdkTracer {
    INSTALLED.get().unwrap_or_else(|| {
        UNCONNECTED.get_or_init(|| SdkTracerProvider::builder().build().tracer("lictor"))
    })
}

/// The blocking HTTP client is the only one compiled in; it needs no runtime, and our thread has none.
fn exporter(base: &str) -> Result<SpanExporter, Error> {
    let endpoint = format!("{}{TRACES_PATH}", base.trim_end_matches('/'));
    Ok(SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(EXPORT_TIMEOUT)
        .with_retry_policy(RetryPolicy::disabled())
        .build()?)
}

fn attributes(resource: &Resource) -> opentelemetry_sdk::Resource {
    opentelemetry_sdk::Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", resource.service.clone()),
            KeyValue::new("service.namespace", "lictor"),
            KeyValue::new("service.version", resource.version.clone()),
            KeyValue::new("service.instance.id", resource.instance.clone()),
            KeyValue::new("deployment.environment.name", resource.environment.clone()),
            KeyValue::new("cloud.availability_zone", resource.zone.clone()),
        ])
        .build()
}

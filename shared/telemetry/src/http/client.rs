//! One attempt to reach one instance of an upstream: a client span, a measurement, and the headers to send.
//!
//! Retries are attempts of their own, siblings under the server span, told apart by their resend count.
//! The metric knows the logical upstream and whether it was local; which instance in which zone is for the span.
//! Dropping an attempt that is not finished means that nobody waited for it: `cancelled`, which fails no span unless the head was a refusal.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use opentelemetry::{
    Context, KeyValue,
    trace::{Span as _, SpanBuilder, SpanKind, Status, Tracer},
};
use opentelemetry_sdk::trace::Span;
use prometheus::{HistogramOpts, HistogramVec, Registry};

use super::names;
use crate::{metrics::LATENCY_BUCKETS, propagation, traces};

/// What upstreams answered, and how fast. One per process, shared by all workers.
#[derive(Clone, Debug)]
pub struct ClientMetrics {
    duration: HistogramVec,
}

/// Who an attempt is made to, and why.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The instance's Consul service id.
    pub instance: &'a str,
    /// The zone the instance runs in.
    pub zone: &'a str,
    /// Where the instance listens.
    pub address: SocketAddr,
    /// Why this instance was picked: `local`, `spill_load`, ...
    pub pick_reason: &'static str,
    /// The upstream's breaker at that moment: `closed`, `half_open`.
    pub breaker_state: &'static str,
    /// Whether the instance is in our own zone.
    pub local: bool,
}

/// One attempt, from before connecting to the last byte of the answer.
#[derive(Debug)]
pub struct Attempt {
    metrics: ClientMetrics,
    span: Span,
    upstream: Arc<str>,
    method: &'static str,
    locality: &'static str,
    started: Instant,
    status: Option<u16>,
    settled: bool,
}

impl Attempt {
    /// Begins an attempt under the current span; `resend` counts the attempts that went before.
    pub fn start(
        metrics: &ClientMetrics,
        upstream: &str,
        method: &str,
        peer: &Peer<'_>,
        resend: u32,
    ) -> Self {
        let known = names::method(method);
        let builder = SpanBuilder::from_name(names::span_method(known)).with_kind(SpanKind::Client);
        let mut span = Context::map_current(|cx| traces::tracer().build_with_context(builder, cx));
        if span.is_recording() {
            span.set_attributes([
                KeyValue::new("http.request.method", known),
                KeyValue::new("server.address", peer.address.ip().to_string()),
                KeyValue::new("server.port", i64::from(peer.address.port())),
                KeyValue::new("lictor.upstream", upstream.to_owned()),
                KeyValue::new("lictor.instance", peer.instance.to_owned()),
                KeyValue::new("lictor.zone", peer.zone.to_owned()),
                KeyValue::new("lictor.pick_reason", peer.pick_reason),
                KeyValue::new("lictor.attempt", i64::from(resend) + 1),
                KeyValue::new("lictor.breaker_state", peer.breaker_state),
            ]);
            if resend > 0 {
                span.set_attribute(KeyValue::new(
                    "http.request.resend_count",
                    i64::from(resend),
                ));
            }
            if known == names::OTHER {
                span.set_attribute(KeyValue::new(
                    "http.request.method_original",
                    names::capped(method),
                ));
            }
        }
        Self {
            metrics: metrics.clone(),
            span,
            upstream: upstream.into(),
            method: known,
            locality: if peer.local { "local" } else { "remote" },
            started: Instant::now(),
            status: None,
            settled: false,
        }
    }

    /// The headers that make the upstream's span a child of this attempt's.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        propagation::outgoing(self.span.span_context())
    }

    /// The head of the answer is here and its body still flows; the status is kept, whatever happens to the body.
    pub fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }

    /// Ends the attempt with the upstream's status, or with why there was none (or no whole body): one of a closed
    /// set such as `timeout`, `connection_refused`, `body_cut`.
    pub fn finish(mut self, result: Result<u16, &'static str>) {
        match result {
            Ok(status) => {
                self.status = Some(status);
                self.settle_as_answered("");
            }
            Err(error_type) => self.settle(error_type, true),
        }
    }

    /// By the status; `well` is what a good one has as its error.
    fn settle_as_answered(&mut self, well: &'static str) {
        match self.status {
            Some(bad) if bad >= 400 => self.settle(&names::status(Some(bad)), true),
            _ => self.settle(well, false),
        }
    }

    fn settle(&mut self, error: &str, failed: bool) {
        self.settled = true;
        self.metrics
            .duration
            .with_label_values(&[
                &*self.upstream,
                self.method,
                &names::status(self.status),
                error,
                self.locality,
            ])
            .observe(self.started.elapsed().as_secs_f64());
        if let Some(status) = self.status {
            self.span.set_attribute(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
        }
        if !error.is_empty() {
            self.span
                .set_attribute(KeyValue::new("error.type", error.to_owned()));
        }
        if failed {
            self.span.set_status(Status::error(""));
        }
        self.span.end();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.settled {
            self.settle_as_answered(names::CANCELLED);
        }
    }
}

impl ClientMetrics {
    /// Registers the client metrics; once per process.
    ///
    /// # Errors
    /// When `registry` has them already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "http_client_request_duration_seconds",
                "Seconds an attempt to reach an upstream took, to the last byte of its answer.",
            )
            .buckets(LATENCY_BUCKETS.to_vec()),
            &["upstream", "method", "status", "error_type", "locality"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        Ok(Self { duration })
    }
}

//! One request and its answer, from the first header to the last byte of the body.
//!
//! An exchange owns the server span, the place among the active requests and the clock; dropping it is its end, so
//! none is lost, whoever goes away first.
//! The verdict is given in one place: complete, cut by us, or left by the client (499, which is nobody's error here).

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    rc::Rc,
    time::Instant,
};

use actix_web::{HttpMessage, http::StatusCode};
use opentelemetry::{
    Context, KeyValue,
    trace::{Status, TraceContextExt},
};
use prometheus::{HistogramOpts, HistogramVec, IntGauge, Registry};

use super::names;
use crate::metrics::LATENCY_BUCKETS;

/// What this process answered, and how fast. One per process, shared by all workers.
#[derive(Clone, Debug)]
pub struct ServerMetrics {
    duration: HistogramVec,
    active: IntGauge,
}

/// Names the route of `request`, for handlers that no route of the application stands for.
///
/// Takes templates only (`/api/orders/{id}`): the name is a label. Without [`super::Observe`] it does nothing.
pub fn name_route(request: &impl HttpMessage, route: impl Into<Cow<'static, str>>) {
    if let Some(notes) = request.extensions().get::<Rc<Notes>>() {
        notes.route.replace(route.into());
    }
}

/// Names why the answer to `request` is a 5xx, with one of a closed set: `circuit_open`, `no_endpoint`, ...
///
/// Without it the error type is the status. On any other answer it says nothing.
pub fn name_error(request: &impl HttpMessage, error_type: &'static str) {
    if let Some(notes) = request.extensions().get::<Rc<Notes>>() {
        notes.error.set(Some(error_type));
    }
}

/// What the handler says about its request; shared with the exchange, which may have to end before the handler does.
#[derive(Debug)]
pub(super) struct Notes {
    route: RefCell<Cow<'static, str>>,
    error: Cell<Option<&'static str>>,
}

/// One request and its answer.
pub(super) struct Exchange {
    metrics: ServerMetrics,
    cx: Context,
    method: &'static str,
    notes: Rc<Notes>,
    started: Instant,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    /// No status yet.
    Awaited,
    /// The status is sent, the body is not at its end.
    Begun(StatusCode),
    /// The body ended as it should.
    Complete(StatusCode),
    /// The body failed on our side.
    Cut(StatusCode),
}

impl Exchange {
    /// Begins with the span in `cx`, and the route that the path matches, if any.
    pub(super) fn begin(
        metrics: ServerMetrics,
        cx: Context,
        method: &'static str,
        route: Option<String>,
    ) -> Self {
        metrics.active.inc();
        let route = route.map_or(Cow::Borrowed(names::UNMATCHED), Cow::Owned);
        let notes = Rc::new(Notes {
            route: RefCell::new(route),
            error: Cell::new(None),
        });
        Self {
            metrics,
            cx,
            method,
            notes,
            started: Instant::now(),
            answer: Answer::Awaited,
        }
    }

    pub(super) fn context(&self) -> &Context {
        &self.cx
    }

    pub(super) fn notes(&self) -> Rc<Notes> {
        Rc::clone(&self.notes)
    }

    /// The head of the answer is known.
    pub(super) fn answered(&mut self, status: StatusCode) {
        self.answer = Answer::Begun(status);
    }

    /// The body is at its proper end.
    pub(super) fn complete(&mut self) {
        if let Answer::Begun(status) = self.answer {
            self.answer = Answer::Complete(status);
        }
    }

    /// The body failed.
    pub(super) fn cut(&mut self) {
        if let Answer::Begun(status) = self.answer {
            self.answer = Answer::Cut(status);
        }
    }

    /// Status, error type, and whether it was our failure.
    fn verdict(&self) -> (u16, Cow<'static, str>, bool) {
        match self.answer {
            Answer::Awaited if std::thread::panicking() => (500, "panic".into(), true),
            Answer::Awaited => (499, names::CANCELLED.into(), false),
            Answer::Cut(status) => (status.as_u16(), "body_cut".into(), true),
            Answer::Begun(status) | Answer::Complete(status) if status.is_server_error() => {
                let status = status.as_u16();
                let error = self
                    .notes
                    .error
                    .get()
                    .map_or_else(|| status.to_string().into(), Cow::Borrowed);
                (status, error, true)
            }
            Answer::Begun(status) => (status.as_u16(), names::CANCELLED.into(), false),
            Answer::Complete(status) => (status.as_u16(), "".into(), false),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let (status, error, failed) = self.verdict();
        let route = self.notes.route.take();
        self.metrics
            .duration
            .with_label_values(&[self.method, &*route, &names::status(Some(status)), &*error])
            .observe(self.started.elapsed().as_secs_f64());
        self.metrics.active.dec();

        let span = self.cx.span();
        if span.is_recording() {
            let method = names::span_method(self.method);
            match route == names::UNMATCHED {
                true => span.update_name(method),
                false => span.update_name(format!("{method} {route}")),
            }
            span.set_attribute(KeyValue::new(
                "http.response.status_code",
                i64::from(status),
            ));
            if route != names::UNMATCHED {
                span.set_attribute(KeyValue::new("http.route", route));
            }
            if !error.is_empty() {
                span.set_attribute(KeyValue::new("error.type", error));
            }
            if failed {
                span.set_status(Status::error(""));
            }
        }
        span.end();
    }
}

impl ServerMetrics {
    /// Registers the server metrics; once per process, outside the server's factory.
    ///
    /// # Errors
    /// When `registry` has them already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let duration = HistogramVec::new(
            HistogramOpts::new(
                "http_server_request_duration_seconds",
                "Seconds from a request's head to the last byte of its answer's body.",
            )
            .buckets(LATENCY_BUCKETS.to_vec()),
            &["method", "route", "status", "error_type"],
        )?;
        let active = IntGauge::new(
            "http_server_active_requests",
            "Requests whose answer is not at its last byte yet.",
        )?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(active.clone()))?;
        Ok(Self { duration, active })
    }
}

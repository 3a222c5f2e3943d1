//! The middleware around a whole application: what comes in has a span, what goes out says which trace it was.
//!
//! The handler, and the stream it may answer with, run with the server span as the current context, so everything
//! they start is its child and everything they log carries its ids.
//! An incoming context from strangers becomes a link on a fresh root, and its sampled flag is ignored; from our own
//! gateway it is the parent.

use std::rc::Rc;

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready},
    http::{Version, header},
};
use futures_util::future::{LocalBoxFuture, Ready, ready};
use opentelemetry::{
    Context, KeyValue,
    trace::{FutureExt, Link, Span, SpanBuilder, SpanKind, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::SdkTracer;

use super::{Observed, ServerMetrics, exchange::Exchange, names};
use crate::{propagation, traces};

/// Observes every request of an application; wrap it last, so that it is outermost.
#[derive(Clone, Debug)]
pub struct Observe {
    metrics: ServerMetrics,
    trust_incoming: bool,
    tracer: Option<SdkTracer>,
}

impl Observe {
    /// Observes with `metrics`, believing no incoming trace context.
    pub fn new(metrics: ServerMetrics) -> Self {
        Self {
            metrics,
            trust_incoming: false,
            tracer: None,
        }
    }

    /// Whether an incoming `traceparent` is this request's parent (services) or a link only (the gateway).
    #[must_use]
    pub fn trust_incoming(mut self, trust: bool) -> Self {
        self.trust_incoming = trust;
        self
    }

    /// Makes spans with `tracer` instead of the process's own.
    #[must_use]
    pub fn with_tracer(mut self, tracer: SdkTracer) -> Self {
        self.tracer = Some(tracer);
        self
    }

    fn begin(&self, request: &ServiceRequest) -> Exchange {
        let method = names::method(request.method().as_str());
        let route = request.match_pattern();
        let mut builder =
            SpanBuilder::from_name(names::span_method(method)).with_kind(SpanKind::Server);
        let mut parent = Context::new();
        if let Some(remote) = propagation::incoming(request.headers()) {
            if self.trust_incoming {
                parent = parent.with_remote_span_context(remote);
            } else {
                builder = builder.with_links(vec![Link::with_context(remote)]);
            }
        }
        let tracer = self.tracer.as_ref().unwrap_or_else(|| traces::tracer());
        let mut span = tracer.build_with_context(builder, &parent);
        if span.is_recording() {
            span.set_attributes(attributes(request, method));
        }
        let exchange = Exchange::begin(
            self.metrics.clone(),
            Context::new().with_span(span),
            method,
            route,
        );
        request.extensions_mut().insert(exchange.notes());
        exchange
    }
}

/// What is known of a request at its start. The query is left out: people put tokens there.
fn attributes(request: &ServiceRequest, method: &'static str) -> Vec<KeyValue> {
    let version = match request.version() {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        _ => "1.1",
    };
    let mut attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new(
            "url.scheme",
            if request.app_config().secure() {
                "https"
            } else {
                "http"
            },
        ),
        KeyValue::new("url.path", names::capped(request.path())),
        KeyValue::new("network.protocol.version", version),
    ];
    if method == names::OTHER {
        attributes.push(KeyValue::new(
            "http.request.method_original",
            names::capped(request.method().as_str()),
        ));
    }
    if let Some(peer) = request.peer_addr() {
        attributes.push(KeyValue::new("network.peer.address", peer.ip().to_string()));
        attributes.push(KeyValue::new("network.peer.port", i64::from(peer.port())));
    }
    if let Some(agent) = request
        .headers()
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok())
    {
        attributes.push(KeyValue::new("user_agent.original", names::capped(agent)));
    }
    attributes
}

/// Tells the caller which trace its request was, whoever decided it.
fn name_trace<B>(response: &mut ServiceResponse<B>, cx: &Context) {
    let span = cx.span();
    // After shutdown spans have no ids any more.
    if span.span_context().is_valid()
        && let Ok(trace) = propagation::format(span.span_context()).try_into()
    {
        let name = header::HeaderName::from_static("traceresponse");
        response.headers_mut().insert(name, trace);
    }
}

impl<S, B> Transform<S, ServiceRequest> for Observe
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Observed>;
    type Error = Error;
    type Transform = Observing<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, Self::InitError>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(Observing {
            service,
            observe: Rc::new(self.clone()),
        }))
    }
}

/// [`Observe`] around one worker's application.
#[derive(Debug)]
pub struct Observing<S> {
    service: S,
    observe: Rc<Observe>,
}

impl<S, B> Service<ServiceRequest> for Observing<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::Future: 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<Observed>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let mut exchange = self.observe.begin(&request);
        let cx = exchange.context().clone();
        let answer = {
            let _current = cx.clone().attach();
            self.service.call(request)
        };
        Box::pin(async move {
            match answer.with_context(cx.clone()).await {
                Ok(mut response) => {
                    exchange.answered(response.status());
                    name_trace(&mut response, &cx);
                    Ok(response.map_body(|_, body| Observed::new(body.boxed(), exchange)))
                }
                Err(error) => {
                    // The server makes the answer of it; its body is ours no more.
                    exchange.answered(error.as_response_error().status_code());
                    exchange.complete();
                    Err(error)
                }
            }
        })
    }
}

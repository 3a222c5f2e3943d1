//! An application with every way to answer, watched in memory.

use std::{
    convert::Infallible,
    future::pending,
    io,
    sync::{Arc, Mutex},
};

use actix_web::{
    App, Error, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    test::{self, TestRequest},
    web,
};
use futures_util::{StreamExt, stream};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use prometheus::Registry;
use telemetry::{
    http::{Observe, ServerMetrics, name_route},
    metrics::text,
};

async fn panicking() -> HttpResponse {
    panic!("on purpose")
}

pub struct Watched {
    pub registry: Registry,
    pub exporter: InMemorySpanExporter,
    observe: Observe,
}

impl Watched {
    pub fn new() -> Self {
        let registry = Registry::new();
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(exporter.clone())
            .build();
        let observe = Observe::new(ServerMetrics::register(&registry).unwrap())
            .with_tracer(provider.tracer("test"));
        Self {
            registry,
            exporter,
            observe,
        }
    }

    pub async fn app(
        &self,
    ) -> impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = Error>
    {
        let app = App::new()
            .route("/whole", web::get().to(|| async { "whole" }))
            .route("/panic", web::get().to(panicking))
            .route("/empty", web::get().to(HttpResponse::NoContent))
            .route("/never", web::get().to(pending::<HttpResponse>))
            .route(
                "/stream",
                web::get().to(|| async {
                    let chunk = Ok::<_, Infallible>(web::Bytes::from_static(b"chunk"));
                    HttpResponse::Ok().streaming(stream::iter([chunk.clone(), chunk]))
                }),
            )
            .route(
                "/cut",
                web::get().to(|| async {
                    let failure =
                        stream::iter([Err::<web::Bytes, _>(io::Error::other("upstream gone"))]);
                    HttpResponse::Ok().streaming(failure)
                }),
            )
            .route(
                "/endless",
                web::get().to(|| async {
                    let chunk = Ok::<_, Infallible>(web::Bytes::from_static(b"chunk"));
                    HttpResponse::Ok().streaming(stream::iter([chunk]).chain(stream::pending()))
                }),
            )
            .route(
                "/refused",
                web::get().to(|| async {
                    Err::<HttpResponse, _>(actix_web::error::ErrorBadGateway("no"))
                }),
            )
            .route(
                "/log",
                web::get().to(|| async {
                    tracing::info!("from the handler");
                    "logged"
                }),
            )
            .default_service(web::to(|request: HttpRequest| async move {
                if request.path().starts_with("/api/") {
                    name_route(&request, "/api/{rest}");
                }
                HttpResponse::NotFound().finish()
            }))
            .wrap(self.observe.clone());
        test::init_service(app).await
    }

    pub fn counted(&self, labels: &str) -> bool {
        text(&self.registry).contains(&format!(
            "http_server_request_duration_seconds_count{{{labels}}} 1"
        ))
    }

    pub fn active(&self) -> bool {
        text(&self.registry).contains("http_server_active_requests 1")
    }

    pub fn span(&self) -> SpanData {
        let mut spans = self.exporter.get_finished_spans().unwrap();
        assert_eq!(spans.len(), 1, "{spans:#?}");
        spans.remove(0)
    }
}

pub fn get(path: &str) -> actix_http::Request {
    TestRequest::get().uri(path).to_request()
}

pub fn labels(error_type: &str, route: &str, status: u16) -> String {
    format!(r#"error_type="{error_type}",method="GET",route="{route}",status="{status}""#)
}

pub fn said(span: &SpanData, key: &str) -> Option<String> {
    span.attributes
        .iter()
        .find(|one| one.key.as_str() == key)
        .map(|one| one.value.to_string())
}

/// What was logged.
#[derive(Clone, Default)]
pub struct Lines(pub Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! The OTLP receiver: `POST /v1/traces`, protobuf, not compressed.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tokio::net::TcpListener;

use super::store::Store;
use crate::error::Error;

/// A batch of 512 spans is below 1 MB.
const LARGEST: usize = 16 * 1024 * 1024;

type Shared = Arc<Mutex<Store>>;

/// Listens until the runtime ends.
pub async fn start(address: SocketAddr, store: Shared) -> Result<SocketAddr, Error> {
    let doing = || format!("listening for traces on {address}");
    let listener = TcpListener::bind(address)
        .await
        .map_err(Error::io(doing()))?;
    let address = listener.local_addr().map_err(Error::io(doing()))?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let store = store.clone();
            let service = service_fn(move |request| answer(request, store.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

async fn answer(
    request: Request<Incoming>,
    store: Shared,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (status, body) = match receive(request).await {
        Ok(batch) => {
            store
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .add(batch);
            (
                StatusCode::OK,
                ExportTraceServiceResponse::default().encode_to_vec(),
            )
        }
        Err(status) => (status, Vec::new()),
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-protobuf"),
    );
    Ok(response)
}

async fn receive(request: Request<Incoming>) -> Result<ExportTraceServiceRequest, StatusCode> {
    if request.method() != Method::POST || request.uri().path() != "/v1/traces" {
        return Err(StatusCode::NOT_FOUND);
    }
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let body = Limited::new(request.into_body(), LARGEST)
        .collect()
        .await
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    ExportTraceServiceRequest::decode(body.to_bytes()).map_err(|_| StatusCode::BAD_REQUEST)
}

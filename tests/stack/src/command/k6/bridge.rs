//! What a script asks of the runner: one POST for a command of `stack::control`, passed on to the run, its answer as JSON.
//!
//! On loopback, under a path that nobody can guess, as long as the scenario runs.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use stack::Error;
use stack::control::{self, Command};
use stack::record::Record;
use tokio::net::TcpListener;

/// A command is a line.
const LARGEST: usize = 4096;

/// Listens until the program ends; where.
pub async fn start(record: Record) -> Result<String, Error> {
    let doing = "listening for a script's commands";
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(Error::io(doing))?;
    let address = listener.local_addr().map_err(Error::io(doing))?;
    let path = format!("/{:032x}", rand::random::<u128>());
    let url = format!("http://{address}{path}");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (record, path) = (record.clone(), path.clone());
            let service = service_fn(move |request| answer(request, record.clone(), path.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(url)
}

async fn answer(
    request: Request<Incoming>,
    record: Record,
    path: String,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::POST || request.uri().path() != path {
        return Ok(said(StatusCode::NOT_FOUND, "nothing here"));
    }
    let body = Limited::new(request.into_body(), LARGEST).collect().await;
    let command = body.map_err(|error| error.to_string()).and_then(|body| {
        serde_json::from_slice::<Command>(&body.to_bytes()).map_err(|error| error.to_string())
    });
    Ok(match command {
        Err(why) => said(StatusCode::BAD_REQUEST, &format!("not a command ({why})")),
        Ok(command) => match control::ask(&record, &command).await {
            Ok(answer) => {
                let text = serde_json::to_string(&answer).expect("an answer is plain data");
                said(StatusCode::OK, &text)
            }
            Err(error) => said(StatusCode::CONFLICT, &error.to_string()),
        },
    })
}

fn said(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text.to_owned()));
    *response.status_mut() = status;
    response
}

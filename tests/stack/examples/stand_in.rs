//! A stand-in for the gateway and every service, for the runner's own tests: it starts in milliseconds and needs no build of the real ones.
//!
//! It takes the same environment, registers with Consul with a check on its `/readyz`, deregisters on SIGTERM, and answers the shop's lists with one entry each.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stack::Client;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    let name = std::env::current_exe()
        .ok()
        .zip(std::env::args().next())
        .map(|(_, called)| called)
        .expect("a program has a name");
    let name = name
        .rsplit('/')
        .next()
        .expect("a path has an end")
        .to_owned();
    let (public, ops, zone) = (
        setting("SERVER__PUBLIC"),
        setting("SERVER__OPS"),
        setting("IDENTITY__ZONE"),
    );
    if std::env::var("LICTOR_STAND_IN__REFUSE").is_ok_and(|refused| refused == name) {
        panic!("told not to start");
    }
    for address in [&public, &ops] {
        let listener = TcpListener::bind(address.as_str())
            .await
            .expect("the port was free a moment ago");
        tokio::spawn(serve(listener, zone.clone()));
    }
    let consul = Client::new(
        setting("CONSUL__ADDRESS")
            .trim_start_matches("http://")
            .parse()
            .expect("an address"),
    );
    let id = format!("{name}-{public}-{:08x}", std::process::id());
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be listened for");
    loop {
        let known = consul
            .get(&format!("/v1/agent/service/{id}"))
            .await
            .is_ok_and(|answer| answer.status == 200);
        if !known {
            let _ = consul
                .put(
                    "/v1/agent/service/register",
                    &registration(&name, &id, &public, &ops),
                )
                .await;
        }
        tokio::select! {
            _ = terminate.recv() => break,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    let _ = consul
        .put(&format!("/v1/agent/service/deregister/{id}"), &Value::Null)
        .await;
}

fn setting(key: &str) -> String {
    std::env::var(format!("LICTOR_{key}")).expect("the runner sets it")
}

fn registration(name: &str, id: &str, public: &str, ops: &str) -> Value {
    let (host, port) = public.split_once(':').expect("host:port");
    let port: u16 = port.parse().expect("a port");
    json!({
        "Name": name, "ID": id, "Address": host, "Port": port,
        "Check": { "HTTP": format!("http://{ops}/readyz"), "Interval": "1s", "Status": "passing" },
    })
}

async fn serve(listener: TcpListener, zone: String) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let zone = zone.clone();
        let service = service_fn(move |request| answer(request, zone.clone()));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(
    request: Request<Incoming>,
    zone: String,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = match (request.method(), request.uri().path()) {
        (&Method::POST, "/api/orders") => json!({ "id": "o1" }),
        (_, "/api/users") => json!({ "total": 1, "items": [{ "id": "u1" }] }),
        (_, "/api/orders") => json!({ "total": 0, "items": [] }),
        (_, "/api/inventory/items") => json!({ "total": 1, "items": [{ "sku": "mug" }] }),
        _ => json!({}),
    };
    Ok(Response::builder()
        .header("x-lictor-zone", zone)
        .body(Full::from(body.to_string()))
        .expect("a constant response"))
}

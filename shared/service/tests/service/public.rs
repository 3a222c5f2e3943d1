//! The public listener with all its layers, over a real socket.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use service::testing::{Running, serve};
use service::{App, Error, input};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    name: String,
}

async fn shop() -> Running {
    serve(App::public(|config| {
        config
            .service(web::resource("/greet").route(web::post().to(greet)))
            .service(web::resource("/slow").route(web::get().to(slow)))
            .service(web::resource("/items/{number}").route(web::get().to(item)));
    }))
    .await
}

async fn greet(greeting: input::Json<Greeting>) -> Result<HttpResponse, Error> {
    Ok(HttpResponse::Ok().body(format!("hello {}", greeting.0.name)))
}

async fn slow(_: input::Deadline) -> HttpResponse {
    std::future::pending().await
}

async fn item(number: input::Path<u32>) -> HttpResponse {
    HttpResponse::Ok().body(number.0.to_string())
}

/// Status and body of one request on a connection of its own.
async fn ask(running: &Running, request: &str) -> (u16, String) {
    let address = running.address;
    let request = request.to_owned();
    let answer = web::block(move || {
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    })
    .await
    .unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (
        head.split(' ').nth(1).unwrap().parse().unwrap(),
        body.to_owned(),
    )
}

fn get(path: &str, header: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n{header}\r\n")
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

#[actix_web::test]
async fn a_good_request_is_served_through_every_layer() {
    let shop = shop().await;
    assert_eq!(
        ask(&shop, &get("/items/7", "")).await,
        (200, "7".to_owned())
    );
    assert_eq!(
        ask(&shop, &post("/greet", "{\"name\":\"Ada\"}")).await,
        (200, "hello Ada".to_owned())
    );
}

#[actix_web::test]
async fn what_answers_get_answers_head_without_a_body() {
    let shop = shop().await;
    let head = get("/items/7", "").replace("GET ", "HEAD ");
    assert_eq!(ask(&shop, &head).await, (200, String::new()));
}

#[actix_web::test]
async fn each_refusal_is_a_problem_with_its_code() {
    let shop = shop().await;
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    for (request, status, code) in [
        (get("/nowhere", ""), 404, "no_route"),
        (get("/greet", ""), 405, "method_not_allowed"),
        (get("/items/seven", ""), 400, "invalid_field"),
        (post("/greet", "{"), 400, "invalid_json"),
        (post("/greet", &large), 413, "body_too_large"),
        (
            post("/greet", "{}").replace("application/json", "text/plain"),
            415,
            "unsupported_media_type",
        ),
        (
            get("/items/7", "X-Request-Timeout-Ms: soon\r\n"),
            400,
            "invalid_field",
        ),
        (
            get("/items/7", "X-Request-Timeout-Ms: 0\r\n"),
            504,
            "deadline_exceeded",
        ),
    ] {
        let (answered, body) = ask(&shop, &request).await;
        let problem: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (answered, problem["code"].as_str().unwrap()),
            (status, code),
            "{body}"
        );
    }
}

#[actix_web::test]
async fn work_stops_when_its_time_is_up() {
    let shop = shop().await;
    let started = Instant::now();
    let (status, body) = ask(&shop, &get("/slow", "X-Request-Timeout-Ms: 100\r\n")).await;
    assert_eq!(status, 504);
    assert!(body.contains("deadline_exceeded"), "{body}");
    assert!(started.elapsed() >= Duration::from_millis(100));
}

//! The streaming hop against an upstream that says exactly what a test wrote down, byte for byte.

use actix_web::rt;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request};
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use upstream::stream::{Connections, FailureKind, RequestBody, StreamConfig};

/// One connection's script: after each request head, these bytes; then the connection is closed.
struct Script(Vec<&'static str>);

/// Serves one script per connection, and tells each request head that it saw with the connection's number.
async fn scripted(scripts: Vec<Script>) -> (SocketAddr, mpsc::UnboundedReceiver<(usize, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = mpsc::unbounded_channel();
    rt::spawn(async move {
        for (number, Script(answers)) in scripts.into_iter().enumerate() {
            let (mut socket, _) = listener.accept().await.unwrap();
            let heard = heard.clone();
            rt::spawn(async move {
                for answer in answers {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        match socket.read_u8().await {
                            Ok(byte) => head.push(byte),
                            Err(_) => return,
                        }
                    }
                    heard.send((number, String::from_utf8(head).unwrap())).ok();
                    socket.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (address, hears)
}

fn get(path: &str) -> Request<RequestBody> {
    Request::builder()
        .method(Method::GET)
        .uri(path)
        .header("host", "shop")
        .body(RequestBody::Empty)
        .unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

async fn text(mut body: upstream::stream::ResponseBody) -> Result<String, upstream::stream::Cut> {
    let mut whole = Vec::new();
    while let Some(chunk) = body.next().await {
        whole.extend_from_slice(&chunk?);
    }
    Ok(String::from_utf8(whole).unwrap())
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

#[actix_web::test]
async fn a_connection_is_used_again_after_a_clean_end() {
    let (address, mut hears) = scripted(vec![Script(vec![OK, OK])]).await;
    let connections = Connections::new(StreamConfig::default());
    for path in ["/one", "/two"] {
        let answer = connections.send(address, get(path), soon()).await.unwrap();
        assert_eq!(answer.body().length(), Some(2));
        assert_eq!(text(answer.into_body()).await.unwrap(), "hi");
        let (connection, head) = hears.recv().await.unwrap();
        assert_eq!(connection, 0);
        assert!(
            head.starts_with(&format!("GET {path} HTTP/1.1\r\nhost: shop\r\n")),
            "{head}"
        );
    }
}

#[actix_web::test]
async fn an_idle_connection_that_was_closed_is_replaced_without_an_error() {
    let (address, mut hears) = scripted(vec![Script(vec![OK]), Script(vec![OK])]).await;
    let connections = Connections::new(StreamConfig::default());
    for expected in [0, 1] {
        let answer = connections.send(address, get("/"), soon()).await.unwrap();
        text(answer.into_body()).await.unwrap();
        assert_eq!(hears.recv().await.unwrap().0, expected);
    }
}

#[actix_web::test]
async fn a_refused_connection_says_that_nothing_was_written() {
    let holder = StdListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    drop(holder);
    let connections = Connections::new(StreamConfig::default());
    let failure = connections
        .send(address, get("/"), soon())
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind, failure.written),
        (FailureKind::ConnectRefused, false)
    );
}

#[actix_web::test]
async fn silence_is_a_timeout_at_the_moment_asked_for() {
    let (address, _hears) = scripted(vec![Script(vec!["", OK])]).await;
    let connections = Connections::new(StreamConfig::default());
    let started = Instant::now();
    let until = started + Duration::from_millis(200);
    let failure = connections
        .send(address, get("/"), until)
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind, failure.written),
        (FailureKind::Timeout, true)
    );
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[actix_web::test]
async fn a_cut_body_is_an_error_and_never_an_end() {
    for cut in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhi",
    ] {
        let (address, _hears) = scripted(vec![Script(vec![cut])]).await;
        let connections = Connections::new(StreamConfig::default());
        let answer = connections.send(address, get("/"), soon()).await.unwrap();
        assert!(text(answer.into_body()).await.is_err(), "{cut:?}");
    }
}

#[actix_web::test]
async fn an_interim_answer_is_never_taken_for_the_answer() {
    let answer = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
    let (address, _hears) = scripted(vec![Script(vec![answer, OK])]).await;
    let connections = Connections::new(StreamConfig::default());
    for _ in 0..2 {
        let answer = connections.send(address, get("/"), soon()).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(text(answer.into_body()).await.unwrap(), "hi");
    }
}

#[actix_web::test]
async fn an_answer_that_can_be_read_two_ways_is_refused() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, identity\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    ] {
        let (address, _hears) = scripted(vec![Script(vec![answer])]).await;
        let connections = Connections::new(StreamConfig::default());
        let failure = connections
            .send(address, get("/"), soon())
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadAnswer, "{answer:?}");
    }
}

#[actix_web::test]
async fn answers_without_a_body_do_not_wait_for_one() {
    let none = "HTTP/1.1 204 No Content\r\ncontent-length: 7\r\n\r\n";
    let (address, _hears) = scripted(vec![Script(vec![none, OK])]).await;
    let connections = Connections::new(StreamConfig::default());
    let answer = connections.send(address, get("/"), soon()).await.unwrap();
    assert_eq!(text(answer.into_body()).await.unwrap(), "");
    let answer = connections.send(address, get("/"), soon()).await.unwrap();
    assert_eq!(text(answer.into_body()).await.unwrap(), "hi");
}

#[actix_web::test]
async fn a_body_left_unread_closes_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Connections::new(StreamConfig::default());
    let (answer, socket) = tokio::join!(connections.send(address, get("/"), soon()), async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        assert!(socket.read(&mut head).await.unwrap() > 0);
        socket
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhi")
            .await
            .unwrap();
        socket
    });
    drop(answer.unwrap());
    let mut socket = socket;
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(1), socket.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the upstream call outlived its caller");
}

#[actix_web::test]
async fn a_known_length_stays_known_and_an_unknown_one_is_chunked() {
    for (length, framing) in [
        (Some(5), "content-length: 5"),
        (None, "transfer-encoding: chunked"),
    ] {
        let (address, mut hears) = scripted(vec![Script(vec![OK])]).await;
        let connections = Connections::new(StreamConfig::default());
        let chunks = futures_util::stream::iter([Ok(Bytes::from("he")), Ok(Bytes::from("llo"))])
            .boxed_local();
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("host", "shop")
            .body(RequestBody::stream(length, chunks))
            .unwrap();
        let answer = connections.send(address, request, soon()).await.unwrap();
        text(answer.into_body()).await.unwrap();
        let (_, head) = hears.recv().await.unwrap();
        assert!(head.to_lowercase().contains(framing), "{head}");
    }
}

#[actix_web::test]
async fn a_client_whose_body_breaks_off_is_not_the_upstreams_fault() {
    let (address, _hears) = scripted(vec![Script(vec!["", OK])]).await;
    let connections = Connections::new(StreamConfig::default());
    let parts = [
        Ok(Bytes::from("he")),
        Err(std::io::Error::other("the client left")),
    ];
    let request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header("host", "shop")
        .body(RequestBody::stream(
            Some(5),
            futures_util::stream::iter(parts).boxed_local(),
        ))
        .unwrap();
    let failure = connections
        .send(address, request, soon())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::RequestBody);
}

//! A gigabyte each way with one side stalled: the gateway holds a few buffers, never the body.
//!
//! The far end is a service that is not ours: it is registered through the admin listener, as any
//! other program would be, and speaks raw HTTP.

use crate::system::System;
use serde_json::json;
use stack::{Client, wait};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

const GIGABYTE: u64 = 1 << 30;
/// Long enough for every buffer on the way to fill up.
const STALL: Duration = Duration::from_secs(4);
/// What a stream may cost beyond the idle gateway.
const MOST_MORE_KIB: u64 = 32 * 1024;

const ROUTE: &str = r#"
[upstreams.warehouse]

[routes.warehouse]
path = "/api/warehouse"
methods = ["GET", "POST"]
upstream = "warehouse"
strip = "/api"
access = "public"
limit = "browse"
timeout_ms = 300000
body_limit_bytes = 1073741824
"#;

#[tokio::test]
async fn a_gigabyte_flows_both_ways_in_bounded_memory_with_either_side_stalled() {
    let system = System::start("streams").await;
    let warehouse = warehouse().await;
    system.kill("gateway-1").await.unwrap();
    let mut overlay = std::fs::read_to_string(system.place().overlay()).unwrap();
    overlay.push_str(ROUTE);
    std::fs::write(system.place().overlay(), overlay).unwrap();
    register(&system, warehouse).await;
    let idle = resident(&system);

    let peak = Peak::watch(&system);
    let (got, took) = download(&system).await;
    let down = peak.end().await;
    println!("down: {got} bytes in {took:.1} s, gateway {idle} KiB idle, {down} KiB at most");
    assert_eq!(got, GIGABYTE);

    let peak = Peak::watch(&system);
    let (sent, took) = upload(&system).await;
    let up = peak.end().await;
    println!("up:   {sent} bytes in {took:.1} s, gateway {idle} KiB idle, {up} KiB at most");
    assert_eq!(sent, GIGABYTE);

    for most in [down, up] {
        assert!(most <= idle + MOST_MORE_KIB, "{most} KiB, {idle} KiB idle");
    }
    system.stop().await;
}

/// Tells Consul of the far end and waits until the gateway sends requests there.
async fn register(system: &System, warehouse: SocketAddr) {
    let restarting = system.restart("gateway-1");
    let admin = Client::new(system.gateway().addresses.admin);
    let told = async {
        let token = format!("Bearer {}", system.keys().admin_token);
        let body = json!({ "name": "warehouse", "url": format!("http://{warehouse}") });
        wait::until("the registration", Duration::from_secs(20), || async {
            let headers = [("authorization", token.as_str())];
            let limit = Duration::from_secs(2);
            let answer = admin
                .call(
                    hyper::Method::POST,
                    "/services",
                    Some(&body),
                    &headers,
                    limit,
                )
                .await;
            match answer {
                Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
                Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
                Err(failure) => Err(failure.to_string()),
            }
        })
        .await
    };
    // The gateway is ready when it has seen every upstream, this one too.
    let (told, restarted) = tokio::join!(told, restarting);
    told.unwrap();
    restarted.unwrap();
    let client = Client::new(system.gateway().addresses.public);
    wait::until(
        "an answer of the warehouse",
        Duration::from_secs(20),
        || async {
            let answer = client
                .get("/api/warehouse/health")
                .await
                .map_err(|failure| failure.to_string())?;
            if answer.status == 200 {
                Ok(())
            } else {
                Err(format!("{} {}", answer.status, answer.text()))
            }
        },
    )
    .await
    .unwrap();
}

async fn download(system: &System) -> (u64, f64) {
    let begin = Instant::now();
    let mut socket = TcpStream::connect(system.gateway().addresses.public)
        .await
        .unwrap();
    socket
        .write_all(
            b"GET /api/warehouse/gigabyte HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n",
        )
        .await
        .unwrap();
    let mut socket = BufReader::new(socket);
    let head = read_head(&mut socket).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    sleep(STALL).await;
    let got = tokio::io::copy(&mut socket, &mut tokio::io::sink())
        .await
        .unwrap();
    (got, begin.elapsed().as_secs_f64())
}

async fn upload(system: &System) -> (u64, f64) {
    let begin = Instant::now();
    let mut socket = TcpStream::connect(system.gateway().addresses.public)
        .await
        .unwrap();
    let head = format!(
        "POST /api/warehouse/count HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: {GIGABYTE}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    tokio::io::copy(&mut tokio::io::repeat(b'x').take(GIGABYTE), &mut socket)
        .await
        .unwrap();
    let mut socket = BufReader::new(socket);
    let head = read_head(&mut socket).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let mut count = String::new();
    socket.read_to_string(&mut count).await.unwrap();
    (count.trim().parse().unwrap(), begin.elapsed().as_secs_f64())
}

/// The far end: `/gigabyte` sends one, `/count` waits, reads what comes and says how much it was.
async fn warehouse() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(BufReader::new(socket)));
        }
    });
    address
}

async fn serve(mut socket: BufReader<TcpStream>) -> std::io::Result<()> {
    let head = read_head(&mut socket).await;
    if head.contains(" /warehouse/gigabyte ") {
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\nConnection: close\r\n\r\n");
        socket.write_all(answer.as_bytes()).await?;
        tokio::io::copy(&mut tokio::io::repeat(b'x').take(GIGABYTE), &mut socket).await?;
    } else if head.contains(" /warehouse/count ") {
        sleep(STALL).await;
        let mut body = (&mut socket).take(GIGABYTE);
        let count = tokio::io::copy(&mut body, &mut tokio::io::sink())
            .await?
            .to_string();
        let length = count.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{count}"
        );
        socket.write_all(answer.as_bytes()).await?;
    } else {
        socket
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            .await?;
    }
    socket.shutdown().await
}

async fn read_head(socket: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if socket.read_line(&mut head).await.unwrap() == 0 {
            break;
        }
    }
    head
}

fn resident(system: &System) -> u64 {
    system
        .gateway()
        .unit
        .process()
        .and_then(|process| process.resident_kib())
        .unwrap()
}

/// The most memory that the gateway had, looked at often.
struct Peak {
    most: Arc<AtomicU64>,
    watching: tokio::task::JoinHandle<()>,
}

impl Peak {
    fn watch(system: &System) -> Self {
        let most = Arc::new(AtomicU64::new(0));
        let (seen, unit) = (most.clone(), system.gateway().unit.clone());
        let watching = tokio::spawn(async move {
            loop {
                if let Some(now) = unit.process().and_then(|process| process.resident_kib()) {
                    seen.fetch_max(now, Ordering::Relaxed);
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        Self { most, watching }
    }

    async fn end(self) -> u64 {
        self.watching.abort();
        self.most.load(Ordering::Relaxed)
    }
}

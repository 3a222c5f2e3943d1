//! A pool in front of scripted upstreams.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt;
use prometheus::Registry;
use resilience::endpoint::{Endpoint, Health, Weights};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use upstream::call::Client;
use upstream::{EndpointId, Error, Metrics, Pool, PoolConfig, Zone};

/// A pool of the service `shop` seen from zone `a`, and a client of it.
pub struct Scene {
    pub pool: Arc<Pool>,
    pub client: Client,
    pub registry: Registry,
}

pub fn endpoint(id: &str, address: SocketAddr) -> Endpoint {
    Endpoint {
        id: EndpointId::new(id),
        address,
        ops_port: None,
        zone: Zone::new("a"),
        version: Arc::from("0.1.0"),
        weights: Weights::default(),
        health: Health::Passing,
        ever_passed: true,
    }
}

/// The same in another zone, with the weight that Consul gives to ours.
pub fn weighing(id: &str, address: SocketAddr, zone: &str) -> Endpoint {
    Endpoint {
        zone: Zone::new(zone),
        weights: Weights {
            passing: 10,
            warning: 5,
        },
        ..endpoint(id, address)
    }
}

/// An upstream on a port of its own, which does the same with every connection.
pub async fn upstream<F: Future<Output = ()> + 'static>(
    script: impl Fn(TcpStream) -> F + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            rt::spawn(script(stream));
        }
    });
    address
}

/// An address where nobody listens, nor will: its socket stays bound.
pub fn nobody() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    address
}

/// An address where no connection comes about: as many wait to be accepted as may, and nobody accepts.
pub async fn deaf() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    while let Ok(queued) =
        rt::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await
    {
        std::mem::forget(queued.unwrap());
    }
    std::mem::forget(listener);
    address
}

/// Answers every request of a connection with these bytes.
pub async fn answer(mut stream: TcpStream, bytes: impl AsRef<[u8]>) {
    while read_request(&mut stream).await.is_some() {
        stream.write_all(bytes.as_ref()).await.unwrap();
    }
}

/// A 200 with that JSON.
pub fn ok(json: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    )
}

/// The next request as text, body included; none when the caller has closed.
pub async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => read.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}

impl Scene {
    pub fn of(addresses: &[SocketAddr]) -> Self {
        Self::with(addresses, "")
    }

    /// With settings as they would be written under `[upstreams.shop]`.
    pub fn with(addresses: &[SocketAddr], settings: &str) -> Self {
        let named = |(at, address): (usize, &SocketAddr)| endpoint(&format!("shop-{at}"), *address);
        let endpoints = addresses.iter().enumerate().map(named).collect();
        Self::seeing(consul::View::fixed("shop", endpoints), settings)
    }

    pub fn seeing(view: consul::View, settings: &str) -> Self {
        let config: PoolConfig = serde_json::from_str(&format!("{{{settings}}}")).unwrap();
        let registry = Registry::new();
        let metrics = Metrics::register(&registry).unwrap();
        let client_metrics = telemetry::http::ClientMetrics::register(&registry).unwrap();
        let own = consul::View::fixed("caller", Vec::new());
        let pool = Pool::new("shop", config, Zone::new("a"), view, own, metrics);
        Self {
            client: Client::new(pool.clone(), client_metrics),
            pool,
            registry,
        }
    }

    pub async fn get(&self) -> Result<Value, Error> {
        self.client.get("/").send::<Value>().await
    }

    pub fn breaker(&self) -> &'static str {
        self.pool.status(Instant::now()).breaker.state
    }

    /// Calls under way, over all endpoints.
    pub fn in_flight(&self) -> u32 {
        self.pool
            .status(Instant::now())
            .endpoints
            .iter()
            .map(|endpoint| endpoint.in_flight)
            .sum()
    }

    /// The value of one series in the text that Prometheus would read.
    pub fn metric(&self, series: &str) -> Option<String> {
        let text = telemetry::metrics::text(&self.registry);
        text.lines()
            .find_map(|line| Some(line.strip_prefix(series)?.trim().to_owned()))
    }
}

/// Waits until it holds, for at most five seconds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within 5 s");
        rt::time::sleep(Duration::from_millis(2)).await;
    }
}

//! A peer that answers as it is told, on a real socket, and remembers what it was asked.

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::time::timeout;

/// What a peer does with one request.
pub enum Reply {
    Now(u16, Value),
    Never,
    /// Once the peer's gate is open.
    Gated(u16, Value),
}

/// From "METHOD /path" to what is done.
pub type Script = fn(&str) -> Reply;

/// A scripted service.
#[derive(Clone)]
pub struct Peer {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    asked: Arc<watch::Sender<Vec<String>>>,
    given_ms: Arc<Mutex<Vec<u64>>>,
    gate: Arc<watch::Sender<bool>>,
}

/// Far more than any request takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The reconciler's neighbour asks this whenever it likes.
const LOOK: &str = "GET /inventory/items";

/// Inventory with ten pieces of A at 250, that holds one for whoever asks.
pub fn ten_of_a(asked: &str) -> Reply {
    match asked {
        LOOK => Reply::Now(
            200,
            json!({"items": [{"sku": "A", "name": "A", "price_cents": 250, "stock": 10, "available": 10}], "total": 1}),
        ),
        "POST /inventory/reservations" => Reply::Now(
            201,
            json!({"items": [{"sku": "A", "quantity": 1, "unit_price_cents": 250}], "total_cents": 250}),
        ),
        _ => Reply::Now(200, Value::Null),
    }
}

/// Inventory that never answers.
pub fn hanging(_: &str) -> Reply {
    Reply::Never
}

/// Payments that do what they are asked.
pub fn well(_: &str) -> Reply {
    Reply::Now(
        200,
        json!({"id": "pay_01937c6e-5a00-7000-8000-0000000000ff"}),
    )
}

/// 500 to everything.
pub fn failing(_: &str) -> Reply {
    Reply::Now(500, Value::Null)
}

/// Payments that never answer a charge; everything else is well.
pub fn deaf_to_charges(asked: &str) -> Reply {
    match asked {
        "POST /payments" => Reply::Never,
        _ => well(asked),
    }
}

/// Payments that answer a charge when the gate opens.
pub fn slow_to_charge(asked: &str) -> Reply {
    match (asked, well(asked)) {
        ("POST /payments", Reply::Now(status, body)) => Reply::Gated(status, body),
        (_, reply) => reply,
    }
}

/// An address where nobody listens, nor will: its socket stays bound.
pub fn nobody() -> SocketAddr {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    std::mem::forget(socket);
    address
}

impl Peer {
    pub fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            script: Arc::new(Mutex::new(script)),
            asked: Arc::new(watch::Sender::default()),
            given_ms: Arc::default(),
            gate: Arc::new(watch::Sender::new(false)),
        };
        let state = web::Data::new(peer.clone());
        let factory = move || {
            App::new()
                .app_data(state.clone())
                .default_service(web::to(answer))
        };
        let server = HttpServer::new(factory)
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        actix_web::rt::spawn(server);
        peer
    }

    pub fn becomes(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    /// Lets everything go that waits at the gate, now and later.
    pub fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    /// How long each of these requests was given.
    pub fn given_ms(&self) -> Vec<u64> {
        self.given_ms.lock().unwrap().clone()
    }

    /// Method and path of every request so far, but for those that only look at the stock.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    /// Waits for so many requests.
    pub async fn was_asked(&self, times: usize) {
        let mut asked = self.asked.subscribe();
        let enough = timeout(PATIENCE, asked.wait_for(|asked| asked.len() >= times)).await;
        assert!(enough.is_ok(), "asked only for {:?}", self.asked());
    }
}

async fn answer(peer: web::Data<Peer>, request: HttpRequest) -> HttpResponse {
    let asked = format!("{} {}", request.method(), request.path());
    let script = *peer.script.lock().unwrap();
    if asked != LOOK {
        let given = request.headers().get("x-request-timeout-ms");
        let given = given.map(|given| given.to_str().unwrap().parse::<u64>().unwrap());
        peer.given_ms.lock().unwrap().extend(given);
        peer.asked.send_modify(|all| all.push(asked.clone()));
    }
    let (status, body) = match script(&asked) {
        Reply::Never => std::future::pending().await,
        Reply::Now(status, body) => (status, body),
        Reply::Gated(status, body) => {
            peer.gate.subscribe().wait_for(|open| *open).await.unwrap();
            (status, body)
        }
    };
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(body)
}

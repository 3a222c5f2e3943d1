//! A peer that fails as it is told, on a real socket, and remembers what it was asked.

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// What a peer does with every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Does what it is asked.
    Well,
    /// 500 to everything.
    Failing,
    /// Never answers a charge; everything else is well.
    DeafToCharges,
}

/// A scripted payments service.
#[derive(Clone)]
pub struct Peer {
    pub address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    pub fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Self {
            address: listener.local_addr().unwrap(),
            mood: Arc::new(Mutex::new(mood)),
            asked: Arc::default(),
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

    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Method and path of every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

async fn answer(peer: web::Data<Peer>, request: HttpRequest) -> HttpResponse {
    let asked = format!("{} {}", request.method(), request.path());
    peer.asked.lock().unwrap().push(asked);
    let mood = *peer.mood.lock().unwrap();
    match mood {
        Mood::Failing => HttpResponse::InternalServerError().finish(),
        Mood::DeafToCharges if request.path() == "/payments" => std::future::pending().await,
        _ => HttpResponse::Ok().json(json!({"id": "pay_01937c6e-5a00-7000-8000-0000000000ff"})),
    }
}

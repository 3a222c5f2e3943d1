//! What tests of a service need: its real store in a file of theirs, its real routes on a socket.
//!
//! Nothing here is a stand-in: the store is SQLite, the listener is the production one.

use crate::config;
use crate::drain::Drain;
use crate::public::{self, Surroundings};
use crate::spec::App;
use crate::store::Store;
use actix_web::dev::ServerHandle;
use sqlx::migrate::Migrator;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

/// A listener of a test; it stops when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// `http://` and the address.
    pub url: String,
    handle: ServerHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Stopping is asked for when the call is made; nobody waits for it.
        drop(self.handle.stop(false));
    }
}

/// Opens a migrated SQLite file, as production does.
///
/// # Panics
/// The file cannot be opened or migrated.
pub async fn store(migrations: &Migrator, path: &Path) -> Store {
    let settings = config::Store {
        url: format!("sqlite://{}", path.display()),
        connections: 4,
        wait_ms: 5_000,
    };
    Store::open(&settings, migrations)
        .await
        .expect("a test's own file can be opened")
}

/// Serves an app's public routes on a free port, with every layer of production.
///
/// # Panics
/// No port is free.
pub async fn serve(app: App) -> Running {
    let loaded = config::load::<HashMap<String, String>>("", None, &HashMap::new());
    let common = loaded.expect("the built-in defaults are whole").common;
    let metrics = telemetry::http::ServerMetrics::register(&prometheus::Registry::new());
    let around = Surroundings {
        server: common.server,
        drain: Drain::default(),
        metrics: metrics.expect("a fresh registry takes everything"),
        edge: app.edge,
        shutdown: Duration::from_secs(1),
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let server = public::serve(listener, app.public, around).expect("a bound socket can be served");
    let handle = server.handle();
    actix_web::rt::spawn(server);
    app.tasks
        .into_iter()
        .for_each(|task| drop(actix_web::rt::spawn(task)));
    Running {
        address,
        url: format!("http://{address}"),
        handle,
    }
}

//! What tests of a service need: its real store in a file of theirs, its real routes on a socket.
//!
//! Nothing here is a stand-in: the store is SQLite, the listener is the production one.

mod routes;

use crate::config;
use crate::drain::Drain;
use crate::faults::Faults;
use crate::guard;
use crate::public::{self, Surroundings};
use crate::runtimes::Runtimes;
use crate::spec::{App, Configure};
use crate::store::Store;
use actix_web::dev::ServerHandle;
use actix_web::rt::task::JoinHandle;
use sqlx::migrate::Migrator;
use std::collections::{BTreeSet, HashMap};
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

/// A process of a test: its listener, and the work beside it. It ends when dropped, as if killed.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// `http://` and the address.
    pub url: String,
    handle: ServerHandle,
    tasks: Vec<JoinHandle<()>>,
    configure: Configure,
}

impl Running {
    /// Every public route that it registers but its document's, such as `GET /users/{id}`.
    ///
    /// # Panics
    /// actix tells its routes in another way than it did.
    pub async fn routes(&self) -> BTreeSet<String> {
        routes::registered(self.configure.clone()).await
    }

    /// Stops as production does; ready when every connection has ended, or had its time.
    pub fn drain(&self) -> impl Future<Output = ()> + use<> {
        self.handle.stop(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Stopping is asked for when the call is made; nobody waits for it.
        drop(self.handle.stop(false));
        self.tasks.iter().for_each(JoinHandle::abort);
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
    Store::open(
        &settings,
        migrations,
        Faults::off(),
        &prometheus::Registry::new(),
    )
    .await
    .expect("a test's own file can be opened")
}

/// Serves an app's public routes on a free port, with every layer of production.
///
/// # Panics
/// No port is free.
pub async fn serve(app: App) -> Running {
    serve_with(app, "", &prometheus::Registry::new()).await
}

/// The same, with some of the common settings replaced by `toml`, and its metrics in `registry`.
///
/// # Panics
/// No port is free, the settings are bad, or the registry has such metrics already.
pub async fn serve_with(app: App, toml: &str, registry: &prometheus::Registry) -> Running {
    let loaded = config::load::<HashMap<String, String>>(toml, None, &HashMap::new());
    let common = loaded.expect("a test's settings are good").common;
    let metrics = telemetry::http::ServerMetrics::register(registry);
    let connections = guard::metrics::Metrics::register(registry);
    let (drain, runtimes) = (Drain::register(registry), Runtimes::register(registry));
    let around = Surroundings {
        server: common.server,
        drain: drain.expect("the registry does not have it yet"),
        runtimes: runtimes.expect("the registry does not have them yet"),
        faults: Faults::off(),
        metrics: metrics.expect("the registry does not have them yet"),
        connections: connections.expect("the registry does not have them yet"),
        edge: app.edge,
        shutdown: Duration::from_secs(1),
    };
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let server =
        public::serve(listener, app.public.clone(), around).expect("a bound socket can be served");
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Running {
        address,
        url: format!("http://{address}"),
        handle,
        configure: app.public,
        tasks: app.tasks.into_iter().map(actix_web::rt::spawn).collect(),
    }
}

/// Waits until it holds, for at most five seconds.
#[cfg(test)]
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let holding = async {
        while !holds() {
            actix_web::rt::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = actix_web::rt::time::timeout(Duration::from_secs(5), holding).await;
    assert!(waited.is_ok(), "{what}: not within 5 s");
}

//! What a process has one of: telemetry started for real, against the sink, and servers on real sockets.

use std::{net::SocketAddr, sync::LazyLock};

use actix_web::{App, HttpServer, rt, web::ServiceConfig};
use prometheus::Registry;
use telemetry::{
    Resource, Settings, Telemetry,
    http::{ClientMetrics, Observe, ServerMetrics},
};

use crate::sink::Sink;

pub struct World {
    pub sink: Sink,
    pub registry: Registry,
    pub telemetry: Telemetry,
    pub server: ServerMetrics,
    pub client: ClientMetrics,
}

pub fn resource() -> Resource {
    Resource {
        service: "orders".into(),
        version: "1.2.3".into(),
        instance: "orders-host-1-abcdef01".into(),
        zone: "a".into(),
        environment: "test".into(),
    }
}

pub fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| {
        let sink = Sink::start();
        let registry = Registry::new();
        let settings = Settings {
            otlp_endpoint: Some(format!("{}/", sink.endpoint)),
            ..Settings::default()
        };
        let telemetry = Telemetry::start(&settings, &resource(), &registry).unwrap();
        let server = ServerMetrics::register(&registry).unwrap();
        let client = ClientMetrics::register(&registry).unwrap();
        World {
            sink,
            registry,
            telemetry,
            server,
            client,
        }
    });
    &WORLD
}

/// A server in this process that trusts its callers, as our services do.
pub fn serve(trust: bool, routes: fn(&mut ServiceConfig)) -> SocketAddr {
    let metrics = world().server.clone();
    let server = HttpServer::new(move || {
        App::new()
            .configure(routes)
            .wrap(Observe::new(metrics.clone()).trust_incoming(trust))
    })
    .workers(1)
    .disable_signals()
    .bind("127.0.0.1:0")
    .unwrap();
    let address = server.addrs()[0];
    rt::spawn(server.run());
    address
}

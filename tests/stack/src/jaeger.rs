//! A Jaeger beside a run: the repository's own configuration, with free ports where the usual ones are taken.
//!
//! It takes the place of the runner's own sink: every process sends its spans there.
//! Traces are in its memory and go with it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::client::Client;
use crate::companions;
use crate::error::Error;
use crate::place::Place;
use crate::ports;
use crate::process::Program;
use crate::reporter::Reporter;
use crate::unit::Unit;

/// What `status` calls it.
pub const NAME: &str = "jaeger";

/// It has nothing to write down.
const STOP: Duration = Duration::from_secs(10);

/// Which traces it keeps: a file of `observability/jaeger/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Every one, so that each exemplar is found.
    Everything,
    /// What failed, what was slow, and a share of the rest, as in production.
    Sampled,
}

/// One server; it is killed when it is dropped.
#[derive(Debug)]
pub struct Jaeger {
    pub unit: Arc<Unit>,
    query: SocketAddr,
    otlp: SocketAddr,
    span_metrics: SocketAddr,
    client: Client,
}

impl Policy {
    /// Its configuration, relative to the repository.
    pub fn file(self) -> &'static str {
        match self {
            Self::Everything => "observability/jaeger/jaeger.yaml",
            Self::Sampled => "observability/jaeger/jaeger-sampled.yaml",
        }
    }
}

impl Jaeger {
    /// Chooses its ports; nothing runs yet. `prometheus` answers its Monitor tab.
    pub fn prepare(
        place: &Place,
        binary: PathBuf,
        policy: Policy,
        well_known_ports: bool,
        prometheus: Option<SocketAddr>,
        reporter: &Reporter,
    ) -> Self {
        let port = |usual| {
            if well_known_ports {
                ports::preferred(usual)
            } else {
                ports::any()
            }
        };
        let (query, otlp, span_metrics) = (port(16686), port(4318), port(8889));
        let named = [
            ("JAEGER_QUERY_PORT", query),
            ("JAEGER_OTLP_HTTP_PORT", otlp),
            ("JAEGER_SPANMETRICS_PORT", span_metrics),
            ("JAEGER_QUERY_GRPC_PORT", ports::any()),
            ("JAEGER_OTLP_GRPC_PORT", port(4317)),
            ("JAEGER_TELEMETRY_PORT", ports::any()),
            ("JAEGER_HEALTH_PORT", ports::any()),
        ];
        let ports = named.map(|(name, address)| (name.to_owned(), address.port().to_string()));
        let mut env = BTreeMap::from(ports);
        // Whatever the shell says: a run is on loopback.
        env.insert("JAEGER_LISTEN_HOST".to_owned(), "127.0.0.1".to_owned());
        if let Some(address) = prometheus {
            env.insert(
                "JAEGER_PROMETHEUS_URL".to_owned(),
                format!("http://{address}"),
            );
        }
        let file = place.root().join(policy.file());
        let program = Program {
            name: NAME.to_owned(),
            path: binary,
            args: vec!["--config".into(), file.into()],
            env,
            log: place.log(NAME),
        };
        Self {
            unit: Arc::new(Unit::new(program, reporter.clone())),
            query,
            otlp,
            span_metrics,
            client: Client::new(query),
        }
    }

    /// Its pages, and the API that answers for traces.
    pub fn address(&self) -> SocketAddr {
        self.query
    }

    /// Where spans go, by OTLP over HTTP.
    pub fn otlp(&self) -> String {
        format!("http://{}", self.otlp)
    }

    /// What Prometheus scrapes of it.
    pub fn span_metrics(&self) -> SocketAddr {
        self.span_metrics
    }

    /// Waits until it answers.
    pub(crate) async fn ready(&self) -> Result<(), Error> {
        companions::ready(&self.unit, &self.client, "/api/services").await
    }

    /// Ends it; whether it went by itself.
    pub async fn stop(&self) -> bool {
        self.unit.stop(STOP).await
    }
}

impl Drop for Jaeger {
    fn drop(&mut self) {
        self.unit.abandon();
    }
}

//! A Prometheus beside a run: the repository's own configuration, with this run's addresses in it.
//!
//! What it is told is in `prometheus/settings.rs`, how it is asked in `prometheus/ask.rs`.
//! Its data is in the run's directory, and it starts empty.

mod ask;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use settings::Neighbours;

use crate::client::Client;
use crate::companions;
use crate::error::Error;
use crate::place::Place;
use crate::process::Program;
use crate::reporter::Reporter;
use crate::unit::Unit;

/// What `status` and the verbs call it.
pub const NAME: &str = "prometheus";

/// It flushes its head to the disk.
const STOP: Duration = Duration::from_secs(10);

/// One server; it is killed when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    pub unit: Arc<Unit>,
    address: SocketAddr,
    client: Client,
}

impl Prometheus {
    /// Writes its configuration; nothing runs yet.
    pub fn prepare(
        place: &Place,
        binary: PathBuf,
        address: SocketAddr,
        neighbours: Neighbours,
        reporter: &Reporter,
    ) -> Result<Self, Error> {
        let folder = place.root().join("observability/prometheus");
        let original = folder.join("prometheus.yml");
        let text = std::fs::read_to_string(&original)
            .map_err(Error::io(format!("reading {}", original.display())))?;
        let (file, data) = (place.prometheus_config(), place.prometheus_data());
        let _ = std::fs::remove_dir_all(&data);
        std::fs::write(
            &file,
            settings::of_this_run(&text, &folder, address, neighbours),
        )
        .map_err(Error::io(format!("writing {}", file.display())))?;
        let option = |name: &str, value: &Path| {
            let mut option = std::ffi::OsString::from(format!("--{name}="));
            option.push(value);
            option
        };
        let program = Program {
            name: NAME.to_owned(),
            path: binary,
            args: vec![
                option("config.file", &file),
                option("storage.tsdb.path", &data),
                format!("--web.listen-address={address}").into(),
                "--web.enable-remote-write-receiver".into(),
                "--enable-feature=exemplar-storage".into(),
            ],
            env: BTreeMap::new(),
            log: place.log(NAME),
        };
        Ok(Self {
            unit: Arc::new(Unit::new(program, reporter.clone())),
            address,
            client: Client::new(address),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts it and waits until it answers.
    pub async fn start(&self) -> Result<(), Error> {
        companions::spawn(&self.unit)?;
        self.ready().await
    }

    pub(crate) async fn ready(&self) -> Result<(), Error> {
        companions::ready(&self.unit, &self.client, "/-/ready").await
    }

    /// Ends it; whether it went by itself.
    pub async fn stop(&self) -> bool {
        self.unit.stop(STOP).await
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.unit.abandon();
    }
}

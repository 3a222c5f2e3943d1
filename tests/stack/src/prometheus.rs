//! A Prometheus beside a run: the repository's own configuration, with this run's addresses in it.
//!
//! `observability/prometheus/prometheus.yml` is written for compose; the copy differs in four literals, which its head names.
//! Its data is in the run's directory, and it starts empty.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::place::Place;
use crate::process::Program;
use crate::reporter::Reporter;
use crate::unit::Unit;
use crate::wait;

/// What `status` and the verbs call it.
pub const NAME: &str = "prometheus";

/// Usual is a second.
const READY: Duration = Duration::from_secs(30);

/// It flushes its head to the disk.
const STOP: Duration = Duration::from_secs(10);

/// Where those are that the configuration names.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    pub consul: SocketAddr,
    /// Jaeger's metrics from spans; a target that is down where no Jaeger runs.
    pub span_metrics: SocketAddr,
}

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
        std::fs::write(&file, configuration(&text, &folder, address, neighbours))
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
        let process = self.unit.start()?;
        self.unit.watch(process);
        wait::until("Prometheus", READY, || async {
            if let crate::unit::State::Ended(exit) = self.unit.state() {
                return Ok(Err(self.unit.died(exit)));
            }
            match self.client.get("/-/ready").await {
                Ok(answer) if answer.status == 200 => Ok(Ok(())),
                Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
                Err(failure) => Err(failure.to_string()),
            }
        })
        .await?
    }

    /// The series that an expression gives now, or what is wrong with it.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let path = format!("/api/v1/query?query={}", encoded(expression));
        let answer = self.get(&path).await?;
        match &answer["data"]["result"] {
            Value::Array(series) => Ok(series.clone()),
            other => Err(format!("{expression} gives {other}")),
        }
    }

    /// The `data` around any other question, such as `/api/v1/targets`.
    pub async fn get(&self, path: &str) -> Result<Value, String> {
        let answer = self.client.get(path).await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        if answer.status == 200 {
            Ok(answer.json())
        } else {
            Err(format!("{path}: {} {}", answer.status, answer.text()))
        }
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

/// The repository's configuration for this run.
fn configuration(text: &str, folder: &Path, own: SocketAddr, neighbours: Neighbours) -> String {
    text.replace("\"consul:8500\"", &format!("\"{}\"", neighbours.consul))
        .replace(
            "\"jaeger:8889\"",
            &format!("\"{}\"", neighbours.span_metrics),
        )
        .replace("\"localhost:9090\"", &format!("\"{own}\""))
        .replace(
            "\"rules/*.yml\"",
            &format!("\"{}\"", folder.join("rules/*.yml").display()),
        )
}

/// As a query's value: everything but letters and digits is escaped.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_copy_names_this_run_and_nothing_of_compose() {
        let place = Place::find().unwrap();
        let folder = place.root().join("observability/prometheus");
        let text = std::fs::read_to_string(folder.join("prometheus.yml")).unwrap();
        let neighbours = Neighbours {
            consul: "127.0.0.1:1500".parse().unwrap(),
            span_metrics: "127.0.0.1:1889".parse().unwrap(),
        };
        let own = "127.0.0.1:1090".parse().unwrap();
        let copy = configuration(&text, &folder, own, neighbours);
        let settings = || copy.lines().filter(|line| !line.trim_start().starts_with('#'));
        for gone in ["consul:8500", "jaeger:8889", "localhost:9090", "\"rules/"] {
            assert!(!settings().any(|line| line.contains(gone)), "{copy}");
        }
        let consul = settings().filter(|line| line.contains("\"127.0.0.1:1500\""));
        assert_eq!(consul.count(), 2, "to find targets, and as one: {copy}");
        for there in ["\"127.0.0.1:1889\"", "\"127.0.0.1:1090\""] {
            assert!(settings().any(|line| line.contains(there)), "{copy}");
        }
    }

    #[test]
    fn an_expression_survives_being_a_query() {
        assert_eq!(encoded("up{a=\"b\"} > 1"), "up%7Ba%3D%22b%22%7D%20%3E%201");
    }
}

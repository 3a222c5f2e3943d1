//! A scenario of `k6/` against a run: how k6 is told of that run's addresses and keys, and of where it is measured.
//!
//! Phases, promises and verdict are the script's; whoever starts it reads its exit code.

use std::path::Path;

use tokio::process::Command;

use crate::place::Place;
use crate::record::Record;

/// k6's exit code when a promise was broken.
pub const BROKEN: i32 = 99;

/// What k6 reads from the environment itself, and for which it discards a script's scenarios.
const DISCARDING: [&str; 4] = ["K6_VUS", "K6_DURATION", "K6_ITERATIONS", "K6_STAGES"];

/// What is run, and what is asserted of it.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// A script of `k6/`, without `.js`.
    pub name: String,
    /// Names the run in Prometheus and on the dashboards.
    pub testid: String,
    /// Where it is measured and facts are asked.
    pub prometheus: Option<String>,
    /// Whether the facts that Prometheus knows are asserted.
    pub facts: bool,
    /// Journeys a second, when not the script's own.
    pub rate: Option<u32>,
    /// Stretches every phase.
    pub scale: Option<f64>,
}

impl Scenario {
    /// The command that runs it.
    pub fn command(&self, k6: &Path, place: &Place, record: &Record) -> Command {
        let mut command = Command::new(k6);
        command
            .arg("run")
            .arg(place.root().join(format!("k6/{}.js", self.name)))
            .envs(self.environment(record));
        for name in DISCARDING {
            command.env_remove(name);
        }
        command
    }

    /// The names are those of `k6/lib/settings.js`.
    fn environment(&self, record: &Record) -> Vec<(&'static str, String)> {
        let mut environment = vec![
            ("BASE_URL", format!("http://{}", record.gateway)),
            ("CONSUL_URL", format!("http://{}", record.consul)),
            ("API_KEY", record.keys.load.clone()),
            ("LIMITED_KEY", record.keys.demo.clone()),
            ("TESTID", self.testid.clone()),
            ("FACTS", if self.facts { "on" } else { "off" }.to_owned()),
            // Nothing is fetched and nothing is told to anybody.
            ("K6_AUTO_EXTENSION_RESOLUTION", "false".to_owned()),
            ("K6_NO_USAGE_REPORT", "true".to_owned()),
        ];
        if let Some(url) = &self.prometheus {
            environment.extend([
                ("PROMETHEUS_URL", url.clone()),
                ("K6_OUT", "experimental-prometheus-rw".to_owned()),
                ("K6_PROMETHEUS_RW_SERVER_URL", format!("{url}/api/v1/write")),
                ("K6_PROMETHEUS_RW_PUSH_INTERVAL", "5s".to_owned()),
                // One series for each trend, of which every quantile can be asked.
                ("K6_FEATURES", "native-histograms".to_owned()),
            ]);
        }
        environment.extend(self.rate.map(|rate| ("RATE", rate.to_string())));
        environment.extend(self.scale.map(|scale| ("SCALE", scale.to_string())));
        environment
    }
}

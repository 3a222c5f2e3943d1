//! A service as the agent is told of it, and as the agent says it knows it.
//!
//! [`Definition`] is sent, [`AgentService`] is read back, and [`Definition::matches`] is how drift is seen.
//! The agent does not read checks back with the service, so a check that somebody removed alone is not seen as drift.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

/// What is registered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Definition {
    /// Unique on its agent.
    #[serde(rename = "ID")]
    pub id: String,
    /// The service that it is an instance of.
    pub name: String,
    /// IP or host name.
    pub address: String,
    /// Port of its API.
    pub port: u16,
    /// For people, DNS and Prometheus.
    pub tags: Vec<String>,
    /// For programs.
    pub meta: BTreeMap<String, String>,
    /// Share of the traffic.
    pub weights: Weights,
    /// How the agent finds out whether it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
}

/// Weights as Consul writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Weights {
    /// While its checks pass.
    pub passing: u32,
    /// While one of them warns.
    pub warning: u32,
}

/// A check that the agent runs over HTTP.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// What people see in Consul's pages.
    pub name: String,
    /// The URL: 2xx passes, 429 warns, everything else is critical.
    #[serde(rename = "HTTP")]
    pub http: String,
    /// Time between two runs.
    #[serde(serialize_with = "go_duration")]
    pub interval: Duration,
    /// Time that one run may take.
    #[serde(serialize_with = "go_duration")]
    pub timeout: Duration,
    /// Failed runs in a row before it turns critical.
    pub failures_before_critical: u32,
    /// Good runs in a row before it passes again.
    pub success_before_passing: u32,
    /// Critical for so long, and the agent forgets the service.
    #[serde(serialize_with = "go_duration")]
    pub deregister_critical_service_after: Duration,
    /// What it starts as; the agent runs it first after a random part of the interval.
    pub status: Status,
}

/// The state of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Just proven to be well.
    Passing,
    /// Not proven.
    Critical,
}

/// A service as its agent knows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentService {
    /// Unique on its agent.
    #[serde(rename = "ID")]
    pub id: String,
    /// The service that it is an instance of.
    pub service: String,
    /// IP or host name; empty means the agent's.
    #[serde(default)]
    pub address: String,
    /// Port of its API.
    #[serde(default)]
    pub port: u16,
    /// For people, DNS and Prometheus.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// For programs.
    #[serde(default)]
    pub meta: Option<BTreeMap<String, String>>,
    /// Share of the traffic.
    #[serde(default)]
    pub weights: Option<Weights>,
}

/// Often enough that a dead instance is out of the catalogue within a dozen seconds.
const INTERVAL: Duration = Duration::from_secs(5);
/// Shorter than the interval, longer than any healthy `/readyz`.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Consul's default is 0: one blip takes an instance out.
const FAILURES_BEFORE_CRITICAL: u32 = 2;
/// An instance that says it is ready again is believed at once.
const SUCCESS_BEFORE_PASSING: u32 = 1;
/// Longer than a deployment or a debugger; the agent looks every 30 s and refuses less than a minute.
const FORGET_AFTER: Duration = Duration::from_secs(600);

// ---

impl Check {
    /// A check of that URL with the house's times, starting in the given state.
    #[must_use]
    pub fn http(url: String, status: Status) -> Self {
        Self {
            name: "readiness".to_owned(),
            http: url,
            interval: INTERVAL,
            timeout: TIMEOUT,
            failures_before_critical: FAILURES_BEFORE_CRITICAL,
            success_before_passing: SUCCESS_BEFORE_PASSING,
            deregister_critical_service_after: FORGET_AFTER,
            status,
        }
    }
}

impl Definition {
    /// Whether the agent knows the service as it was defined; false is drift.
    #[must_use]
    pub fn matches(&self, known: &AgentService) -> bool {
        self.id == known.id
            && self.name == known.service
            && self.address == known.address
            && self.port == known.port
            && known.tags.as_deref().unwrap_or_default() == self.tags
            && known
                .meta
                .as_ref()
                .map_or(self.meta.is_empty(), |meta| *meta == self.meta)
            && known.weights.is_none_or(|weights| weights == self.weights)
    }
}

/// Consul reads durations as Go writes them.
fn go_duration<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}ms", duration.as_millis()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn definition() -> Definition {
        Definition {
            id: "users-1".to_owned(),
            name: "users".to_owned(),
            address: "10.0.0.1".to_owned(),
            port: 8080,
            tags: vec!["zone=a".to_owned()],
            meta: BTreeMap::from([("zone".to_owned(), "a".to_owned())]),
            weights: Weights {
                passing: 10,
                warning: 5,
            },
            check: Some(Check::http(
                "http://10.0.0.1:8081/readyz".to_owned(),
                Status::Passing,
            )),
        }
    }

    fn known(change: impl FnOnce(&mut Value)) -> AgentService {
        let mut value = json!({
            "ID": "users-1", "Service": "users", "Address": "10.0.0.1", "Port": 8080,
            "Tags": ["zone=a"], "Meta": { "zone": "a" }, "Weights": { "Passing": 10, "Warning": 5 },
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn it_is_written_as_consul_reads_it() {
        let written = serde_json::to_value(definition()).unwrap();
        assert_eq!(written["ID"], "users-1");
        assert_eq!(written["Weights"], json!({ "Passing": 10, "Warning": 5 }));
        assert_eq!(
            written["Check"],
            json!({
                "Name": "readiness", "HTTP": "http://10.0.0.1:8081/readyz", "Interval": "5000ms", "Timeout": "2000ms",
                "FailuresBeforeCritical": 2, "SuccessBeforePassing": 1,
                "DeregisterCriticalServiceAfter": "600000ms", "Status": "passing",
            })
        );
    }

    #[test]
    fn what_the_agent_knows_unchanged_is_no_drift() {
        assert!(definition().matches(&known(|_| {})));
    }

    #[test]
    fn every_changed_value_is_drift() {
        for (key, value) in [
            ("Service", json!("orders")),
            ("Address", json!("10.0.0.2")),
            ("Port", json!(1)),
            ("Tags", Value::Null),
            ("Meta", json!({ "zone": "b" })),
            ("Meta", Value::Null),
            ("Weights", json!({ "Passing": 1, "Warning": 1 })),
        ] {
            assert!(
                !definition().matches(&known(|known| known[key] = value.clone())),
                "{key} = {value}"
            );
        }
    }
}

//! What `/v1/health/service/<name>` says, as Consul writes it.
//!
//! The parts of an instance that this house uses, and how each is read: a check's status, a weight, a described value.
//! Nulls are absence.
//! Which instances become endpoints is decided in `answer/translate.rs`; an answer that is not this JSON at all is an
//! error of the call, decided by the agent client.

mod translate;

use std::collections::BTreeMap;
use std::time::Duration;

use resilience::endpoint::{Health, Weights};
use serde::Deserialize;

use crate::meta;

pub(crate) use translate::translate;

/// One answer: the instances, and what the headers said about it.
#[derive(Debug)]
pub struct Answer {
    /// `X-Consul-Index`; `None` when missing or unreadable.
    pub index: Option<u64>,
    /// `X-Consul-LastContact`: how old a stale answer may be; `None` (unknown) under streaming.
    pub last_contact: Option<Duration>,
    /// `X-Consul-Results-Filtered-By-ACLs`: there is more than the token may see.
    pub filtered: bool,
    /// What is registered, whatever its health.
    pub instances: Vec<Instance>,
}

/// One instance as Consul writes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Instance {
    node: Node,
    service: Service,
    #[serde(default)]
    checks: Option<Vec<Check>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    #[serde(default)]
    node: String,
    #[serde(default)]
    address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    port: i64,
    #[serde(default)]
    meta: Option<BTreeMap<String, String>>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    weights: Option<RawWeights>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawWeights {
    passing: i64,
    warning: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    #[serde(rename = "CheckID", default)]
    id: String,
    #[serde(default)]
    status: String,
}

/// Consul's own limit for a weight.
const WEIGHT_LIMIT: i64 = 65_535;
/// The check that `consul maint` on a node makes.
const NODE_MAINTENANCE: &str = "_node_maintenance";
/// The beginning of the check that maintenance of one service makes; the service's id follows.
const SERVICE_MAINTENANCE: &str = "_service_maintenance:";
/// Zone and version of an instance that does not name one, or not a usable one.
const UNKNOWN: &str = "unknown";

// ---

impl Check {
    fn health(&self) -> Health {
        match self.status.as_str() {
            "passing" => Health::Passing,
            "warning" => Health::Warning,
            "maintenance" => Health::Maintenance,
            _ if self.id == NODE_MAINTENANCE || self.id.starts_with(SERVICE_MAINTENANCE) => {
                Health::Maintenance
            }
            _ => Health::Critical,
        }
    }
}

impl Service {
    fn named(&self, key: &str) -> Option<&str> {
        self.meta.as_ref()?.get(key).map(String::as_str)
    }

    /// A value from the metadata, else from a tag `key=value`; only when it is fit to be a metric label.
    fn described(&self, key: &str) -> &str {
        let tagged = || {
            let tags = self.tags.iter().flatten();
            tags.filter_map(|tag| tag.strip_prefix(key)?.strip_prefix('='))
                .next()
        };
        self.named(key)
            .or_else(tagged)
            .filter(|value| meta::is_label(value))
            .unwrap_or(UNKNOWN)
    }
}

impl RawWeights {
    fn clamped(&self) -> Weights {
        let clamp =
            |weight: i64, least: i64| u32::try_from(weight.clamp(least, WEIGHT_LIMIT)).unwrap_or(1);
        Weights {
            passing: clamp(self.passing, 1),
            warning: clamp(self.warning, 0),
        }
    }
}

//! An answer turned into endpoints.
//!
//! Health is the worst of the node's and the service's checks.
//! An entry that cannot be called (no IP, a forbidden address, port 0 or 70000, no id) is skipped and counted, and the
//! others stay: one bad registration must not take a service away.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use resilience::endpoint::{Endpoint, EndpointId, Health, Zone};

use super::{Check, Instance, Node, RawWeights, Service};
use crate::meta;
use crate::networks::Networks;

/// What is left of an answer after translation.
#[derive(Debug)]
pub(crate) struct Translated {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) skipped: u64,
}

// ---

pub(crate) fn translate(instances: &[Instance], networks: &Networks) -> Translated {
    let mut nodes_of: HashMap<&str, usize> = HashMap::new();
    for instance in instances {
        *nodes_of.entry(instance.service.id.as_str()).or_default() += 1;
    }
    let endpoints: Vec<Endpoint> = instances
        .iter()
        .filter_map(|instance| {
            // An id is unique on its node only: two nodes may each have a "redis".
            let shared = nodes_of
                .get(instance.service.id.as_str())
                .is_some_and(|count| *count > 1);
            endpoint(instance, shared, networks)
        })
        .collect();
    let skipped = (instances.len() - endpoints.len()) as u64;
    Translated { endpoints, skipped }
}

fn endpoint(instance: &Instance, shared_id: bool, networks: &Networks) -> Option<Endpoint> {
    let Instance {
        node,
        service,
        checks,
    } = instance;
    let id = match (service.id.as_str(), shared_id) {
        ("", _) => return None,
        (id, false) => EndpointId::new(id),
        (id, true) => EndpointId::new(&format!("{id}@{}", node.node)),
    };
    let health = health(checks.as_deref().unwrap_or_default());
    Some(Endpoint {
        id,
        address: address(node, service, networks)?,
        ops_port: service.named(meta::OPS_PORT).and_then(port),
        zone: Zone::new(service.described(meta::ZONE)),
        version: Arc::from(service.described(meta::VERSION)),
        weights: service
            .weights
            .as_ref()
            .map(RawWeights::clamped)
            .unwrap_or_default(),
        health,
        ever_passed: health <= Health::Warning,
    })
}

fn address(node: &Node, service: &Service, networks: &Networks) -> Option<SocketAddr> {
    let text = if service.address.is_empty() {
        &node.address
    } else {
        &service.address
    };
    let ip: IpAddr = text.parse().ok()?;
    let port = u16::try_from(service.port).ok().filter(|port| *port > 0)?;
    Some(SocketAddr::new(networks.permit(ip)?, port))
}

fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port| *port > 0)
}

/// The worst of the checks; a status that is not known counts as critical.
fn health(checks: &[Check]) -> Health {
    checks
        .iter()
        .map(Check::health)
        .max()
        .unwrap_or(Health::Passing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use resilience::endpoint::Weights;
    use serde_json::{Value, json};

    use super::super::UNKNOWN;
    use super::*;
    use crate::networks;

    fn instance(change: impl FnOnce(&mut Value)) -> Value {
        let mut value = json!({
            "Node": { "Node": "n1", "Address": "10.0.0.9" },
            "Service": {
                "ID": "users-1", "Address": "10.0.0.1", "Port": 8080,
                "Tags": ["zone=b"], "Meta": { "zone": "a", "version": "0.1.0", "ops_port": "8081" },
                "Weights": { "Passing": 10, "Warning": 5 },
            },
            "Checks": [{ "CheckID": "serfHealth", "Status": "passing" }],
        });
        change(&mut value);
        value
    }

    fn translated(instances: Vec<Value>) -> Translated {
        let parsed: Vec<Instance> = serde_json::from_value(Value::Array(instances)).unwrap();
        translate(&parsed, &Networks::new(networks::private(), false))
    }

    fn only(change: impl FnOnce(&mut Value)) -> Endpoint {
        translated(vec![instance(change)]).endpoints.remove(0)
    }

    #[test]
    fn an_instance_becomes_an_endpoint() {
        let endpoint = only(|_| {});
        assert_eq!(endpoint.id.as_str(), "users-1");
        assert_eq!(endpoint.address, "10.0.0.1:8080".parse().unwrap());
        assert_eq!(endpoint.ops_port, Some(8081));
        assert_eq!((endpoint.zone.as_str(), &*endpoint.version), ("a", "0.1.0"));
        assert_eq!(
            endpoint.weights,
            Weights {
                passing: 10,
                warning: 5
            }
        );
        assert_eq!(
            (endpoint.health, endpoint.ever_passed),
            (Health::Passing, true)
        );
    }

    #[test]
    fn the_node_s_address_stands_in_for_a_missing_one() {
        let endpoint = only(|value| value["Service"]["Address"] = json!(""));
        assert_eq!(endpoint.address, "10.0.0.9:8080".parse().unwrap());
    }

    #[test]
    fn health_is_the_worst_check_of_node_and_service() {
        let checks = |states: &[(&str, &str)]| {
            let checks: Vec<Value> = states
                .iter()
                .map(|(id, status)| json!({ "CheckID": id, "Status": status }))
                .collect();
            only(|value| value["Checks"] = Value::Array(checks)).health
        };
        assert_eq!(checks(&[]), Health::Passing);
        assert_eq!(
            checks(&[("serfHealth", "passing"), ("service:x", "warning")]),
            Health::Warning
        );
        assert_eq!(
            checks(&[("serfHealth", "critical"), ("service:x", "passing")]),
            Health::Critical
        );
        assert_eq!(checks(&[("service:x", "strange")]), Health::Critical);
        assert_eq!(
            checks(&[("_node_maintenance", "critical")]),
            Health::Maintenance
        );
        assert_eq!(
            checks(&[("_service_maintenance:x", "critical"), ("y", "critical")]),
            Health::Maintenance
        );
    }

    #[test]
    fn nulls_are_absence() {
        let endpoint = only(|value| {
            value["Checks"] = Value::Null;
            value["Service"]["Meta"] = Value::Null;
            value["Service"]["Tags"] = Value::Null;
            value["Service"]["Weights"] = Value::Null;
        });
        assert_eq!(
            (endpoint.zone.as_str(), &*endpoint.version),
            (UNKNOWN, UNKNOWN)
        );
        assert_eq!(
            endpoint.weights,
            Weights {
                passing: 1,
                warning: 1
            }
        );
    }

    #[test]
    fn zone_falls_back_to_the_tag_and_what_is_not_a_label_is_unknown() {
        let tagged = only(|value| value["Service"]["Meta"] = json!({}));
        assert_eq!(tagged.zone.as_str(), "b");
        let strange = only(|value| value["Service"]["Meta"]["zone"] = json!("A b\n"));
        assert_eq!(strange.zone.as_str(), UNKNOWN);
    }

    #[test]
    fn weights_stay_within_consul_s_range() {
        let endpoint =
            only(|value| value["Service"]["Weights"] = json!({ "Passing": 0, "Warning": 999_999 }));
        assert_eq!(
            endpoint.weights,
            Weights {
                passing: 1,
                warning: 65_535
            }
        );
    }

    #[test]
    fn what_cannot_be_called_is_skipped_and_counted_and_the_rest_stays() {
        let bad = [
            ("Port", json!(0)),
            ("Port", json!(70_000)),
            ("Port", json!(-1)),
            ("Address", json!("users.internal")),
            ("Address", json!("169.254.169.254")),
            ("Address", json!("127.0.0.1")),
            ("Address", json!("8.8.8.8")),
            ("ID", json!("")),
        ];
        let count = bad.len() as u64;
        let mut instances = vec![instance(|_| {})];
        instances.extend(bad.into_iter().enumerate().map(|(n, (key, wrong))| {
            instance(|value| {
                value["Service"]["ID"] = json!(format!("bad-{n}"));
                value["Service"][key] = wrong;
            })
        }));
        let translated = translated(instances);
        assert_eq!(translated.skipped, count);
        assert_eq!(translated.endpoints.len(), 1);
        assert_eq!(translated.endpoints[0].id.as_str(), "users-1");
    }

    #[test]
    fn one_id_on_two_nodes_is_two_endpoints() {
        let second = instance(|value| {
            value["Node"]["Node"] = json!("n2");
            value["Service"]["Address"] = json!("10.0.0.2");
        });
        let ids: Vec<String> = translated(vec![instance(|_| {}), second])
            .endpoints
            .iter()
            .map(|e| e.id.to_string())
            .collect();
        assert_eq!(ids, ["users-1@n1", "users-1@n2"]);
    }
}

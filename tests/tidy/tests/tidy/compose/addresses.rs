//! Who calls whom: every address that a container, Grafana or Prometheus is given is a container of compose, and a port on which it listens.

use serde_json::Value;

use super::{Compose, ports, text};
use crate::yaml;

/// An address, and who is given it.
struct Address {
    whose: String,
    /// `jaeger:4318`.
    written: String,
}

/// The `host:port` of every URL in a text; PostgreSQL's goes without its port.
fn urls(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("://").map(|(at, _)| {
        let scheme = &text[..at];
        let rest = &text[at + 3..];
        let end = rest.find(['/', '"', ' ', '\'', ')']).unwrap_or(rest.len());
        let host = rest[..end].rsplit('@').next().expect("one part at least");
        match scheme.ends_with("postgres") && !host.contains(':') {
            true => format!("{host}:5432"),
            false => host.to_owned(),
        }
    })
}

/// Every string of a document.
fn strings<'a>(json: &'a Value, found: &mut Vec<&'a str>) {
    match json {
        Value::String(text) => found.push(text),
        Value::Array(all) => all.iter().for_each(|one| strings(one, found)),
        Value::Object(all) => all.values().for_each(|one| strings(one, found)),
        _ => {}
    }
}

fn all(compose: &Compose) -> Vec<Address> {
    let mut found = Vec::new();
    let mut given = |whose: &str, written: String| {
        let whose = whose.to_owned();
        found.push(Address { whose, written });
    };
    for (name, container) in &compose.services {
        let environment = container.environment.values().map(String::as_str);
        // A link in Consul's page is for a browser of the host.
        let words = container.words().filter(|word| !word.starts_with("-hcl="));
        for text in environment.chain(words) {
            urls(text).for_each(|url| given(name, url));
        }
    }
    let datasources: Value =
        yaml::read("observability/grafana/provisioning/datasources/datasources.yaml");
    let mut texts = Vec::new();
    strings(&datasources, &mut texts);
    for text in texts {
        urls(text).for_each(|url| given("grafana", url));
    }
    let prometheus: Value = yaml::read("observability/prometheus/prometheus.yml");
    for job in prometheus["scrape_configs"].as_array().expect("a list") {
        let mut targets = Vec::new();
        strings(&job["static_configs"], &mut targets);
        let targets = targets.into_iter().filter(|text| text.contains(':'));
        let catalogue = job["consul_sd_configs"].as_array().into_iter().flatten();
        let catalogue = catalogue.filter_map(|one| one["server"].as_str());
        targets
            .chain(catalogue)
            .for_each(|target| given("prometheus", target.to_owned()));
    }
    found
}

#[test]
fn every_address_is_a_container_and_a_port_on_which_it_listens() {
    let compose = Compose::read();
    let listening = ports::listening(&compose);
    let addresses = all(&compose);
    assert!(addresses.len() > 40, "the addresses were not found");
    let mut wrong = Vec::new();
    for Address { whose, written } in &addresses {
        let (host, port) = written.rsplit_once(':').unwrap_or((written, ""));
        let called = match host {
            "localhost" | "127.0.0.1" => whose,
            name => name,
        };
        let there = listening.get(called);
        if !there.is_some_and(|ports| port.parse().is_ok_and(|port| ports.contains(&port))) {
            wrong.push(format!(
                "{whose} is given {written}; {called} has {there:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_keys_and_the_host_that_k6_uses_are_those_of_the_demo_overlay() {
    let (compose, overlay) = (Compose::read(), text("gateway/demo.toml"));
    let k6 = &compose.services["k6"].environment;
    for variable in ["API_KEY", "LIMITED_KEY"] {
        let told = format!("# X-API-Key: {}\n", k6[variable]);
        assert!(overlay.contains(&told), "gateway/demo.toml lacks: {told}");
    }
    assert!(overlay.contains("admin_hosts = [\"gateway\"]"));
}

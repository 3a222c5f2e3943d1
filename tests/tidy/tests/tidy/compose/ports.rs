//! Who listens where: what is published and asked for is a port of that container, and the number that the configuration has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compose, Container, text, toml};

/// What programs of others listen on by themselves.
const OTHERS: &[(&str, u16)] = &[("grafana", 3000), ("postgres", 5432), ("prometheus", 9090)];

/// Every published port: the container, the variable that moves it, the number.
const PUBLISHED: &[(&str, &str, u16)] = &[
    ("consul", "LICTOR_CONSUL_PORT", 8500),
    ("gateway", "LICTOR_GATEWAY_ADMIN_PORT", 8082),
    ("gateway", "LICTOR_GATEWAY_OPS_PORT", 8081),
    ("gateway", "LICTOR_GATEWAY_PORT", 8080),
    ("grafana", "LICTOR_GRAFANA_PORT", 3000),
    ("jaeger", "LICTOR_JAEGER_PORT", 16686),
    ("jaeger", "LICTOR_OTLP_PORT", 4318),
    ("prometheus", "LICTOR_PROMETHEUS_PORT", 9090),
];

/// The port at the end of an address.
fn port(address: &str) -> u16 {
    let digits = address.rsplit(':').next().unwrap_or_default();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("{address} has no port"))
}

/// The variables of `jaeger.yaml` that are ports, with their defaults: `${env:JAEGER_QUERY_PORT:-16686}`.
fn of_jaeger() -> BTreeMap<String, u16> {
    let yaml = text("observability/jaeger/jaeger.yaml");
    let variables = yaml.split("${env:").skip(1);
    let ports = variables.filter_map(|after| after.split('}').next()?.split_once(":-"));
    ports
        .filter(|(name, _)| name.ends_with("_PORT"))
        .map(|(name, number)| (name.to_owned(), number.parse().expect("a port")))
        .collect()
}

/// Where each container listens.
pub fn listening(compose: &Compose) -> BTreeMap<&str, BTreeSet<u16>> {
    let of = |name: &str, container: &Container| -> BTreeSet<u16> {
        let environment = container.environment.iter();
        let own = environment
            .filter(|(key, _)| key.starts_with("LICTOR_SERVER__"))
            .map(|(_, address)| port(address));
        let others = OTHERS.iter().filter(|(other, _)| *other == name);
        let mut found: BTreeSet<u16> = own.chain(others.map(|(_, number)| *number)).collect();
        if name == "jaeger" {
            found.extend(of_jaeger().values());
        }
        if name == "consul" {
            let common = toml("shared/service/service.toml");
            found.insert(port(common["consul"]["address"].as_str().expect("a URL")));
        }
        found
    };
    let containers = compose.services.iter();
    containers
        .map(|(name, container)| (name.as_str(), of(name, container)))
        .collect()
}

#[test]
fn every_published_port_is_listened_on_has_a_variable_and_stays_on_this_host() {
    let compose = Compose::read();
    let mut found = BTreeSet::new();
    for (name, container) in &compose.services {
        for written in &container.ports {
            let (published, own) = written.rsplit_once(':').expect("three parts");
            let (bind, variable) = published
                .split_once(":${")
                .unwrap_or_else(|| panic!("{name}: no variable moves {written}"));
            let (variable, default) = variable
                .strip_suffix('}')
                .and_then(|inside| inside.split_once(":-"))
                .unwrap_or_else(|| panic!("{name}: {written} has no default"));
            assert_eq!(default, own, "{name}: {written}");
            // Nothing but the public port can face the world.
            let wanted = match variable {
                "LICTOR_GATEWAY_PORT" => "${LICTOR_BIND:-127.0.0.1}",
                _ => "127.0.0.1",
            };
            assert_eq!(bind, wanted, "{name}: {written}");
            let listens = &listening(&compose)[name.as_str()];
            let own = port(own);
            assert!(listens.contains(&own), "{name} listens on {listens:?} only");
            found.insert((name.clone(), variable.to_owned(), own));
        }
    }
    let wanted = PUBLISHED.iter();
    let wanted = wanted.map(|(name, variable, own)| ((*name).into(), (*variable).into(), *own));
    assert_eq!(found, wanted.collect());
}

#[test]
fn our_listeners_have_the_ports_of_the_gateway_s_configuration_everywhere() {
    let gateway = toml("gateway/gateway.toml");
    let docker = text("Dockerfile");
    let mut exposed = Vec::new();
    for key in ["public", "ops", "admin"] {
        let own = port(gateway["server"][key].as_str().expect("an address"));
        let (variable, everywhere) = (
            format!("LICTOR_SERVER__{}", key.to_uppercase()),
            format!("0.0.0.0:{own}"),
        );
        let line = format!("{variable}={everywhere}");
        assert!(docker.contains(&line), "Dockerfile lacks: {line}");
        exposed.push(own.to_string());
        let ours = Compose::read().services.into_iter();
        for (name, container) in ours.filter(|(_, container)| container.package().is_some()) {
            assert_eq!(container.environment[&variable], everywhere, "{name}");
        }
    }
    let line = format!("EXPOSE {}\n", exposed.join(" "));
    assert!(docker.contains(&line), "Dockerfile lacks: {line}");
}

#[test]
fn spans_are_taken_on_the_ports_that_the_configuration_and_a_native_run_name() {
    let ports = of_jaeger();
    let (http, grpc) = (
        ports["JAEGER_OTLP_HTTP_PORT"],
        ports["JAEGER_OTLP_GRPC_PORT"],
    );
    let common = text("shared/service/service.toml");
    let told = format!("# otlp_endpoint = \"http://127.0.0.1:{http}\"");
    assert!(common.contains(&told), "service.toml lacks: {told}");
    let page = text("observability/README.md");
    let told = format!("OTLP in ({http} http, {grpc} grpc)");
    assert!(
        page.contains(&told),
        "observability/README.md lacks: {told}"
    );
    let native = text("tests/stack/src/jaeger.rs");
    for variable in ["QUERY", "OTLP_HTTP", "OTLP_GRPC", "SPANMETRICS"] {
        let call = format!("port({})", ports[&format!("JAEGER_{variable}_PORT")]);
        assert!(
            native.contains(&call),
            "a native run does not ask for {call}"
        );
    }
}

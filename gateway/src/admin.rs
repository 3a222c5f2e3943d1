//! The gateway's part of the admin listener: its routes, and the registry. What it says of itself is `admin/status.rs`'s, of the last requests `admin/requests.rs`'s; `admin/page.rs` shows all of it to people.
//!
//! Looking is free for whoever reaches the listener; registering a service needs the admin token.

pub mod page;
pub mod registry;
pub mod requests;
pub mod status;

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Instant};

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use service::{Error, Identity, admin::Token, input::Json};

use self::registry::{External, Instance, Refused, Registry, instances};
use crate::gateway::Gateway;

/// The servers of Consul itself; whoever joined them would be asked for the catalogue.
const CONSUL: &str = "consul";

/// What the handlers look at.
#[derive(Clone)]
pub struct Desk {
    pub gateway: Arc<Gateway>,
    pub registry: Registry,
    pub identity: Identity,
}

/// The routes.
pub fn configure(desk: Desk) -> impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static {
    move |config| {
        config
            .app_data(web::Data::new(desk.clone()))
            .route("/services", web::get().to(services))
            .route("/services", web::post().to(register))
            .route("/services/{name}/health", web::get().to(service_health))
            .route("/gateway/status", web::get().to(status::status))
            .route("/gateway/requests", web::get().to(requests::requests))
            .route("/", web::get().to(page::page))
            .route("/page.css", web::get().to(page::style))
            .route("/page.js", web::get().to(page::script));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewService {
    name: String,
    url: String,
}

#[derive(Serialize)]
struct Registered {
    id: String,
    name: String,
    check: String,
}

/// What the registry says when the process is on its way out.
fn leaving() -> Error {
    Error::unavailable("draining", "this gateway is leaving")
}

async fn services(desk: web::Data<Desk>) -> Result<HttpResponse, Error> {
    let views = desk.registry.all().await.ok_or_else(leaving)?;
    let now = Instant::now();
    let listed: BTreeMap<&String, Vec<Instance>> = views
        .iter()
        .map(|(name, view)| (name, instances(view, now)))
        .collect();
    Ok(HttpResponse::Ok().json(serde_json::json!({ "services": listed })))
}

async fn service_health(
    desk: web::Data<Desk>,
    name: web::Path<String>,
) -> Result<HttpResponse, Error> {
    let views = desk.registry.all().await.ok_or_else(leaving)?;
    let name = name.into_inner();
    let view = views
        .get(&name)
        .ok_or_else(|| Error::not_found("service", plain(&name)))?;
    let instances = instances(view, Instant::now());
    let well = instances
        .iter()
        .any(|instance| instance.status == "healthy");
    let status = if well { "healthy" } else { "unhealthy" };
    Ok(HttpResponse::Ok()
        .json(serde_json::json!({ "service": name, "status": status, "instances": instances })))
}

impl Desk {
    /// Whether instances of a routed service are there that brought their own ops port, as ours do:
    /// a stranger beside them would get their traffic.
    fn registers_itself(&self, name: &str) -> bool {
        let upstream = self.gateway.upstreams.get(name);
        upstream.is_some_and(|upstream| {
            let snapshot = upstream.pool.view().current();
            snapshot
                .endpoints()
                .iter()
                .any(|endpoint| endpoint.ops_port.is_some())
        })
    }
}

async fn register(
    _: Token,
    desk: web::Data<Desk>,
    body: Json<NewService>,
) -> Result<HttpResponse, Error> {
    let Json(NewService { name, url }) = body;
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > 64 || !name.bytes().all(letters) {
        return Err(Error::invalid("name", "must be 1 to 64 of a-z, 0-9 and -"));
    }
    if name == CONSUL {
        return Err(Error::invalid("name", "is the catalogue's own service"));
    }
    if name == desk.identity.service || desk.registers_itself(&name) {
        return Err(Error::conflict(
            "registers_itself",
            format!("instances of {name} register themselves"),
        ));
    }
    let (address, port) = parse(&url)?;
    let external = External {
        name: name.clone(),
        address,
        port,
        check: url.clone(),
    };
    let id = desk.registry.register(external).await.ok_or_else(leaving)?;
    let id = id.map_err(|refused| match refused {
        Refused::Address => Error::invalid(
            "url",
            "must be in consul.allowed_networks: an instance anywhere else is skipped",
        ),
        Refused::Agent(error) => {
            Error::unavailable("consul_unavailable", "the Consul agent did not take it")
                .cause(error)
        }
    })?;
    tracing::warn!(name, url, id, "service registered by an operator");
    Ok(HttpResponse::Created().json(Registered {
        id,
        name,
        check: url,
    }))
}

/// The address and port of an `http://` URL without credentials.
fn parse(url: &str) -> Result<(IpAddr, u16), Error> {
    let bad = |detail: &str| Error::invalid("url", detail);
    let uri: http::Uri = url.parse().map_err(|_| bad("is not a URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(bad("must begin with http://"));
    }
    let authority = uri.authority().ok_or_else(|| bad("names no host"))?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(bad("must name a host, and no user"));
    }
    const HTTP: u16 = 80;
    let host = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let address = host
        .parse()
        .map_err(|_| bad("must name an IP address: an instance with a name is skipped"))?;
    // Not `port_u16`: it says of 70000 what it says of no port at all.
    let port = match authority.as_str()[authority.host().len()..].strip_prefix(':') {
        None => HTTP,
        Some(port) => port.parse().unwrap_or(0),
    };
    if port == 0 {
        return Err(bad("must name a port from 1 to 65535"));
    }
    Ok((address, port))
}

/// A name from outside, fit for a sentence.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_graphic)
        .take(64)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_address_and_port() {
        for (url, address, port) in [
            ("http://10.0.0.7:9000/healthz", "10.0.0.7", 9000),
            ("http://10.0.0.7", "10.0.0.7", 80),
            ("http://[::1]:81/", "::1", 81),
        ] {
            assert_eq!(parse(url).unwrap(), (address.parse().unwrap(), port));
        }
        for wrong in [
            "",
            "/healthz",
            "10.0.0.7:9000",
            "https://x/",
            "ftp://x/",
            "http://user:word@x/",
            "http://",
            "http://shop.internal/",
            "http://10.0.0.7:0/",
            "http://10.0.0.7:70000/",
            "http://10.0.0.256/",
        ] {
            assert_eq!(parse(wrong).unwrap_err().status(), 400, "{wrong}");
        }
    }
}

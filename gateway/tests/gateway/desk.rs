//! The admin listener's routes, in front of a scripted Consul agent.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{App, HttpResponse, body, test};
use bytes::Bytes;
use consul::{Agent, AgentConfig};
use gateway::{
    admin::{
        self, Desk,
        registry::{External, Refused, Registry},
    },
    gateway::Gateway,
};
use serde_json::{Value, json};

use crate::{
    rig,
    upstream::{Then, Upstream, ok},
};

/// Knows one service that is not ours, and takes registrations.
pub fn agent() -> Upstream {
    Upstream::playing(|turn| {
        turn.read_body();
        let path = turn.seen.line.split(' ').nth(1).unwrap();
        let body = match path.split('?').next().unwrap() {
            "/v1/agent/services" => {
                json!({ "mail-1": { "ID": "mail-1", "Service": "mail", "Address": "127.0.0.1", "Port": 25 } })
            }
            "/v1/health/service/mail" => json!([{
                "Node": { "Node": "here", "Address": "127.0.0.1" },
                "Service": { "ID": "mail-1", "Service": "mail", "Address": "127.0.0.1", "Port": 25 },
                "Checks": [{ "Status": "passing" }],
            }]),
            _ => json!(null),
        };
        turn.write(
            ok(&body.to_string())
                .replace("\r\n\r\n", "\r\nX-Consul-Index: 7\r\n\r\n")
                .as_bytes(),
        );
        Then::Keep
    })
}

/// What the desk of a gateway that nobody has asked anything answers to a GET.
async fn look(agent: &Upstream, path: &str) -> (u16, Value) {
    let shop = Upstream::well();
    let gateway = rig::build(
        "",
        &BTreeMap::from([(String::new(), vec![shop.address])]),
        prometheus::Registry::new(),
    );
    let (head, body) = ask(Arc::new(gateway), agent, path).await;
    (
        head.status().as_u16(),
        serde_json::from_slice(&body).unwrap(),
    )
}

/// What the desk of that gateway answers to a GET.
pub async fn ask(gateway: Arc<Gateway>, agent: &Upstream, path: &str) -> (HttpResponse<()>, Bytes) {
    let desk = Desk {
        gateway,
        registry: registry(agent),
        identity: identity(),
    };
    let app = test::init_service(App::new().configure(admin::configure(desk))).await;
    let answer = test::call_service(&app, test::TestRequest::get().uri(path).to_request()).await;
    let (head, body) = answer.into_parts().1.into_parts();
    (head, body::to_bytes(body).await.unwrap())
}

fn registry(agent: &Upstream) -> Registry {
    let config = AgentConfig {
        address: format!("http://{}", agent.address),
        ..AgentConfig::default()
    };
    let (registry, answering) = Registry::new(Agent::new(&config).unwrap(), BTreeMap::new());
    actix_web::rt::spawn(answering);
    registry
}

fn identity() -> service::Identity {
    service::Identity {
        service: "gateway",
        instance: "gateway-1".into(),
        weight: 10,
        zone: "a".into(),
        version: "0.1.0",
        environment: "test".into(),
        address: [127, 0, 0, 1].into(),
        public_port: 1,
        ops_port: 2,
    }
}

#[actix_web::test]
async fn the_registry_shows_services_that_are_not_ours() {
    let agent = agent();
    let (status, body) = look(&agent, "/services").await;
    assert_eq!(status, 200);
    assert_eq!(
        (
            &body["services"]["mail"][0]["id"],
            &body["services"]["mail"][0]["status"]
        ),
        (&json!("mail-1"), &json!("healthy"))
    );
    let (status, body) = look(&agent, "/services/mail/health").await;
    assert_eq!((status, &body["status"]), (200, &json!("healthy")));
    let (status, body) = look(&agent, "/services/nothing/health").await;
    assert_eq!((status, &body["code"]), (404, &json!("not_found")));
}

#[actix_web::test]
async fn a_service_is_registered_with_a_check_on_its_url() {
    let agent = agent();
    let check = "http://10.0.0.7:9000/healthz".to_owned();
    let external = External {
        name: "mail".into(),
        address: [10, 0, 0, 7].into(),
        port: 9000,
        check: check.clone(),
    };
    let id = registry(&agent).register(external).await.unwrap().unwrap();
    assert_eq!(id, "mail-10-0-0-7-9000");
    let seen = agent.seen();
    let registered = seen
        .iter()
        .find(|seen| seen.line.starts_with("PUT /v1/agent/service/register"))
        .unwrap();
    let body: Value = serde_json::from_slice(&registered.body).unwrap();
    assert_eq!(
        (&body["Name"], &body["Port"], &body["Check"]["HTTP"]),
        (&json!("mail"), &json!(9000), &json!(check))
    );
    assert_eq!(
        body["Check"]["Status"], "critical",
        "until the agent has asked"
    );
}

#[actix_web::test]
async fn an_address_that_the_watch_would_skip_is_not_registered() {
    let agent = agent();
    for address in ["8.8.8.8", "169.254.169.254", "0.0.0.0", "2001:db8::1"] {
        let external = External {
            name: "mail".into(),
            address: address.parse().unwrap(),
            port: 9000,
            check: format!("http://{address}:9000/"),
        };
        let refused = registry(&agent).register(external).await.unwrap();
        assert!(matches!(refused, Err(Refused::Address)), "{address}");
    }
    assert_eq!(agent.count(), 0);
}

#[actix_web::test]
async fn the_status_lists_every_route_and_every_breaker() {
    let agent = agent();
    let (status, body) = look(&agent, "/gateway/status").await;
    assert_eq!(status, 200);
    let routes = body["routes"].as_array().unwrap();
    let users = routes
        .iter()
        .find(|route| route["name"] == "users")
        .unwrap();
    assert_eq!(
        (&users["path"], &users["upstream"], &users["requests"]),
        (&json!("/api/users"), &json!("users"), &json!(0))
    );
    assert_eq!(body["consul"]["condition"], "current");
    assert_eq!(body["limits"]["gateways"], 1);
    let limits = body["limits"]["groups"].as_array().unwrap();
    let names: Vec<&Value> = limits.iter().map(|limit| &limit["name"]).collect();
    assert_eq!(
        names,
        ["address", "browse", "health", "orders", "sign_in", "users"]
    );
    assert_eq!(
        (&limits[5]["requests"], &limits[5]["per_ms"]),
        (&json!(100), &json!(60_000))
    );
    let breakers = body["upstreams"].as_array().unwrap();
    assert_eq!(breakers.len(), 5);
    assert!(breakers.iter().all(|breaker| breaker["state"] == "closed"));
}

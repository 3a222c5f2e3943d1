//! The services that this process calls, as an operator sees and steers them.
//!
//! Looking is free; a breaker's mode is changed with the token, lasts as long as the process, and gives way to the next
//! change of its key in Consul's KV store.

use super::Token;
use crate::{Error, input};
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use upstream::{Mode, Pool, Status};

/// By name in Consul.
type Upstreams = web::Data<BTreeMap<String, Arc<Pool>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Breaker {
    mode: String,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/upstreams", web::get().to(all))
        .route("/upstreams/{name}", web::get().to(one))
        .route("/upstreams/{name}/breaker", web::put().to(set_breaker));
}

async fn all(upstreams: Upstreams) -> HttpResponse {
    let now = Instant::now();
    let all: Vec<Status> = upstreams.values().map(|pool| pool.status(now)).collect();
    HttpResponse::Ok().json(serde_json::json!({ "upstreams": all }))
}

async fn one(upstreams: Upstreams, name: web::Path<String>) -> Result<HttpResponse, Error> {
    let status = found(&upstreams, &name)?.status(Instant::now());
    Ok(HttpResponse::Ok().json(status))
}

async fn set_breaker(
    _: Token,
    upstreams: Upstreams,
    name: web::Path<String>,
    input::Json(Breaker { mode }): input::Json<Breaker>,
) -> Result<HttpResponse, Error> {
    let pool = found(&upstreams, &name)?;
    let mode = mode
        .parse::<Mode>()
        .map_err(|unknown| Error::invalid("mode", unknown.to_string()))?;
    pool.set_breaker_mode(mode, Instant::now());
    tracing::warn!(
        upstream = pool.name(),
        mode = mode.as_str(),
        "breaker mode set by an operator"
    );
    Ok(HttpResponse::Ok().json(pool.status(Instant::now())))
}

fn found<'a>(upstreams: &'a Upstreams, name: &str) -> Result<&'a Arc<Pool>, Error> {
    let plain = || {
        name.chars()
            .filter(char::is_ascii_graphic)
            .take(64)
            .collect::<String>()
    };
    upstreams
        .get(name)
        .ok_or_else(|| Error::not_found("upstream", plain()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::admin::Controls;
    use crate::latch::Readiness;
    use actix_web::{App, test};
    use consul::View;
    use serde_json::{Value, json};
    use telemetry::LogFilter;
    use upstream::{Metrics, PoolConfig, Zone};

    /// One upstream, `users`, that nobody has registered for.
    fn users(registry: &prometheus::Registry) -> BTreeMap<String, Arc<Pool>> {
        let pool = Pool::new(
            "users",
            PoolConfig::default(),
            Zone::new("a"),
            View::fixed("users", Vec::new()),
            View::fixed("orders", Vec::new()),
            Metrics::register(registry).unwrap(),
        );
        BTreeMap::from([("users".to_owned(), pool)])
    }

    /// What the routes answer to the holder of the token.
    async fn ask(
        upstreams: &BTreeMap<String, Arc<Pool>>,
        request: test::TestRequest,
    ) -> (u16, Value) {
        let (log, _applies) = LogFilter::new("info").unwrap();
        let controls = Controls {
            token: Some("right".to_owned().into()),
            hosts: Vec::new(),
            healthy: Readiness::default().latch("healthy"),
            log,
            upstreams: upstreams.clone(),
        };
        let app = App::new()
            .app_data(web::Data::new(controls))
            .app_data(web::Data::new(upstreams.clone()))
            .configure(routes);
        let answer = test::call_service(&test::init_service(app).await, request.to_request()).await;
        (answer.status().as_u16(), test::read_body_json(answer).await)
    }

    fn put(name: &str, body: &Value) -> test::TestRequest {
        let path = format!("/upstreams/{name}/breaker");
        test::TestRequest::put().uri(&path).set_json(body)
    }

    fn authorized(request: test::TestRequest) -> test::TestRequest {
        request.insert_header(("Authorization", "Bearer right"))
    }

    #[actix_web::test]
    async fn a_mode_is_set_shown_with_its_transition_and_counted_once() {
        let registry = prometheus::Registry::new();
        let upstreams = users(&registry);
        let pool = &upstreams["users"];
        let set = |mode: &str| authorized(put("users", &json!({ "mode": mode })));

        for _ in 0..2 {
            let (status, body) = ask(&upstreams, set("forced_open")).await;
            assert_eq!(
                (status, &body["breaker"]["mode"]),
                (200, &json!("forced_open"))
            );
        }
        let refused = pool.admit(Instant::now()).unwrap_err();
        assert_eq!((refused.status, &*refused.code), (503, "circuit_open"));
        let (_, body) = ask(&upstreams, test::TestRequest::get().uri("/upstreams")).await;
        let last = &body["upstreams"][0]["breaker"]["last_transition"];
        assert_eq!(
            (&last["to"], &last["reason"]),
            (&json!("open"), &json!("operator"))
        );

        let (_, body) = ask(&upstreams, set("auto")).await;
        assert_eq!(body["breaker"]["state"], "closed");
        assert!(pool.admit(Instant::now()).is_ok());
        for mode in ["observe", "disabled"] {
            let (_, body) = ask(&upstreams, set(mode)).await;
            assert_eq!(
                (&body["breaker"]["mode"], &body["breaker"]["state"]),
                (&json!(mode), &json!("closed"))
            );
        }
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap();
        for to in ["open", "closed"] {
            let series =
                format!("lictor_breaker_transitions_total{{to=\"{to}\",upstream=\"users\"}} 1\n");
            assert!(text.contains(&series), "{series}{text}");
        }
    }

    #[actix_web::test]
    async fn what_is_unknown_wrong_or_not_authorized_changes_nothing() {
        let upstreams = users(&prometheus::Registry::new());
        for (request, status, code, field) in [
            (
                put("users", &json!({ "mode": "disabled" })),
                401,
                "admin_token_required",
                None,
            ),
            (
                authorized(put("nobody", &json!({ "mode": "auto" }))),
                404,
                "not_found",
                None,
            ),
            (
                authorized(put("users", &json!({ "mode": "open" }))),
                400,
                "invalid_field",
                Some("mode"),
            ),
            (
                authorized(put("users", &json!({ "mode": 1 }))),
                400,
                "invalid_field",
                Some("mode"),
            ),
            (
                authorized(put("users", &json!({}))),
                400,
                "invalid_field",
                Some("mode"),
            ),
            (
                authorized(put("users", &json!({ "mode": "auto", "for_s": 1 }))),
                400,
                "invalid_field",
                Some("for_s"),
            ),
            (
                test::TestRequest::get().uri("/upstreams/nobody"),
                404,
                "not_found",
                None,
            ),
        ] {
            let (answered, problem) = ask(&upstreams, request).await;
            assert_eq!(
                (
                    answered,
                    problem["code"].as_str(),
                    problem["field"].as_str()
                ),
                (status, Some(code), field)
            );
        }
        let (_, body) = ask(&upstreams, test::TestRequest::get().uri("/upstreams/users")).await;
        assert_eq!(body["breaker"]["mode"], "auto");
    }
}

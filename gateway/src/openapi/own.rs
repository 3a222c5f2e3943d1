//! What the gateway says of itself: its aggregates, its credentials, and what it may answer in front of every service.
//!
//! An aggregate is described under its kind, such as `/profile`; where it really is, routes say.

use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::{aggregate, auth::Access, openapi, route::Aggregate, route::Route};

const KEY: &str = "key";
const TOKEN: &str = "token";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lictor",
        description = "Everything that the gateway lets the world reach."
    ),
    paths(
        aggregate::profile,
        aggregate::dashboard,
        aggregate::health::all,
        aggregate::health::one,
        openapi::answer,
    )
)]
struct Api;

/// The document before any service is in it; its paths are kinds of aggregates.
pub fn document() -> Value {
    let mut document = service::openapi::document(Api::openapi());
    let components = &mut document["components"];
    components["securitySchemes"] = json!({
        KEY: { "type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`ID.SECRET`, from the operator." },
        TOKEN: { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From `POST /api/auth/token`." },
    });
    let refusal = |why: &str| json!({ "description": why, "content": service::openapi::problem() });
    components["responses"] = json!({
        "401": refusal("Nobody that is known: no credential, or none that is good."),
        "403": refusal("`scope_missing`"),
        "429": refusal("`rate_limited`: `Retry-After` says until when."),
    });
    document
}

/// Where [`document`] has an aggregate.
pub fn kind(aggregate: Aggregate) -> &'static str {
    match aggregate {
        Aggregate::Profile => "/profile",
        Aggregate::Dashboard => "/dashboard",
        Aggregate::Health => "/health",
        Aggregate::ServiceHealth => "/service_health",
        Aggregate::Openapi => "/openapi",
    }
}

/// Adds to an operation what its route asks of a client, and what the gateway answers who does not have it.
///
/// The operation is ours, or of a document that `document.rs` has read: so it and its answers are objects.
pub fn guard(operation: &mut Value, route: &Route) {
    let way = |scheme: &str| json!({ scheme: route.scopes });
    let ways = match route.access {
        Access::Public => vec![],
        Access::Key => vec![way(KEY)],
        Access::Jwt => vec![way(TOKEN)],
        Access::Any => vec![way(KEY), way(TOKEN)],
    };
    let refusals: &[&str] = if ways.is_empty() {
        &["429"]
    } else {
        &["401", "403", "429"]
    };
    operation["security"] = ways.into();
    for status in refusals {
        let answer = &mut operation["responses"][status];
        if answer.is_null() {
            *answer = json!({ "$ref": format!("#/components/responses/{status}") });
        }
    }
}

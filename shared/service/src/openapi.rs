//! What a service says of its own API: OpenAPI 3.1, made from its handlers and types.
//!
//! Each service serves its document at [`PATH`] on the public listener, where the gateway asks for it and joins all of them.
//! A handler names what is its own; what every refusal looks like is added here, once.
//! Who may call what is the gateway's to say: a service knows no credentials, so its document names none.

use crate::error::{PROBLEM_JSON, Problem};
use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, ServiceConfig, get, resource};
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::OpenApi;

/// Where the document is.
pub const PATH: &str = "/openapi.json";

/// The document as it is served: a status of 400 and above without a body of its own is a problem, and so is what no handler names.
pub fn document(api: OpenApi) -> Value {
    let mut document = plain(api);
    let paths = document["paths"].as_object_mut().into_iter();
    let operations = paths
        .flat_map(Map::values_mut)
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    for operation in operations {
        let parsed = ["parameters", "requestBody"].map(|part| operation.get(part).is_some());
        let answers = &mut operation["responses"];
        if parsed.contains(&true) {
            answers["400"] =
                json!({ "description": "What was sent cannot be read; `field` says where." });
        }
        answers["default"] = json!({ "description": "Any other refusal; `code` says which." });
        let answers = answers.as_object_mut().into_iter().flatten();
        for (_, answer) in answers.filter(|(status, answer)| is_bare_refusal(status, answer)) {
            answer["content"] = problem();
        }
    }
    document["components"]["schemas"]["Problem"] = plain(Problem::schema());
    document
}

/// Registers the document beside the routes that it describes.
pub(crate) fn serve(text: &Bytes, config: &mut ServiceConfig) {
    let text = text.clone();
    let answer = move || {
        let answer = HttpResponse::Ok()
            .insert_header(ContentType::json())
            .body(text.clone());
        std::future::ready(answer)
    };
    config.service(resource(PATH).route(get().to(answer)));
}

/// What the body of a refusal is.
pub fn problem() -> Value {
    json!({ PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } })
}

fn is_bare_refusal(status: &str, answer: &Value) -> bool {
    let refuses = status == "default" || status.starts_with(['4', '5']);
    refuses && answer.get("content").is_none()
}

fn plain(part: impl serde::Serialize) -> Value {
    serde_json::to_value(part).expect("a description is plain data")
}

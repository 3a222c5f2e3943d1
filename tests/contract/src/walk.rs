//! Calls everything that a document tells of, as it tells it, and looks at what comes back.

use crate::document::{fits, operations};
use crate::example::example;
use awc::http::Method;
use awc::http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use std::time::Duration;

/// Something that can be called.
#[derive(Debug)]
pub struct Operation<'d> {
    /// In upper case.
    pub method: String,
    /// With its placeholders.
    pub path: &'d str,
    /// All that is told of it.
    pub told: &'d Value,
}

/// Whoever makes comes before whoever changes, looks and takes away.
const ORDER: [&str; 4] = ["POST", "PUT", "GET", "DELETE"];
/// Hashes of passwords take half a second in a debug build.
const PATIENCE: Duration = Duration::from_secs(30);

impl<'d> Operation<'d> {
    /// Names and schemas of its parameters in the path, the query or the header.
    pub fn parameters(&self, place: &'static str) -> impl Iterator<Item = (&'d str, &'d Value)> {
        let all = self.told["parameters"].as_array().into_iter().flatten();
        all.filter(move |parameter| parameter["in"] == place)
            .map(|parameter| {
                (
                    parameter["name"].as_str().unwrap_or(""),
                    &parameter["schema"],
                )
            })
    }

    fn body(&self) -> Option<&'d Value> {
        self.told
            .pointer("/requestBody/content/application~1json/schema")
    }
}

/// Calls every operation with the document's own examples: no parser refuses them, every status is told of, and every
/// body fits what is told.
///
/// # Panics
/// With everything that is not so.
pub async fn walk(url: &str, document: &Value) {
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let mut all = operations(document);
    all.sort_by_key(|operation| ORDER.iter().position(|method| *method == operation.method));
    let mut wrong = Vec::new();
    for operation in all {
        let mut path = operation.path.to_owned();
        for (name, schema) in operation.parameters("path") {
            let value = example(document, schema);
            let text = value.as_str().expect("what stands in a path is text");
            path = path.replace(&format!("{{{name}}}"), text);
        }
        let method = Method::from_bytes(operation.method.as_bytes()).expect("it is a method");
        let request = client.request(method, format!("{url}{path}"));
        let sent = match operation.body() {
            Some(schema) => request.send_json(&example(document, schema)),
            None => request.insert_header((ACCEPT, "*/*")).send(),
        };
        let mut answer = sent.await.expect("an answer");
        let body = answer.body().await.expect("a body");
        let status = answer.status().as_u16();
        let media = answer.headers().get(CONTENT_TYPE);
        let media = media.and_then(|media| media.to_str().ok()).unwrap_or("");
        if let Err(why) = is_told(document, &operation, status, media, &body) {
            let body = String::from_utf8_lossy(&body);
            wrong.push(format!(
                "{} {path}: {status}: {why}: {body}",
                operation.method
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The document of a service.
pub(crate) async fn document(url: &str) -> Value {
    let client = awc::Client::default();
    let answer = client.get(format!("{url}/openapi.json")).send().await;
    let answer = answer.expect("an answer").json().limit(1 << 20).await;
    answer.expect("a document")
}

fn is_told(
    document: &Value,
    operation: &Operation<'_>,
    status: u16,
    media: &str,
    body: &[u8],
) -> Result<(), String> {
    if status == 400 {
        return Err("its own example is refused".into());
    }
    let told = operation.told["responses"].get(status.to_string());
    let told = told.ok_or("nothing is told of this status")?;
    let Some(content) = told.get("content") else {
        return if body.is_empty() {
            Ok(())
        } else {
            Err("no body is told of".into())
        };
    };
    let schema = content.get(media).ok_or("nothing is told of this type")?;
    let value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    fits(document, &schema["schema"], &value)
}

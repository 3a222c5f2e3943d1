//! One request to an instance's admin listener, with the run's token.

use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::instance::{ADMIN_TOKEN, Instance};

/// An admin listener answers at once or is not there.
const LIMIT: Duration = Duration::from_secs(5);

/// What the listener says; a refusal is an error that names the instance.
pub(crate) async fn operate(
    instance: &Instance,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Error> {
    let token = instance
        .unit
        .program()
        .env
        .get(ADMIN_TOKEN)
        .cloned()
        .unwrap_or_default();
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let client = Client::new(instance.addresses.admin);
    let why = match client.call(method, path, body, &headers, LIMIT).await {
        Ok(answer) if answer.status < 300 => return Ok(answer.json()),
        Ok(answer) => refusal(&answer.json(), answer.status),
        Err(failure) => failure.to_string(),
    };
    Err(Error::Other(format!("{}: {why}", instance.name())))
}

/// What a problem says, for a person.
fn refusal(problem: &Value, status: u16) -> String {
    let text = |field: &str| problem[field].as_str().unwrap_or_default();
    match text("field") {
        "" => format!("{} ({status} {})", text("detail"), text("code")),
        field => format!("{field} = {}", text("detail")),
    }
}

//! The verbs that tests use, over one connection pool.

use awc::http::Method;
use serde_json::Value;

/// Speaks to one address.
pub struct Http {
    pub url: String,
    client: awc::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub media: String,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    pub replayed: bool,
    pub body: Value,
}

impl Http {
    pub fn new(url: &str) -> Self {
        let client = awc::Client::builder()
            .timeout(std::time::Duration::from_secs(30))
            .finish();
        Self {
            url: url.to_owned(),
            client,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, String::new(), &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, String::new(), &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, body.to_string(), &[]).await
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Answer {
        let answer = self.try_send(method, path, body, headers).await;
        answer.expect("an answer")
    }

    /// None when the connection was cut off.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: String,
        headers: &[(&str, &str)],
    ) -> Option<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        request = request.insert_header(("content-type", "application/json"));
        for header in headers {
            request = request.insert_header(*header);
        }
        let mut response = request.send_body(body).await.ok()?;
        let bytes = response.body().await.ok()?;
        let text = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        Some(Answer {
            status: response.status().as_u16(),
            media: text("content-type").unwrap_or_default(),
            retry_after: text("retry-after"),
            location: text("location"),
            replayed: text("idempotent-replayed").is_some(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }
}

impl Answer {
    /// The problem's status, code and field.
    pub fn problem(&self) -> (u16, &str, &str) {
        assert_eq!(self.media, "application/problem+json", "{self:?}");
        (
            self.status,
            self.body["code"].as_str().unwrap(),
            self.body["field"].as_str().unwrap_or_default(),
        )
    }

    /// A field of the body that is a text.
    pub fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_default()
    }
}

//! A JSON body, read within the size limit and parsed strictly.

use super::{Objects, refused};
use crate::Error;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::BytesMut;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

/// The body as `T`: 415 for another media type, 413 when too large, 400 with the field otherwise.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// The size limit of this listener, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimit(pub usize);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let limit = request
            .app_data::<web::Data<BodyLimit>>()
            .map_or(65_536, |limit| limit.0);
        let declared = is_json(request);
        let payload = payload.take();
        Box::pin(async move {
            if !declared {
                return Err(Error::new(
                    415,
                    "unsupported_media_type",
                    "send application/json",
                ));
            }
            parse(&read(payload, limit).await?)
        })
    }
}

fn is_json(request: &HttpRequest) -> bool {
    let Some(value) = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let media = value.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

async fn read(mut payload: Payload, limit: usize) -> Result<BytesMut, Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Error::new(400, "body_unreadable", "the body ended early").cause(error)
        })?;
        if body.len() + chunk.len() > limit {
            let detail = format!("a body may have {limit} bytes at most");
            return Err(Error::new(413, "body_too_large", detail));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<Json<T>, Error> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(Objects(&mut parser)).map_err(|error| {
        let inner = error.inner();
        if inner.is_data() {
            return refused(error.path().to_string(), &inner.to_string(), "body");
        }
        Error::new(400, "invalid_json", inner.to_string()).field("body")
    })?;
    parser
        .end()
        .map_err(|error| Error::new(400, "invalid_json", error.to_string()).field("body"))?;
    Ok(Json(value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use actix_web::ResponseError;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Order {
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only parsed")]
    struct Line {
        quantity: u32,
    }

    async fn problem(body: &str) -> serde_json::Value {
        let error = parse::<Order>(body.as_bytes()).unwrap_err();
        let body = actix_web::body::to_bytes(error.error_response().into_body())
            .await
            .unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[actix_web::test]
    async fn each_bad_body_names_what_is_wrong() {
        for (body, code, field) in [
            ("{", "invalid_json", "body"),
            ("{\"lines\":[]} x", "invalid_json", "body"),
            ("[]", "invalid_field", "body"),
            ("7", "invalid_field", "body"),
            ("{}", "invalid_field", "lines"),
            ("{\"lines\":[],\"colour\":1}", "invalid_field", "colour"),
            (
                "{\"lines\":[{\"quantity\":-1}]}",
                "invalid_field",
                "lines[0].quantity",
            ),
            (
                "{\"lines\":[{\"quantity\":4294967296}]}",
                "invalid_field",
                "lines[0].quantity",
            ),
            (
                "{\"lines\":[{\"quantity\":\"2\"}]}",
                "invalid_field",
                "lines[0].quantity",
            ),
            (
                "{\"lines\":[{\"quantity\":1,\"x\":1}]}",
                "invalid_field",
                "lines[0].x",
            ),
            ("{\"lines\":[[1]]}", "invalid_field", "lines[0]"),
            ("{\"lines\":[{}]}", "invalid_field", "lines[0].quantity"),
        ] {
            let problem = problem(body).await;
            assert_eq!(
                (problem["code"].as_str(), problem["field"].as_str()),
                (Some(code), Some(field)),
                "{body}"
            );
        }
    }
}

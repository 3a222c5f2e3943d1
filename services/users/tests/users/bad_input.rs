//! What is refused: with a 4xx that names the field, and nothing stored.

use crate::api::{Api, directory, settings};
use awc::http::Method;

const ADA: &str = "/users/usr_01937c6e-5a00-7000-8000-0000000000a1";

#[actix_web::test]
async fn each_bad_request_is_told_what_is_wrong_and_nothing_is_stored() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let long = format!(
        r#"{{"name":"{}","email":"a@example.com"}}"#,
        "a".repeat(101)
    );
    let huge = format!(
        r#"{{"name":"{}","email":"a@example.com"}}"#,
        "a".repeat(70_000)
    );
    for (method, path, body, status, code, field) in [
        (Method::POST, "/users", "{", 400, "invalid_json", "body"),
        (Method::POST, "/users", "", 400, "invalid_json", "body"),
        (Method::POST, "/users", "[]", 400, "invalid_field", "body"),
        (
            Method::POST,
            "/users",
            r#"{"name":"A"}"#,
            400,
            "invalid_field",
            "email",
        ),
        (
            Method::POST,
            "/users",
            r#"{"name":7,"email":"a@example.com"}"#,
            400,
            "invalid_field",
            "name",
        ),
        (
            Method::POST,
            "/users",
            r#"{"name":" ","email":"a@example.com"}"#,
            400,
            "invalid_field",
            "name",
        ),
        (
            Method::POST,
            "/users",
            long.as_str(),
            400,
            "invalid_field",
            "name",
        ),
        (
            Method::POST,
            "/users",
            huge.as_str(),
            413,
            "body_too_large",
            "",
        ),
        (
            Method::POST,
            "/users",
            r#"{"name":"A","email":"a@b"}"#,
            400,
            "invalid_field",
            "email",
        ),
        (
            Method::POST,
            "/users",
            r#"{"name":"A","email":"a@example.com","role":"root"}"#,
            400,
            "invalid_field",
            "role",
        ),
        (
            Method::POST,
            "/users",
            r#"{"name":"A","email":"a@example.com","password":"short"}"#,
            400,
            "invalid_field",
            "password",
        ),
        (
            Method::POST,
            "/users",
            r#"{"name":"A","email":"a@example.com","id":"x"}"#,
            400,
            "invalid_field",
            "id",
        ),
        (
            Method::PUT,
            ADA,
            r#"{"name":"A","email":"a@example.com"}"#,
            400,
            "invalid_field",
            "role",
        ),
        (
            Method::PUT,
            ADA,
            r#"{"name":"A","email":"","role":"admin"}"#,
            400,
            "invalid_field",
            "email",
        ),
        (Method::GET, "/users/1", "", 400, "invalid_field", "id"),
        (
            Method::GET,
            "/users/usr_01937C6E-5A00-7000-8000-0000000000A1",
            "",
            400,
            "invalid_field",
            "id",
        ),
        (
            Method::GET,
            "/users/usr_01937c6e-5a00-7000-8000-0000000000ff",
            "",
            404,
            "not_found",
            "",
        ),
        (
            Method::GET,
            "/users?limit=0",
            "",
            400,
            "invalid_field",
            "limit",
        ),
        (
            Method::GET,
            "/users?limit=101",
            "",
            400,
            "invalid_field",
            "limit",
        ),
        (
            Method::GET,
            "/users?after=1",
            "",
            400,
            "invalid_field",
            "after",
        ),
        (
            Method::GET,
            "/users?colour=red",
            "",
            400,
            "invalid_field",
            "colour",
        ),
        (
            Method::POST,
            "/auth/token",
            r#"{"email":"ada@example.com"}"#,
            400,
            "invalid_field",
            "password",
        ),
        (Method::GET, "/nowhere", "", 404, "no_route", ""),
        (Method::PATCH, "/users", "", 405, "method_not_allowed", ""),
    ] {
        let answer = api.send(method.clone(), path, body.to_owned()).await;
        let shown = body.get(..60).unwrap_or(body);
        assert_eq!(
            (answer.status, answer.problem()),
            (status, (code, field)),
            "{method} {path} {shown}"
        );
    }
    assert_eq!(api.get("/users/stats").await.body["total_users"], 3);
    assert_eq!(api.get(ADA).await.body["name"], "Ada Lovelace");
}

#[actix_web::test]
async fn another_media_type_is_refused() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let body = r#"{"name":"A","email":"a@example.com"}"#.to_owned();
    let answer = api
        .send_with(Method::POST, "/users", body, ("content-type", "text/plain"))
        .await;
    assert_eq!(
        (answer.status, answer.problem()),
        (415, ("unsupported_media_type", ""))
    );
}

#[actix_web::test]
async fn a_request_whose_time_is_up_is_not_begun() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let body = r#"{"name":"A","email":"a@example.com"}"#.to_owned();
    let answer = api
        .send_with(Method::POST, "/users", body, ("x-request-timeout-ms", "0"))
        .await;
    assert_eq!(
        (answer.status, answer.problem()),
        (504, ("deadline_exceeded", ""))
    );
    assert_eq!(api.get("/users/stats").await.body["total_users"], 3);
}

//! Users come, change and go.

use crate::api::{Api, directory, settings};
use serde_json::json;

#[actix_web::test]
async fn a_new_store_has_three_users_and_tells_their_roles() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let stats = api.get("/users/stats").await;
    assert_eq!(
        stats.body,
        json!({"total_users": 3, "by_role": {"admin": 1, "customer": 1, "support": 1}})
    );
    let ada = api
        .get("/users/usr_01937c6e-5a00-7000-8000-0000000000a1")
        .await;
    assert_eq!(
        (ada.status, &ada.body["email"]),
        (200, &json!("ada@example.com"))
    );
}

#[actix_web::test]
async fn a_user_is_made_read_replaced_and_deleted() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;

    let made = api.post("/users", json!({"name": " Mary Shelley ", "email": "Mary@Example.com", "password": "frankenstein"})).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["name"], "Mary Shelley");
    assert_eq!(made.body["email"], "mary@example.com");
    assert_eq!(made.body["role"], "customer");
    let fields: Vec<&String> = made.body.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "created_at_ms",
            "email",
            "id",
            "name",
            "role",
            "updated_at_ms"
        ]
    );

    let path = made
        .headers
        .get("location")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(api.get(&path).await.body, made.body);

    let replaced = api
        .put(
            &path,
            json!({"name": "Mary W. Shelley", "email": "mary@example.com", "role": "support"}),
        )
        .await;
    assert_eq!(
        (replaced.status, &replaced.body["role"]),
        (200, &json!("support"))
    );
    assert_eq!(replaced.body["created_at_ms"], made.body["created_at_ms"]);
    let token = api
        .post(
            "/auth/token",
            json!({"email": "mary@example.com", "password": "frankenstein"}),
        )
        .await;
    assert_eq!(
        token.status, 200,
        "a password that is left out stays as it is"
    );

    assert_eq!(api.delete(&path).await.status, 204);
    assert_eq!(api.get(&path).await.problem(), ("not_found", ""));
    assert_eq!(api.delete(&path).await.status, 404);
    assert_eq!(
        api.put(
            &path,
            json!({"name": "M", "email": "m@example.com", "role": "admin"})
        )
        .await
        .status,
        404
    );
}

#[actix_web::test]
async fn an_address_belongs_to_one_user_whatever_its_case() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    let second = api
        .post(
            "/users",
            json!({"name": "Not Ada", "email": "ADA@example.com"}),
        )
        .await;
    assert_eq!(
        (second.status, second.problem()),
        (409, ("email_taken", "email"))
    );
    let alan = "/users/usr_01937c6e-5a00-7000-8000-0000000000c3";
    let moved = api
        .put(
            alan,
            json!({"name": "Alan", "email": "ada@example.com", "role": "customer"}),
        )
        .await;
    assert_eq!(
        (moved.status, moved.problem()),
        (409, ("email_taken", "email"))
    );
    assert_eq!(api.get("/users/stats").await.body["total_users"], 3);
}

#[actix_web::test]
async fn a_list_is_read_page_by_page_to_its_end() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    for index in 0..4 {
        api.post(
            "/users",
            json!({"name": "N", "email": format!("n{index}@example.com")}),
        )
        .await;
    }
    let (mut seen, mut path) = (Vec::new(), "/users?limit=3".to_owned());
    loop {
        let page = api.get(&path).await;
        assert_eq!(page.body["total"], 7);
        let items = page.body["items"].as_array().unwrap();
        seen.extend(
            items
                .iter()
                .map(|user| user["email"].as_str().unwrap().to_owned()),
        );
        let Some(after) = page.body["after"].as_str() else {
            break;
        };
        path = format!("/users?limit=3&after={after}");
    }
    assert_eq!(
        seen,
        [
            "ada@example.com",
            "grace@example.com",
            "alan@example.com",
            "n0@example.com",
            "n1@example.com",
            "n2@example.com",
            "n3@example.com"
        ]
    );
}

#[actix_web::test]
async fn what_was_deleted_is_not_seeded_again() {
    let directory = directory();
    let api = Api::start(&directory, settings()).await;
    api.delete("/users/usr_01937c6e-5a00-7000-8000-0000000000a1")
        .await;
    let again = Api::start(&directory, settings()).await;
    assert_eq!(again.get("/users/stats").await.body["total_users"], 2);
}

//! What an app really registers, to be held against what it says of itself.

use crate::openapi;
use crate::spec::Configure;
use actix_web::http::Method;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, test, web};
use std::collections::BTreeSet;

/// Methods and paths of all routes but the document's.
pub(super) async fn registered(configure: Configure) -> BTreeSet<String> {
    let resources = |request: HttpRequest| async move { format!("{:?}", request.resource_map()) };
    let routes = actix_web::App::new()
        .configure(|config| configure(config))
        .default_service(web::to(resources));
    let routes = test::init_service(routes).await;
    let unknown = test::TestRequest::with_uri("/").to_request();
    let told = test::call_and_read_body(&routes, unknown).await;
    let told = String::from_utf8_lossy(&told).into_owned();
    let mut found = BTreeSet::new();
    for path in patterns(&told).filter(|path| !path.is_empty() && *path != openapi::PATH) {
        // No resource knows this method, so each answers with those that it knows.
        let nobodys = Method::from_bytes(b"NOBODYS").expect("it is a method");
        let request = test::TestRequest::with_uri(path).method(nobodys);
        let answer = test::call_service(&routes, request.to_request()).await;
        let allow = answer.headers().get(ALLOW).and_then(|it| it.to_str().ok());
        let allow = allow.expect("a resource tells its methods");
        found.extend(allow.split(", ").map(|method| format!("{method} {path}")));
    }
    assert!(!found.is_empty(), "no route is found in {told}");
    found
}

/// actix has no list of its resources, but it prints them.
fn patterns(printed: &str) -> impl Iterator<Item = &str> {
    let pieces = printed.split("Single(\"").skip(1);
    pieces.filter_map(|piece| piece.split('"').next())
}

//! An API is held against what its OpenAPI document says.
//!
//! `document.rs` says whether the document is one, `example.rs` makes values out of its schemas, `walk.rs` calls
//! everything that it tells of. All of it panics with what is wrong: it is for tests, of services and of the gateway.

mod document;
mod example;
mod walk;

pub use document::{operations, valid};
pub use walk::{Operation, walk};

use std::collections::BTreeSet;

/// The document at `url` is valid, tells of exactly these `routes`, and what it tells is true.
///
/// # Panics
/// With everything that is not so.
pub async fn hold(url: &str, routes: &BTreeSet<String>) {
    let document = walk::document(url).await;
    valid(&document);
    let told: BTreeSet<String> = operations(&document)
        .iter()
        .map(|operation| format!("{} {}", operation.method, operation.path))
        .collect();
    assert_eq!(&told, routes, "what is told and what is there");
    walk(url, &document).await;
}

//! Targets: one spelling upstream, or none.

use super::{BAD, ITEMS, NOTHING, OK, Row, target};

pub fn rows() -> Vec<Row> {
    vec![
        target("/api/inventory/items", OK, ITEMS),
        target("/api/%69nventory/%69tems", OK, ITEMS),
        target(
            "/api/inventory/a%2db%3ac?q=%2F..%2f",
            OK,
            &["GET /inventory/a-b%3Ac?q=%2F..%2f HTTP/1.1"],
        ),
        target(
            "/api/inventory/caf%C3%A9",
            OK,
            &["GET /inventory/caf%C3%A9 HTTP/1.1"],
        ),
        target("/api/inventory/", OK, &["GET /inventory/ HTTP/1.1"]),
        target("/api/inventory", OK, &["GET /inventory HTTP/1.1"]),
        target(
            "/api/inventory/%252e%252e",
            OK,
            &["GET /inventory/%252e%252e HTTP/1.1"],
        ),
        target("/api/inventory/../users", BAD, NOTHING),
        target("/api/inventory/%2e%2e/users", BAD, NOTHING),
        target("/api/inventory/..;/users", BAD, NOTHING),
        target("/api/inventory/..%3b/users", BAD, NOTHING),
        target("/api/inventory/.", BAD, NOTHING),
        target("/api//inventory", BAD, NOTHING),
        target("//api/inventory", BAD, NOTHING),
        target("/api/inventory%2fitems", BAD, NOTHING),
        target("/api%2Finventory", BAD, NOTHING),
        target("/api/inventory%5citems", BAD, NOTHING),
        target("/api/inventory\\items", BAD, NOTHING),
        target("/api/inventory/%00", BAD, NOTHING),
        target("/api/inventory/%0a", BAD, NOTHING),
        target("/api/inventory/%0d%0aX:1", BAD, NOTHING),
        target("/api/inventory/%7f", BAD, NOTHING),
        target("/api/inventory/%", BAD, NOTHING),
        target("/api/inventory/%4", BAD, NOTHING),
        target("/api/inventory/%zz", BAD, NOTHING),
        target("/api/inventory/%c0%af", BAD, NOTHING),
        target("/api/inventory/%ff", BAD, NOTHING),
        target("/api/inventory/é", BAD, NOTHING),
        target("/api/inventory/a|b", BAD, NOTHING),
        target("/api/inventory?q=%", BAD, NOTHING),
        target("/api/inventory?q=%00", BAD, NOTHING),
        target("/api/inventoryx", &[404], NOTHING),
        target("/API/inventory", &[404], NOTHING),
        target("/inventory/items", &[404], NOTHING),
        target("/", &[404], NOTHING),
    ]
}

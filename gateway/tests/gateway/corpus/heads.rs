//! Request lines and headers.

use super::{ITEMS, NOTHING, OK, ORDER, Row, get, refused};
use crate::rig::request;

pub fn rows() -> Vec<Row> {
    let raw = |name, sent: &str| refused(name, sent.as_bytes());
    vec![
        raw("no Host", "GET /api/inventory/items HTTP/1.1\r\n\r\n"),
        raw("two Hosts", "GET /api/inventory/items HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        raw("an empty Host", "GET /api/inventory/items HTTP/1.1\r\nHost: \r\n\r\n"),
        raw("a Host with a user", "GET /api/inventory/items HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        raw("a Host with a path", "GET /api/inventory/items HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        raw("a list of Hosts", "GET /api/inventory/items HTTP/1.1\r\nHost: a,b\r\n\r\n"),
        raw("a Host whose port is no number", "GET /api/inventory/items HTTP/1.1\r\nHost: shop:http\r\n\r\n"),
        raw("a Host whose port is too large", "GET /api/inventory/items HTTP/1.1\r\nHost: shop:65536\r\n\r\n"),
        raw("another authority in the target", "GET http://other/api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n"),
        raw("a user in the target", "GET http://a@shop/api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n"),
        raw("HTTP/1.0 without a Host", "GET /api/inventory/items HTTP/1.0\r\n\r\n"),
        raw("chunks in HTTP/1.0", "POST /api/orders HTTP/1.0\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        raw("HTTP/0.9", "GET /api/inventory/items\r\n\r\n"),
        raw("HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        raw("HTTP/3.1", "GET /api/inventory/items HTTP/3.1\r\nHost: shop\r\n\r\n"),
        raw("two spaces in the request line", "GET  /api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n"),
        raw("a space in the target", "GET /api/inventory/it ems HTTP/1.1\r\nHost: shop\r\n\r\n"),
        raw("a tab for a space", "GET\t/api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n"),
        raw("an odd method", "GE(T /api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n"),
        Row {
            name: "the target's authority is the Host's",
            sent: b"GET http://SHOP/api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec(),
            answered: OK,
            upstream: ITEMS,
            closed: false,
        },
        Row {
            name: "one request after the other",
            sent: b"GET /api/inventory/a HTTP/1.1\r\nHost: shop\r\n\r\nGET /api/inventory/b HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec(),
            answered: &[200, 200],
            upstream: &["GET /inventory/a HTTP/1.1", "GET /inventory/b HTTP/1.1"],
            closed: false,
        },
        Row {
            name: "a body, and the next request right behind it",
            sent: [
                request("POST", "/api/orders", &[], b"{}"),
                b"GET /api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec(),
            ]
            .concat(),
            answered: &[200, 200],
            upstream: &["POST /orders HTTP/1.1", "GET /inventory/items HTTP/1.1"],
            closed: false,
        },
        Row {
            name: "a lower case method is no method of ours",
            sent: b"get /api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec(),
            answered: &[405],
            upstream: NOTHING,
            closed: false,
        },
        Row {
            name: "TRACE",
            sent: b"TRACE /api/inventory/items HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec(),
            answered: &[405],
            upstream: NOTHING,
            closed: false,
        },
        Row {
            name: "OPTIONS *",
            sent: b"OPTIONS * HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec(),
            answered: &[204],
            upstream: NOTHING,
            closed: false,
        },
        Row {
            name: "CONNECT",
            sent: b"CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\nGET /api/inventory/smuggled HTTP/1.1\r\nHost: shop\r\n\r\n".to_vec(),
            answered: &[405],
            upstream: NOTHING,
            closed: true,
        },
        Row {
            name: "an invitation is expected, and the body comes without it",
            sent: request("POST", "/api/orders", &["Expect: 100-continue"], b"{}"),
            answered: OK,
            upstream: ORDER,
            closed: false,
        },
        Row {
            name: "an invitation is expected to nowhere",
            sent: request("POST", "/api/nothing", &["Expect: 100-continue"], b"{}"),
            answered: &[404],
            upstream: NOTHING,
            closed: false,
        },
        Row {
            name: "an invitation is expected for no body",
            sent: b"GET /api/inventory/items HTTP/1.1\r\nHost: shop\r\nExpect: 100-continue\r\n\r\n".to_vec(),
            answered: OK,
            upstream: ITEMS,
            closed: false,
        },
        Row {
            name: "something else is expected",
            sent: request("POST", "/api/orders", &["Expect: a-miracle"], b"{}"),
            answered: OK,
            upstream: ORDER,
            closed: false,
        },
        Row {
            name: "HTTP/1.0 cannot expect",
            sent: b"GET /api/inventory/items HTTP/1.0\r\nHost: shop\r\nExpect: 100-continue\r\n\r\n".to_vec(),
            answered: OK,
            upstream: ITEMS,
            closed: true,
        },
        get("a loop", "Host: shop\r\nVia: 1.1 front, 1.1 lictor", &[508], NOTHING),
        get("another proxy before us", "Host: shop\r\nVia: 1.1 front", OK, ITEMS),
        get("hop-by-hop headers", "Host: shop\r\nConnection: x-hop\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: 1\r\nProxy-Connection: x", OK, ITEMS),
    ]
}

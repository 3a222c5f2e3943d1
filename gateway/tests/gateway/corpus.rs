//! Framing and paths: what is sent, what is answered, what upstream saw of it.
//!
//! Every row is replayed whole and in one-byte writes, and after each a good request on a connection of its own must fare well.
//! A row's upstream column lists request lines; whatever upstream sees must have one framing, no hop-by-hop header, and our `Via`.

mod framing;
mod heads;
mod paths;
mod sizes;

use crate::{
    rig::{DEMO, Rig, request},
    upstream::{Seen, Upstream},
    wire::Wire,
};

/// Sent, statuses answered in order, request lines seen upstream.
struct Row {
    name: &'static str,
    sent: Vec<u8>,
    answered: &'static [u16],
    upstream: &'static [&'static str],
    /// The gateway closes the connection after it.
    closed: bool,
}

const OK: &[u16] = &[200];
const BAD: &[u16] = &[400];
const NOTHING: &[&str] = &[];
const ITEMS: &[&str] = &["GET /inventory/items HTTP/1.1"];
const ORDER: &[&str] = &["POST /orders HTTP/1.1"];

/// Refused, and nothing after it on the connection is read as a request.
fn refused(name: &'static str, sent: impl Into<Vec<u8>>) -> Row {
    let mut sent = sent.into();
    sent.extend_from_slice(b"GET /api/inventory/smuggled HTTP/1.1\r\nHost: shop\r\n\r\n");
    Row {
        name,
        sent,
        answered: BAD,
        upstream: NOTHING,
        closed: true,
    }
}

fn get(
    name: &'static str,
    head: &str,
    answered: &'static [u16],
    upstream: &'static [&'static str],
) -> Row {
    let sent = format!("GET /api/inventory/items HTTP/1.1\r\n{head}\r\n\r\n").into_bytes();
    Row {
        name,
        sent,
        answered,
        upstream,
        closed: false,
    }
}

fn post(
    name: &'static str,
    headers: &str,
    body: &str,
    answered: &'static [u16],
    upstream: &'static [&'static str],
) -> Row {
    let sent = format!(
        "POST /api/orders HTTP/1.1\r\nHost: shop\r\nX-API-Key: {DEMO}\r\n{headers}\r\n\r\n{body}"
    )
    .into_bytes();
    Row {
        name,
        sent,
        answered,
        upstream,
        closed: answered == BAD,
    }
}

fn bad_post(name: &'static str, headers: &str, body: &str) -> Row {
    refused(name, post(name, headers, body, BAD, NOTHING).sent)
}

fn target(path: &'static str, answered: &'static [u16], upstream: &'static [&'static str]) -> Row {
    let sent = format!("GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n").into_bytes();
    Row {
        name: path,
        sent,
        answered,
        upstream,
        closed: false,
    }
}

#[test]
fn framing_has_one_reading_or_none() {
    replay(&framing::rows());
}

#[test]
fn heads_have_one_reading_or_none() {
    replay(&heads::rows());
}

#[test]
fn paths_have_one_spelling_or_none() {
    replay(&paths::rows());
}

#[test]
fn sizes_have_limits() {
    replay(&sizes::rows());
}

fn replay(rows: &[Row]) {
    let shop = Upstream::well();
    let rig = Rig::with(
        "[limits]\naddress = { requests = 100000, per_ms = 1000, burst = 100000 }\n\
         [limits.groups]\nbrowse = { requests = 100000, per_ms = 1000, burst = 100000 }\n\
         orders = { requests = 100000, per_ms = 1000, burst = 100000 }\n",
        &[("", &[shop.address])],
    );
    for row in rows {
        for slowly in [false, true] {
            let before = shop.count();
            let mut wire = rig.connect();
            if slowly {
                wire.send_slowly(&row.sent);
            } else {
                wire.send(&row.sent);
            }
            check(row, &mut wire, slowly);
            let seen = &shop.seen()[before..];
            let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
            assert_eq!(lines, row.upstream, "{} (slowly: {slowly})", row.name);
            seen.iter().for_each(|seen| check_upstream(row, seen));
            let mut canary = rig.connect();
            canary.send(&request("GET", "/api/inventory/canary", &[], b""));
            assert_eq!(
                canary.answer().status,
                200,
                "after {} (slowly: {slowly})",
                row.name
            );
        }
    }
}

fn check(row: &Row, wire: &mut Wire, slowly: bool) {
    for expected in row.answered {
        let answer = wire.answer();
        assert_eq!(
            answer.status, *expected,
            "{} (slowly: {slowly}): {answer:?}",
            row.name
        );
        assert!(answer.whole, "{}", row.name);
        let last = answer.header("connection") == Some("close");
        // In HTTP/1.0 that goes without saying.
        let unsaid = row.sent.windows(8).any(|version| version == b"HTTP/1.0");
        assert!(!row.closed || last || unsaid, "{}", row.name);
    }
    if row.closed {
        assert!(wire.is_closed(), "{} (slowly: {slowly})", row.name);
    }
}

fn check_upstream(row: &Row, seen: &Seen) {
    let length = seen.header("content-length");
    let chunked = seen.header("transfer-encoding");
    assert!(
        length.is_none() || chunked.is_none(),
        "{}: {seen:?}",
        row.name
    );
    for hop in [
        "connection",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "proxy-connection",
        "expect",
        "x-hop",
        "x-trailer",
    ] {
        assert_eq!(seen.header(hop), None, "{}: {seen:?}", row.name);
    }
    assert_eq!(
        seen.headers_called("via").last(),
        Some(&"1.1 lictor"),
        "{}",
        row.name
    );
}

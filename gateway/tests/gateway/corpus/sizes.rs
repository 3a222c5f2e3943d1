//! What is too long, too many or too much.

use super::{NOTHING, Row};
use crate::rig::DEMO;

pub fn rows() -> Vec<Row> {
    let long = |length: usize| "x".repeat(length);
    let row = |name, sent: String, answered| Row {
        name,
        sent: sent.into_bytes(),
        answered,
        upstream: NOTHING,
        closed: true,
    };
    let many: String = (0..64).map(|number| format!("X-{number}: 1\r\n")).collect();
    vec![
        row(
            "a target of 9 KiB",
            format!("GET /api/{} HTTP/1.1\r\nHost: shop\r\n\r\n", long(9000)),
            &[414],
        ),
        row(
            "a head of 33 KiB",
            format!(
                "GET /api HTTP/1.1\r\nHost: shop\r\nX-A: {}\r\n\r\n",
                long(33_000)
            ),
            &[431],
        ),
        row(
            "65 headers",
            format!("GET /api HTTP/1.1\r\nHost: shop\r\n{many}\r\n"),
            &[431],
        ),
        row(
            "a body where none is taken",
            "GET /api/inventory/items HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\n\r\nx"
                .to_owned(),
            &[413],
        ),
        row(
            "a body that announces too much",
            format!(
                "POST /api/orders HTTP/1.1\r\nHost: shop\r\nX-API-Key: {DEMO}\r\nContent-Length: 65537\r\n\r\n"
            ),
            &[413],
        ),
        row(
            "chunks that become too much",
            format!(
                "POST /api/orders HTTP/1.1\r\nHost: shop\r\nX-API-Key: {DEMO}\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n{}\r\n0\r\n\r\n",
                long(65537)
            ),
            &[413],
        ),
    ]
}

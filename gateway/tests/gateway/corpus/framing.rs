//! Lengths and chunks: one of them, said once, or nothing is read.

use super::{BAD, ITEMS, NOTHING, OK, ORDER, Row, bad_post, get, post, refused};

pub fn rows() -> Vec<Row> {
    let chunked = "Transfer-Encoding: chunked";
    let mut rows = vec![
        get("a plain request", "Host: shop", OK, ITEMS),
        post("a length", "Content-Length: 2", "{}", OK, ORDER),
        post(
            "chunks",
            chunked,
            "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            OK,
            ORDER,
        ),
        post(
            "chunked in capitals",
            "Transfer-Encoding: CHUNKED",
            "2\r\n{}\r\n0\r\n\r\n",
            OK,
            ORDER,
        ),
        post(
            "a chunk extension is not passed on",
            chunked,
            "2;a=b\r\n{}\r\n0\r\n\r\n",
            OK,
            ORDER,
        ),
        post(
            "trailers are not passed on",
            chunked,
            "2\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n",
            OK,
            ORDER,
        ),
        post(
            "upper and lower case sizes",
            chunked,
            "A\r\n0123456789\r\n0a\r\n0123456789\r\n0\r\n\r\n",
            OK,
            ORDER,
        ),
        post("a length of nothing", "Content-Length: 0", "", OK, ORDER),
        bad_post(
            "length and chunks",
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "0\r\n\r\n",
        ),
        bad_post(
            "chunks and length",
            "Transfer-Encoding: chunked\r\nContent-Length: 5",
            "0\r\n\r\n",
        ),
        bad_post(
            "two lengths",
            "Content-Length: 2\r\nContent-Length: 3",
            "{}",
        ),
        bad_post(
            "the same length twice",
            "Content-Length: 2\r\nContent-Length: 2",
            "{}",
        ),
        bad_post("a list of lengths", "Content-Length: 2, 2", "{}"),
        bad_post("a signed length", "Content-Length: +2", "{}"),
        bad_post("a negative length", "Content-Length: -2", "{}"),
        bad_post("a hexadecimal length", "Content-Length: 0x2", "{}"),
        bad_post(
            "a length that overflows",
            "Content-Length: 18446744073709551616",
            "{}",
        ),
        bad_post("an empty length", "Content-Length: ", "{}"),
        bad_post(
            "two lines of chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "0\r\n\r\n",
        ),
        bad_post(
            "chunked twice",
            "Transfer-Encoding: chunked, chunked",
            "0\r\n\r\n",
        ),
        bad_post(
            "another coding",
            "Transfer-Encoding: gzip, chunked",
            "0\r\n\r\n",
        ),
        bad_post("identity", "Transfer-Encoding: identity", ""),
        bad_post("nearly chunked", "Transfer-Encoding: xchunked", "0\r\n\r\n"),
        bad_post(
            "chunked with a parameter",
            "Transfer-Encoding: chunked;q=1",
            "0\r\n\r\n",
        ),
        bad_post(
            "a vertical tab before chunked",
            "Transfer-Encoding: \x0bchunked",
            "0\r\n\r\n",
        ),
        bad_post(
            "a space before the colon",
            "Transfer-Encoding : chunked",
            "0\r\n\r\n",
        ),
        bad_post("an underscore", "Transfer_Encoding: chunked", ""),
        bad_post("a folded header", "X-A: 1\r\n 2\r\nContent-Length: 0", ""),
        bad_post(
            "a folded coding",
            "Transfer-Encoding:\r\n chunked",
            "0\r\n\r\n",
        ),
        bad_post("a bare CR in a value", "X-A: 1\r2", ""),
        bad_post("a NUL in a value", "X-A: 1\x002", ""),
        bad_post("a header without a name", ": 1", ""),
        bad_post("a header without a colon", "X-A", ""),
        bad_post("a bad chunk size", chunked, "2x\r\n{}\r\n0\r\n\r\n"),
        bad_post(
            "a hexadecimal prefix on a chunk size",
            chunked,
            "0x2\r\n{}\r\n0\r\n\r\n",
        ),
        bad_post("a negative chunk size", chunked, "-2\r\n{}\r\n0\r\n\r\n"),
        bad_post("an empty chunk size", chunked, "\r\n{}\r\n0\r\n\r\n"),
        bad_post(
            "a chunk size that overflows",
            chunked,
            "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
        ),
        bad_post(
            "a chunk longer than its size",
            chunked,
            "2\r\n{}x\r\n0\r\n\r\n",
        ),
        bad_post("a chunk size ended by LF", chunked, "2\n{}\r\n0\r\n\r\n"),
        bad_post(
            "a NUL in a chunk extension",
            chunked,
            "2;\0\r\n{}\r\n0\r\n\r\n",
        ),
        bad_post(
            "an upgrade that hides the body's framing",
            "Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 2",
            "{}",
        ),
        bad_post(
            "an upgrade to HTTP/2",
            "Upgrade: h2c\r\nConnection: upgrade, http2-settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
            "",
        ),
    ];
    for taken in [
        "authorization",
        "X-Forwarded-For",
        "x-request-id",
        "Traceparent",
        "x-api-key",
        "host",
        "content-length",
        "cookie",
    ] {
        let name = "Connection names a header that matters";
        rows.push(refused(
            name,
            get(
                name,
                &format!("Host: shop\r\nConnection: close, {taken}"),
                BAD,
                NOTHING,
            )
            .sent,
        ));
    }
    rows
}

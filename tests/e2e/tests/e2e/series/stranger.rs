//! A stranger who makes up everything that a request may carry: paths, methods, queries, hosts, keys, ids, headers.
//!
//! Request `n` is always the same one, and what is made up in it is in no other.

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::request::Builder;
use hyper::{Method, Request};
use stack::binaries::SERVICES;

/// Ways to be hostile; requests take turns.
const WAYS: u64 = 12;

/// The methods that have a name; each meets every path that is known.
const METHODS: [Method; 7] = [
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
    Method::PATCH,
    Method::POST,
    Method::PUT,
    Method::TRACE,
];

/// Request `n`, by the holder of `key` where that gets further.
pub fn request(n: u64, key: &str) -> Request<Full<Bytes>> {
    let word = word(n);
    let service = SERVICES[(n / WAYS) as usize % SERVICES.len()];
    let known = format!("/api/{service}");
    let id = id(n);
    let turn = n / WAYS / SERVICES.len() as u64;
    let method = METHODS[turn as usize % METHODS.len()].clone();
    let made_up = Method::from_bytes(format!("EVIL{word}").as_bytes()).unwrap();
    let ours = |path: String| Request::get(path).header("x-api-key", key);
    let request = match n % WAYS {
        0 => Request::get(format!("/{word}/{word}")),
        1 => ours(format!("{known}/{word}/{word}")),
        2 => Request::builder().method(made_up).uri(known),
        3 => ours(format!("{known}/{id}")).method(made_up),
        4 => ours(format!("{known}/{id}")).method(method),
        5 => ours(format!("{known}?{word}={word}&limit={}", n % 100 + 1)),
        6 => return sent(ours(known), &format!("{word}.example")),
        7 => Request::get(known).header("x-api-key", format!("demo.{word}")),
        8 => Request::get(known).header("authorization", format!("Bearer {word}.{word}.{word}")),
        9 => ours(format!("/api/users/{id}/profile")).header("user-agent", word),
        10 => Request::get(format!("/api/{word}/health")),
        _ => ours(known)
            .header(format!("x-{word}"), &word)
            .header("x-request-id", &word)
            .header(
                "x-forwarded-for",
                format!("198.51.{}.{}", n % 256, n / 256 % 256),
            )
            .header("traceparent", format!("00-{word}{word}-{word}-01")),
    };
    sent(request, "shop")
}

fn sent(request: Builder, host: &str) -> Request<Full<Bytes>> {
    request.header("host", host).body(Full::default()).unwrap()
}

/// Sixteen hexadecimal digits that are those of no other number, and look like nothing (the finaliser of splitmix64, which is a bijection).
fn word(n: u64) -> String {
    let mut mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{:016x}", mixed ^ (mixed >> 31))
}

/// An id as users have them, of nobody.
fn id(n: u64) -> String {
    let word = word(n);
    let (first, rest) = word.split_at(8);
    let (second, third) = rest.split_at(4);
    format!(
        "usr_{first}-{second}-4{}-8{}-{n:012x}",
        &third[1..],
        &third[..3]
    )
}

//! What the view makes of answers that are wrong, broken or unlikely.

use std::time::Duration;

use consul::view::Condition;
use consul::{View, watch};
use serde_json::json;

use crate::scripted::{Reply, Scripted, answer, instance, status, with_headers};
use crate::{agent_at, eventually, metrics, value};

const SOON: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(300);

fn ids(view: &View) -> Vec<String> {
    view.current()
        .endpoints()
        .iter()
        .map(|endpoint| endpoint.id.to_string())
        .collect()
}

async fn shows(view: &View, expected: &[&str]) {
    let what = format!("the view shows {expected:?}");
    eventually(&what, SOON, || async { ids(view) == expected }).await;
}

/// Good, then the lie, then good with one instance more: the lie changes nothing and is counted, and what follows it is
/// accepted within two seconds and a round trip of the error.
async fn tells(lie: Reply, reason: &'static str, limit: Duration) {
    let (registry, metrics) = metrics();
    let two = [instance("a", 1), instance("b", 2)];
    let scripted = Scripted::start([answer(10, &two)]).await;
    // A query that does not block has the shorter limit.
    scripted.then(status(500));
    scripted.then(lie);
    // Late enough to look at the view in between.
    let three = answer(11, &[instance("a", 1), instance("b", 2), instance("c", 3)]);
    scripted.then(Reply::Late(LOOK, Box::new(three)));
    let view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    shows(&view, &["a", "b"]).await;

    let series = format!("lictor_watch_errors_total{{reason=\"{reason}\",upstream=\"users\"}}");
    let counted = if reason == "server_error" { 2.0 } else { 1.0 };
    eventually(&format!("{series} counts"), limit, || async {
        value(&registry, &series) >= counted
    })
    .await;
    assert_eq!(
        (ids(&view), view.current().version()),
        (vec!["a".to_owned(), "b".to_owned()], 1),
        "{reason}"
    );
    assert_eq!(view.condition(), Condition::Failing, "{reason}");

    let fresh = || async { ids(&view) == ["a", "b", "c"] };
    eventually(
        "the view is fresh again",
        LOOK + Duration::from_millis(2_200),
        fresh,
    )
    .await;
    assert_eq!(view.condition(), Condition::Current);
}

#[actix_web::test]
async fn an_error_never_touches_the_set_and_the_next_answer_does() {
    let whole = serde_json::to_vec(&[instance("x", 9)]).unwrap();
    let full = |body: &[u8]| Reply::Full(200, "X-Consul-Index: 11\r\n".to_owned(), body.to_vec());
    let head = |length: usize| {
        format!("HTTP/1.1 200 OK\r\nX-Consul-Index: 11\r\nContent-Length: {length}\r\n\r\n")
    };
    let cut = [head(whole.len()).as_bytes(), &whole[..whole.len() / 2]].concat();
    let chunked =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n[{\"Node\":".to_vec();
    let lies = [
        (status(500), "server_error"),
        (status(503), "server_error"),
        (status(429), "too_many_requests"),
        (status(403), "forbidden"),
        (status(404), "status"),
        (
            Reply::Full(302, "Location: /v1/agent/self\r\n".to_owned(), Vec::new()),
            "status",
        ),
        (full(&whole[..whole.len() / 2]), "malformed"),
        (full(b"[{\"Service\":{\"ID\":\"\xff\xfe\"}}]"), "malformed"),
        (full(b"<html>"), "malformed"),
        (full(b"{}"), "malformed"),
        (full(b""), "malformed"),
        (Reply::Raw(cut), "transport"),
        (Reply::Raw(chunked), "malformed"),
        (Reply::Raw(head(9 * 1024 * 1024).into_bytes()), "too_large"),
        (Reply::Raw(b"not http\r\n\r\n".to_vec()), "transport"),
        (Reply::Raw(Vec::new()), "transport"),
    ];
    let told: Vec<_> = lies
        .map(|(lie, reason)| actix_web::rt::spawn(tells(lie, reason, SOON)))
        .into();
    for one in told {
        one.await.unwrap();
    }
}

#[actix_web::test]
async fn an_agent_that_hangs_or_drips_is_given_up_after_the_limit_of_the_whole_call() {
    let drip = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n[".to_vec();
    let limit = Duration::from_secs(15);
    let hangs = actix_web::rt::spawn(tells(Reply::Hang, "timeout", limit));
    let drips = actix_web::rt::spawn(tells(Reply::Drip(drip), "timeout", limit));
    hangs.await.unwrap();
    drips.await.unwrap();
}

#[actix_web::test]
async fn a_body_that_grows_past_the_cap_is_refused() {
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000\r\n[".to_vec();
    endless.resize(9 * 1024 * 1024, b' ');
    tells(Reply::Raw(endless), "too_large", SOON).await;
}

#[actix_web::test]
async fn the_catalogue_is_asked_for_everything_registered_from_the_beginning_and_then_for_changes()
{
    let (_, metrics) = metrics();
    let scripted = Scripted::start([answer(5, &[instance("a", 1)])]).await;
    let _view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    scripted.asked(2, SOON).await;
    let expected = [
        "GET /v1/health/service/users?stale",
        "GET /v1/health/service/users?stale&index=5&wait=55000ms",
    ];
    assert_eq!(scripted.lines(), expected);
}

#[actix_web::test]
async fn an_index_that_goes_backwards_or_is_missing_asks_from_the_beginning() {
    let (_, metrics) = metrics();
    let one = [instance("a", 1)];
    let script = [
        answer(5, &one),
        answer(3, &one),
        answer(3, &one),
        with_headers("", &one),
        answer(0, &one),
    ];
    let scripted = Scripted::start(script).await;
    let _view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    scripted.asked(6, Duration::from_secs(10)).await;
    let asked: Vec<String> = scripted
        .lines()
        .iter()
        .map(|line| line.split("stale").nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(
        asked,
        [
            "",
            "&index=5&wait=55000ms",
            "",
            "&index=3&wait=55000ms",
            "",
            "&index=1&wait=55000ms"
        ]
    );
}

#[actix_web::test]
async fn an_early_answer_with_the_same_index_changes_nothing() {
    let (_, metrics) = metrics();
    let one = [instance("a", 1)];
    let scripted = Scripted::start([answer(5, &one), answer(5, &one)]).await;
    let view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    eventually("two answers accepted", SOON, || async {
        view.accepted() == 2
    })
    .await;
    assert_eq!(view.current().version(), 1);
}

#[actix_web::test]
async fn index_one_with_an_empty_list_is_held_and_read_again_consistently_until_the_set_is_back() {
    let (registry, metrics) = metrics();
    let both = [instance("a", 1), instance("b", 2)];
    let script = [
        answer(50, &both),
        answer(1, &[]),
        answer(1, &[]),
        answer(9, &[]),
        answer(12, &both[..1]),
    ];
    let scripted = Scripted::start(script).await;
    let view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    eventually("the answer is held", SOON, || async {
        view.condition() == Condition::Held
    })
    .await;
    assert_eq!(
        value(&registry, "lictor_watch_held{upstream=\"users\"}"),
        1.0
    );
    assert_eq!(ids(&view), ["a", "b"]);

    shows(&view, &["a"]).await;
    assert_eq!(view.condition(), Condition::Current);
    assert_eq!(
        value(&registry, "lictor_watch_held{upstream=\"users\"}"),
        0.0
    );
    let rereads = scripted
        .lines()
        .iter()
        .filter(|line| line.ends_with("?consistent"))
        .count();
    assert!(rereads >= 1, "{:?}", scripted.lines());
}

#[actix_web::test]
async fn what_a_shrunken_answer_shows_is_used_beside_the_last_good_set() {
    let (_, metrics) = metrics();
    let four = [
        instance("a", 1),
        instance("b", 2),
        instance("c", 3),
        instance("d", 4),
    ];
    let scripted = Scripted::start([answer(50, &four), answer(51, &[instance("e", 5)])]).await;
    let view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    shows(&view, &["a", "b", "c", "d", "e"]).await;
    assert_eq!(view.condition(), Condition::Held);
}

#[actix_web::test]
async fn a_list_that_an_acl_has_emptied_is_held() {
    let (_, metrics) = metrics();
    let filtered = with_headers(
        "X-Consul-Index: 51\r\nX-Consul-Results-Filtered-By-ACLs: true\r\n",
        &[],
    );
    let scripted = Scripted::start([answer(50, &[instance("a", 1)]), filtered]).await;
    let view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    eventually("the answer is held", SOON, || async {
        view.condition() == Condition::Held
    })
    .await;
    assert_eq!(ids(&view), ["a"]);
}

#[actix_web::test]
async fn bad_entries_are_skipped_and_counted_duplicates_collapse_and_the_rest_is_used() {
    let (registry, metrics) = metrics();
    let mut metadata = instance("metadata", 80);
    metadata["Service"]["Address"] = json!("169.254.169.254");
    let entries = [
        instance("a", 1),
        instance("a-older", 1),
        instance("zero", 0),
        instance("huge", 70_000),
        metadata,
        instance("b", 2),
    ];
    let scripted = Scripted::start([answer(5, &entries)]).await;
    let view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    eventually("the answer is in", SOON, || async { view.synced() }).await;
    let addresses: Vec<u16> = view
        .current()
        .endpoints()
        .iter()
        .map(|endpoint| endpoint.address.port())
        .collect();
    assert_eq!(addresses, [1, 2]);
    assert_eq!(
        value(
            &registry,
            "lictor_watch_skipped_endpoints_total{upstream=\"users\"}"
        ),
        3.0
    );
}

#[actix_web::test]
async fn a_follower_without_a_leader_is_not_believed_and_the_leader_is_asked() {
    let (_, metrics) = metrics();
    let both = [instance("a", 1), instance("b", 2)];
    let lost = with_headers(
        "X-Consul-Index: 51\r\nX-Consul-LastContact: 12000\r\n",
        &both[..1],
    );
    let scripted = Scripted::start([answer(50, &both), lost]).await;
    let view = watch::spawn(&agent_at(&scripted.address), "users", &metrics);
    scripted.asked(3, SOON).await;
    assert!(
        scripted.lines()[2].ends_with("?leader"),
        "{:?}",
        scripted.lines()
    );
    assert_eq!(ids(&view), ["a", "b"]);
}

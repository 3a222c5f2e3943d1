//! Identical reads at the same time: one upstream call for all, and nobody harmed by somebody else's.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{
    rig::{Rig, request},
    upstream::{Then, Turn, Upstream, ok},
    wire::{Wire, eventually},
};

const ITEM: &str = "/api/inventory/items/LAMP";

/// Numbers its calls from 0.
fn counting(script: impl Fn(usize, &mut Turn<'_>) -> Then + Send + Sync + 'static) -> Upstream {
    let calls = Arc::new(AtomicUsize::new(0));
    Upstream::playing(move |turn| script(calls.fetch_add(1, Ordering::SeqCst), turn))
}

fn ask(rig: &Rig, path: &str) -> Wire {
    let mut wire = rig.connect();
    wire.send(&request("GET", path, &[], b""));
    wire
}

fn in_the_gateway(rig: &Rig, number: usize) {
    eventually(
        || rig.metric("lictor_gateway_in_flight", &[]),
        |places| *places == number as f64,
    );
}

fn coalesced(rig: &Rig, result: &str) -> f64 {
    rig.metric("lictor_coalesced_total", &[("result", result)])
}

#[test]
fn fifty_who_ask_the_same_cost_one_call() {
    let inventory = counting(|number, turn| {
        turn.wait_at_the_gate();
        turn.write(ok(&format!("{{\"call\":{number}}}")).as_bytes());
        Then::Keep
    });
    let rig = Rig::in_front_of(&inventory);
    let mut waiting: Vec<Wire> = (0..50).map(|_| ask(&rig, ITEM)).collect();
    in_the_gateway(&rig, 50);
    inventory.open_gate();
    for wire in &mut waiting {
        let answer = wire.answer();
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "{\"call\":0}")
        );
        assert_eq!(answer.header("x-gateway-fallback"), None);
    }
    assert_eq!(inventory.count(), 1);
    assert_eq!(
        (coalesced(&rig, "led"), coalesced(&rig, "shared")),
        (1.0, 49.0)
    );
    assert_eq!(
        rig.get(ITEM).text(),
        "{\"call\":1}",
        "who asks after the answer gets an answer to that question"
    );
}

#[test]
fn different_questions_and_personal_answers_are_asked_one_by_one() {
    let all = Upstream::playing(|turn| {
        turn.wait_at_the_gate();
        turn.write(ok("{}").as_bytes());
        Then::Keep
    });
    let rig = Rig::in_front_of(&all);
    let paths = [
        ITEM,
        "/api/inventory/items/OIL",
        "/api/inventory/items/LAMP?x=1",
    ];
    let mut waiting: Vec<Wire> = paths.map(|path| ask(&rig, path)).into();
    waiting.extend((0..2).map(|_| ask(&rig, "/api/orders")));
    eventually(|| all.count(), |count| *count == 5);
    all.open_gate();
    assert!(waiting.iter_mut().all(|wire| wire.answer().status == 200));
}

#[test]
fn when_the_first_leaves_the_next_asks_and_the_others_wait_for_that() {
    let inventory = counting(|number, turn| {
        if number == 0 {
            turn.wait_for_the_end();
            return Then::Close;
        }
        turn.write(ok("{}").as_bytes());
        Then::Keep
    });
    let rig = Rig::in_front_of(&inventory);
    let first = ask(&rig, ITEM);
    eventually(|| inventory.count(), |count| *count == 1);
    let mut others: Vec<Wire> = (0..10).map(|_| ask(&rig, ITEM)).collect();
    in_the_gateway(&rig, 11);
    drop(first);
    for wire in &mut others {
        assert_eq!(wire.answer().status, 200);
    }
    assert_eq!(inventory.count(), 2);
    assert_eq!(
        (coalesced(&rig, "led"), coalesced(&rig, "shared")),
        (2.0, 9.0)
    );
}

#[test]
fn a_failure_is_not_shared() {
    let inventory = counting(|number, turn| {
        if number < 3 {
            turn.wait_at_the_gate();
            turn.write(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
        } else {
            turn.write(ok("{}").as_bytes());
        }
        Then::Keep
    });
    let rig = Rig::in_front_of(&inventory);
    let mut first = ask(&rig, ITEM);
    eventually(|| inventory.count(), |count| *count == 1);
    let mut second = ask(&rig, ITEM);
    in_the_gateway(&rig, 2);
    inventory.open_gate();
    assert_eq!(first.answer().status, 500, "three attempts, all in vain");
    assert_eq!(second.answer().status, 200);
    assert_eq!(coalesced(&rig, "alone"), 1.0);
}

#[test]
fn an_answer_for_one_reader_is_not_shared() {
    let inventory = counting(|number, turn| {
        turn.wait_at_the_gate();
        turn.write(
            format!(
                "HTTP/1.1 200 OK\r\nSet-Cookie: caller={number}\r\nContent-Length: 2\r\n\r\n{{}}"
            )
            .as_bytes(),
        );
        Then::Keep
    });
    let rig = Rig::in_front_of(&inventory);
    let mut two = [ask(&rig, ITEM), ask(&rig, ITEM)];
    in_the_gateway(&rig, 2);
    inventory.open_gate();
    let mut cookies: Vec<String> = two
        .iter_mut()
        .map(|wire| wire.answer().header("set-cookie").unwrap().to_owned())
        .collect();
    cookies.sort();
    assert_eq!(cookies, ["caller=0", "caller=1"]);
}

#[test]
fn who_follows_a_leader_that_hangs_asks_in_time() {
    let inventory = counting(|number, turn| {
        if number == 0 {
            turn.wait_for_the_end();
            return Then::Close;
        }
        turn.write(ok("{}").as_bytes());
        Then::Keep
    });
    // The leader's body may be sent twice as well; one attempt that takes all the time is what hangs.
    let rig = Rig::with(
        "[routes.inventory]\ntimeout_ms = 900\n",
        &[("", &[inventory.address])],
    );
    let mut first = ask(&rig, ITEM);
    eventually(|| inventory.count(), |count| *count == 1);
    let mut second = ask(&rig, ITEM);
    assert_eq!(second.answer().status, 200);
    assert_eq!(first.answer().status, 200);
}

#[test]
fn once_the_breaker_is_open_nobody_waits_for_who_asked_before() {
    let inventory = counting(|_, turn| {
        turn.wait_at_the_gate();
        turn.write(ok("{}").as_bytes());
        Then::Keep
    });
    let rig = Rig::in_front_of(&inventory);
    let mut first = ask(&rig, ITEM);
    eventually(|| inventory.count(), |count| *count == 1);
    let pool = &rig.gateway.upstreams["inventory"].pool;
    pool.set_breaker_mode(::upstream::Mode::ForcedOpen, std::time::Instant::now());
    let refused = rig.get(ITEM);
    assert_eq!(
        (refused.status, refused.code()),
        (503, "circuit_open".to_owned())
    );
    assert_eq!((inventory.count(), coalesced(&rig, "alone")), (1, 0.0));
    inventory.open_gate();
    assert_eq!(first.answer().status, 200, "what had begun may end");
}

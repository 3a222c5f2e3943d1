//! Whose failure it is: the client's, one instance's, or the whole service's.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::{
    issuer::{Publisher, Signer},
    rig::{Rig, request},
    tokens::{self, ask},
    upstream::{Then, Upstream, ok},
};

/// Nothing in the place of what fails, and no quota in the way.
const PLAIN: &str = "[limits]\naddress = { requests = 100000, per_ms = 1000, burst = 100000 }\n[limits.groups]\nusers = { requests = 100000, per_ms = 1000, burst = 100000 }\n";

#[test]
fn a_body_that_ended_late_is_not_the_upstreams_failure_whoever_says_that_time_is_up() {
    let asked = AtomicUsize::new(0);
    let orders = Upstream::playing(move |turn| {
        turn.read_body();
        if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            turn.wait_for_the_end();
            return Then::Close;
        }
        turn.write(b"HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n");
        Then::Keep
    });
    let rig = Rig::with(
        "[routes.orders_write]\ntimeout_ms = 1000\n",
        &[("", &[orders.address])],
    );
    let head = request("POST", "/api/orders", &["Content-Length: 2"], b"");
    let mut wires: Vec<_> = (0..10).map(|_| rig.connect()).collect();
    for wire in &mut wires {
        wire.send(&head);
    }
    // More than half of the route's time is gone by then, and not all of it.
    std::thread::sleep(Duration::from_millis(700));
    for wire in &mut wires {
        wire.send(b"{}");
    }
    let statuses: Vec<u16> = wires.iter_mut().map(|wire| wire.answer().status).collect();
    assert!(orders.count() >= 5, "the upstream was asked: {statuses:?}");
    for name in ["lictor_breaker_transitions_total", "lictor_ejections_total"] {
        assert_eq!(rig.metric(name, &[]), 0.0, "{name}: {statuses:?}");
    }
}

#[test]
fn a_service_that_cuts_all_of_its_answers_is_soon_not_asked_any_more() {
    let cut = || {
        Upstream::playing(|turn| {
            turn.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much");
            Then::Close
        })
    };
    let instances = [cut(), cut(), cut()];
    let addresses = instances.each_ref().map(|one| one.address);
    let rig = Rig::with(PLAIN, &[("", &addresses)]);
    let open = || rig.metric("lictor_breaker_state", &[("upstream", "users")]) == 2.0;
    // Ten calls, and those that one instance's ejection left without another.
    let asked = (0..40).take_while(|_| {
        let mut wire = rig.connect();
        wire.send(&request("GET", "/api/users", &[], b""));
        let _ = wire.try_answer();
        !open()
    });
    let asked = asked.count();
    assert!(open(), "still asked after {asked} cut answers");
    assert_eq!(rig.get("/api/users").code(), "circuit_open");
}

#[test]
fn a_part_of_an_aggregate_is_asked_of_another_instance_when_one_hangs() {
    let hanging = Upstream::playing(|turn| {
        turn.wait_for_the_end();
        Then::Close
    });
    let well = Upstream::answering(ok("{\"id\":\"usr_7\",\"name\":\"Ada\"}"));
    let orders = Upstream::answering(ok("{\"items\":[],\"total\":0}"));
    let rig = Rig::with(
        "[routes.profile]\ntimeout_ms = 4000\n",
        &[
            ("users", &[hanging.address, well.address]),
            ("orders", &[orders.address]),
            ("", &[]),
        ],
    );
    for _ in 0..8 {
        let answer = rig.get("/api/users/usr_7/profile");
        assert_eq!(
            answer.header("x-gateway-complete"),
            Some("true"),
            "{answer:?}"
        );
    }
    assert!(hanging.count() > 0, "the hanging one was asked");
    let seen = &orders.seen()[0];
    assert_eq!(seen.header("x-auth-subject"), Some("demo"));
    assert!(seen.header("x-auth-scopes").is_some(), "{seen:?}");
}

/// Takes requests and never answers.
fn silent() -> Upstream {
    Upstream::playing(|turn| {
        turn.wait_for_the_end();
        Then::Close
    })
}

#[test]
fn what_an_upstream_takes_to_read_a_body_is_not_the_clients_time() {
    /// More than all buffers on the way hold.
    const BODY: usize = 64 * 1024 * 1024;
    let orders = Upstream::playing(|turn| {
        // More than half of the route's time.
        std::thread::sleep(Duration::from_millis(2_500));
        turn.skip_body(BODY as u64);
        turn.wait_for_the_end();
        Then::Close
    });
    let rig = Rig::with(
        "[routes.orders_write]\ntimeout_ms = 4500\nbody_limit_bytes = 100000000\n",
        &[("", &[orders.address])],
    );
    let answer = rig.ask("POST", "/api/orders", &[], &vec![b'x'; BODY]);
    assert_eq!(answer.code(), "upstream_timeout", "{answer:?}");
    assert_eq!(
        orders.flowed(),
        BODY as u64,
        "all of it was read in the end"
    );
    // What is nobody's failure leaves no latency.
    let status = rig.gateway.upstreams["orders"].pool.status(Instant::now());
    assert!(status.endpoints[0].latency_us.is_some(), "{status:?}");
}

#[test]
fn waiting_for_the_keys_of_tokens_is_not_the_upstreams_time() {
    for path in ["/api/orders", "/api/users/usr_7/profile"] {
        let (old, new) = (Signer::new("old"), Signer::new("new"));
        let publisher = Publisher::of(&[&old]);
        let shop = silent();
        let toml = "least_refresh_ms = 100\n[routes.orders]\ntimeout_ms = 1000\n[routes.profile]\ntimeout_ms = 1000\nscopes = []\n[upstreams.keys]\ntimeout_ms = 5000\n";
        let rig = tokens::rig(&publisher, &shop, toml);
        publisher.publish_slowly(&[&old, &new]);
        // Until then an unknown key is refused at once.
        std::thread::sleep(Duration::from_millis(150));
        let token = new.token("ada");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let asking = || ask(&rig, path, &token).status;
            let asks: Vec<_> = (0..8).map(|_| scope.spawn(asking)).collect();
            asks.into_iter().map(|ask| ask.join().unwrap()).collect()
        });
        assert_eq!(statuses, [504; 8], "{path}");
        assert!(shop.count() >= 8, "{path}: it was asked");
        for name in ["lictor_breaker_transitions_total", "lictor_ejections_total"] {
            assert_eq!(rig.metric(name, &[]), 0.0, "{path}: {name}");
        }
        // Nobody's failure, and yet another instance might have done better.
        let retries = rig.metric("lictor_retries_total", &[("reason", "timeout")]);
        assert!(retries > 0.0, "{path}");
    }
}

#[test]
fn waiting_for_somebody_elses_answer_is_not_the_upstreams_time() {
    let shop = silent();
    let toml = format!("{PLAIN}[routes.inventory]\ntimeout_ms = 1000\n");
    let rig = Rig::with(&toml, &[("inventory", &[shop.address])]);
    let read = request("GET", "/api/inventory/items/LAMP", &[], b"");
    // One leads; the others follow for half of their time, and then ask for themselves.
    let mut wires: Vec<_> = (0..13).map(|_| rig.connect()).collect();
    for wire in &mut wires {
        wire.send(&read);
    }
    for wire in &mut wires {
        assert_eq!(wire.answer().code(), "upstream_timeout");
    }
    assert!(shop.count() >= 13, "they asked for themselves");
    for name in ["lictor_breaker_transitions_total", "lictor_ejections_total"] {
        assert_eq!(rig.metric(name, &[]), 0.0, "{name}");
    }
}

#[test]
fn a_body_that_misses_a_shortened_deadline_was_not_cut() {
    let slow = Upstream::playing(|turn| {
        turn.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much");
        turn.wait_for_the_end();
        Then::Close
    });
    let standing_in = "fallbacks = [\"stock\"]\n[fallbacks.stock]\nservice = \"inventory\"\npath = \"/inventory/items{rest}\"\n";
    let toml = format!(
        "{PLAIN}browse = {{ requests = 100000, per_ms = 1000, burst = 100000 }}\n[routes.recommendations]\ntimeout_ms = 600\n{standing_in}"
    );
    // What stands in has less time than its calls have; a route's own service has all of it.
    let rig = Rig::with(
        &toml,
        &[("recommendations", &[]), ("inventory", &[slow.address])],
    );
    let ask_eight = |path: &'static str| {
        std::thread::scope(|scope| {
            let asks: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| rig.get(path).status))
                .collect();
            asks.into_iter()
                .map(|ask| ask.join().unwrap())
                .collect::<Vec<u16>>()
        })
    };
    let failures = |name| rig.metric(name, &[("upstream", "inventory")]);
    assert_eq!(ask_eight("/api/recommendations/usr_7"), [503; 8]);
    assert_eq!(slow.count(), 8, "it was asked");
    for name in ["lictor_breaker_transitions_total", "lictor_ejections_total"] {
        assert_eq!(failures(name), 0.0, "{name}");
    }
}

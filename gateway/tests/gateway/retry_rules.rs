//! The bounds that hold for retries whatever fails (T1 to T5), seen from upstream.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    rig::{Rig, request},
    uncrowded,
    upstream::{Then, Upstream, ok},
    wire::{Wire, eventually},
};

const FAILURE: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

/// No quota in the way, and nothing in the place of what fails.
const PLAIN: &str = "[limits]\naddress = { requests = 100000, per_ms = 1000, burst = 100000 }\n[limits.groups]\nusers = { requests = 100000, per_ms = 1000, burst = 100000 }\n";

#[test]
fn t1_retries_stay_within_their_budget_whatever_fails() {
    let instances: Vec<Upstream> = (0..4).map(|_| Upstream::answering(FAILURE)).collect();
    let addresses: Vec<SocketAddr> = instances.iter().map(|one| one.address).collect();
    let rig = Rig::with(PLAIN, &[("", &addresses)]);
    rig.only_observe();
    let began = Instant::now();
    const REQUESTS: usize = 500;
    for _ in 0..REQUESTS {
        assert!(rig.get("/api/users").status >= 500);
    }
    let attempts: usize = instances.iter().map(Upstream::count).sum();
    let seconds = began.elapsed().as_secs_f64() + 1.0;
    let most = 1.2 * REQUESTS as f64 + 3.0 * seconds;
    assert!(
        attempts as f64 <= most,
        "{attempts} attempts of at most {most}"
    );
    assert!(attempts > REQUESTS, "some were made again: {attempts}");
    // 500 requests wanted two retries each: what was not made is counted.
    let of = [("upstream", "users"), ("reason", "budget")];
    let refused = rig.metric("lictor_retries_refused_total", &of);
    assert!(refused > 0.0, "the budget refused {refused}");
}

#[test]
fn a_budget_that_is_switched_off_refuses_nothing() {
    let instances: Vec<Upstream> = (0..4).map(|_| Upstream::answering(FAILURE)).collect();
    let addresses: Vec<SocketAddr> = instances.iter().map(|one| one.address).collect();
    let toml = format!("{PLAIN}[retries]\nbudget = false\n");
    let rig = Rig::with(&toml, &[("", &addresses)]);
    rig.only_observe();
    const REQUESTS: usize = 100;
    for _ in 0..REQUESTS {
        assert!(rig.get("/api/users").status >= 500);
    }
    let of = [("upstream", "users"), ("reason", "budget")];
    assert_eq!(rig.metric("lictor_retries_refused_total", &of), 0.0);
    let retries = rig.metric("lictor_retries_total", &[("upstream", "users")]);
    let budgeted = 0.2 * REQUESTS as f64 + 3.0 * 10.0;
    assert!(retries > budgeted, "{retries} retries");
}

#[test]
fn t2_no_request_is_made_more_than_three_times() {
    for status in [
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "504 Gateway Timeout",
    ] {
        let failing =
            Upstream::answering(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        let rig = Rig::in_front_of(&failing);
        assert!(rig.get("/api/users").status >= 500);
        assert_eq!(failing.count(), 3, "{status}");
    }
    for status in [
        "501 Not Implemented",
        "505 HTTP Version Not Supported",
        "429 Too Many Requests",
        "404 Not Found",
    ] {
        let final_word =
            Upstream::answering(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
        let rig = Rig::in_front_of(&final_word);
        rig.get("/api/users");
        assert_eq!(final_word.count(), 1, "{status}");
    }
}

#[test]
fn t3_of_a_hundred_posts_without_a_key_none_is_made_twice() {
    let broken = AtomicUsize::new(0);
    let orders = Upstream::playing(move |turn| {
        turn.read_body();
        match broken.fetch_add(1, Ordering::SeqCst) % 3 {
            0 => return Then::Close,
            1 => turn.write(FAILURE.as_bytes()),
            _ => turn.write(ok("{}").as_bytes()),
        }
        Then::Keep
    });
    let rig = Rig::with(
        "[limits.groups]\norders = { requests = 1000, per_ms = 1000, burst = 1000 }\n",
        &[("", &[orders.address])],
    );
    rig.only_observe();
    let mut made = 0;
    for number in 0..100 {
        rig.ask(
            "POST",
            "/api/orders",
            &[],
            format!("{{\"n\":{number}}}").as_bytes(),
        );
        assert!(
            orders.count() <= made + 1,
            "request {number} was made twice"
        );
        made = orders.count();
    }
    let mut bodies: Vec<Vec<u8>> = orders.seen().into_iter().map(|seen| seen.body).collect();
    let all = bodies.len();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), all);
}

#[test]
fn t4_nothing_is_tried_again_after_the_first_byte() {
    let cutting = Upstream::playing(|turn| {
        turn.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf");
        Then::Close
    });
    let well = Upstream::well();
    let rig = Rig::with("", &[("", &[cutting.address, well.address])]);
    for _ in 0..4 {
        let before = cutting.count() + well.count();
        let answer = rig.get("/api/users");
        assert_eq!(answer.status, 200);
        assert!(answer.whole || answer.text() == "half");
        assert_eq!(cutting.count() + well.count(), before + 1);
    }
}

#[test]
fn t4_a_wait_that_does_not_fit_the_deadline_is_not_waited_for() {
    let _quiet = uncrowded();
    for (asked, fits) in [("1", true), ("5", false)] {
        let later = AtomicBool::new(true);
        let text = format!(
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {asked}\r\nContent-Length: 0\r\n\r\n"
        );
        let users = Upstream::playing(move |turn| {
            if later.swap(false, Ordering::SeqCst) {
                turn.write(text.as_bytes());
            } else {
                turn.write(ok("{}").as_bytes());
            }
            Then::Keep
        });
        let other = Upstream::well();
        let rig = Rig::with(PLAIN, &[("", &[users.address, other.address])]);
        // Two instances: whichever is asked, the one that says later is met once.
        let (mut slowest, mut statuses) = (Duration::ZERO, Vec::new());
        while users.count() == 0 {
            let began = Instant::now();
            let answer = rig.get("/api/users");
            slowest = slowest.max(began.elapsed());
            statuses.push((
                answer.status,
                answer.header("retry-after").map(str::to_owned),
            ));
        }
        let last = statuses.pop().unwrap();
        if fits {
            assert_eq!(last.0, 200);
            assert!(slowest >= Duration::from_secs(1), "{slowest:?}");
        } else {
            assert_eq!(last, (503, Some(asked.to_owned())));
            assert!(slowest < Duration::from_secs(1), "{slowest:?}");
        }
    }
}

#[test]
fn t5_no_retry_goes_to_an_instance_that_is_ejected() {
    let _quiet = uncrowded();
    let failing = Upstream::playing(|turn| {
        turn.wait_at_the_gate();
        turn.write(FAILURE.as_bytes());
        Then::Keep
    });
    let (flaky, calls) = (Arc::new(AtomicBool::new(false)), AtomicUsize::new(0));
    let turned = flaky.clone();
    let other = Upstream::playing(move |turn| {
        let even = calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        if turned.load(Ordering::SeqCst) && even {
            turn.write(FAILURE.as_bytes());
        } else {
            turn.write(ok("{}").as_bytes());
        }
        Then::Keep
    });
    let rig = Rig::with(PLAIN, &[("", &[failing.address, other.address])]);
    rig.only_observe();
    // All at once: one after the other, the first failure would make it the dearer choice, and it would never fail five times in a row.
    let mut wires: Vec<Wire> = (0..30).map(|_| rig.connect()).collect();
    for wire in &mut wires {
        wire.send(&request("GET", "/api/users", &[], b""));
    }
    eventually(|| failing.count() + other.count(), |count| *count == 30);
    failing.open_gate();
    let until = eventually(|| ejected_until(&rig), Option::is_some).unwrap();
    flaky.store(true, Ordering::SeqCst);
    let retried = || rig.metric("lictor_retries_total", &[("upstream", "users")]);
    let before = (failing.count(), retried());
    let mut after = before;
    loop {
        rig.get("/api/users");
        let seen = (failing.count(), retried());
        // A request that ended later may have been the probe.
        if Instant::now() >= until {
            break;
        }
        after = seen;
    }
    assert_eq!(after.0, before.0, "not one attempt went there");
    assert!(after.1 > before.1, "while attempts were made again");
}

/// The earliest moment at which the ejected instance of users may be tried again, once there is one.
fn ejected_until(rig: &Rig) -> Option<Instant> {
    let now = Instant::now();
    let users = rig.gateway.upstreams["users"].pool.status(now);
    let ejected = users.endpoints.iter().find(|one| one.ejection == "open")?;
    let left = u64::try_from(ejected.opens_for_ms?).ok()?;
    Some(now + Duration::from_millis(left))
}

//! The keys that sign tokens: rotated under load, kept when their publisher fails, asked for at a bounded rate.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    issuer::{HANGS, Publisher, Signer, claims},
    rig::{KEYS, Rig, request},
    tokens::{ask, rig},
    upstream::Upstream,
    wire::eventually,
};

/// Quick enough for a test: a key that is published is known a fifth of a second later at most.
const QUICK: &str = "refresh_ms = 200\nleast_refresh_ms = 100\n\
                     [limits]\naddress = { requests = 1000000, per_ms = 1000, burst = 1000000 }\n\
                     [limits.groups]\norders = { requests = 1000000, per_ms = 1000, burst = 1000000 }\n";

/// Rotations under load.
const ROTATIONS: usize = 10;

/// Good tokens one after the other on one connection until told to stop: all answers that were not 200.
fn load(rig: &Rig, signer: &Mutex<Signer>, stop: &AtomicBool, sent: &AtomicUsize) -> Vec<String> {
    let mut wire = rig.connect();
    let mut wrong = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let token = signer.lock().unwrap().token("ada");
        let authorization = format!("Authorization: Bearer {token}");
        wire.send(&request(
            "GET",
            "/api/orders",
            &["x-api-key", &authorization],
            b"",
        ));
        let answer = wire.answer();
        sent.fetch_add(1, Ordering::SeqCst);
        if answer.status != 200 {
            wrong.push(format!("{} {}", answer.status, answer.text()));
        }
    }
    wrong
}

#[test]
fn keys_rotate_under_load_without_an_error() {
    let mut signer = Signer::new("0");
    let publisher = Publisher::of(&[&signer]);
    let shop = Upstream::well();
    let rig = rig(&publisher, &shop, QUICK);
    let current = Mutex::new(Signer::new("0"));
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| load(&rig, &current, &stop, &sent)))
            .collect();
        for number in 1..=ROTATIONS {
            let next = Signer::new(&number.to_string());
            publisher.publish(&[&signer, &next]);
            // Published before it is used: the gateway has asked at least once since.
            let asked = publisher.asked();
            eventually(|| publisher.asked(), |now| *now >= asked + 2);
            *current.lock().unwrap() = Signer::new(&number.to_string());
            let before = sent.load(Ordering::SeqCst);
            eventually(|| sent.load(Ordering::SeqCst), |now| *now >= before + 100);
            signer = next;
        }
        stop.store(true, Ordering::SeqCst);
        let wrong: Vec<String> = clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect();
        let total = sent.load(Ordering::SeqCst);
        assert!(total >= ROTATIONS * 100);
        assert!(wrong.is_empty(), "{} of {total}: {}", wrong.len(), wrong[0]);
        println!("{ROTATIONS} rotations under load: {total} requests, 0 errors");
    });
}

#[test]
fn a_key_that_nobody_announced_is_asked_for_when_its_first_token_comes() {
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    let publisher = Publisher::of(&[&old]);
    let shop = Upstream::well();
    let rig = rig(&publisher, &shop, "least_refresh_ms = 100\n");
    publisher.publish(&[&old, &new]);
    // Within the least pause an unknown key is refused at once; after it, the first token waits for the answer.
    let served = eventually(
        || ask(&rig, "/api/orders", &new.token("ada")).status,
        |status| *status == 200,
    );
    assert_eq!(served, 200);
    assert_eq!(publisher.asked(), 2, "the one at the start and this one");
    publisher.publish(&[&new]);
    assert_eq!(ask(&rig, "/api/orders", &old.token("ada")).status, 200);
}

#[test]
fn a_flood_of_invented_keys_asks_the_publisher_at_the_bounded_rate() {
    const FLOOD: Duration = Duration::from_secs(3);
    let signer = Signer::new("real");
    let publisher = Publisher::of(&[&signer]);
    let shop = Upstream::well();
    let quick = QUICK.replace(
        "refresh_ms = 200\nleast_refresh_ms = 100",
        "least_refresh_ms = 1000",
    );
    let rig = rig(&publisher, &shop, &quick);
    let begin = Instant::now();
    let (sent, asked) = (AtomicUsize::new(0), publisher.asked());
    let slowest = Mutex::new(Duration::ZERO);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (rig, sent, slowest) = (&rig, &sent, &slowest);
            scope.spawn(move || {
                let mut wire = rig.connect();
                for number in 0.. {
                    if begin.elapsed() > FLOOD {
                        return;
                    }
                    let mut head = Signer::new("real").head();
                    head["kid"] = format!("invented-{thread}-{number}").into();
                    let token = Signer::new("real").sign(&head, &claims("eve"));
                    let authorization = format!("Authorization: Bearer {token}");
                    let bytes = request("GET", "/api/orders", &["x-api-key", &authorization], b"");
                    let started = Instant::now();
                    wire.send(&bytes);
                    let answer = wire.answer();
                    let took = started.elapsed();
                    assert_eq!(
                        (answer.status, answer.code().as_str()),
                        (401, "token_unknown_key")
                    );
                    sent.fetch_add(1, Ordering::SeqCst);
                    let mut slowest = slowest.lock().unwrap();
                    *slowest = took.max(*slowest);
                }
            });
        }
    });
    let seconds = begin.elapsed().as_secs_f64();
    let (sent, asked) = (sent.load(Ordering::SeqCst), publisher.asked() - asked);
    assert!(sent > 100, "{sent} were a flood");
    assert!(asked >= 1, "an unknown key may be a new one");
    assert!(asked as f64 <= seconds + 1.0, "{asked} in {seconds:.1} s");
    assert_eq!(ask(&rig, "/api/orders", &signer.token("ada")).status, 200);
    println!(
        "{sent} invented keys in {seconds:.1} s: {asked} requests to the publisher, slowest answer {:?}",
        slowest.lock().unwrap()
    );
}

#[test]
fn bad_answers_never_replace_good_keys() {
    let signer = Signer::new("good");
    let publisher = Publisher::of(&[&signer]);
    let shop = Upstream::well();
    let rig = rig(&publisher, &shop, QUICK);
    let many: Vec<Signer> = (0..33).map(|n| Signer::new(&n.to_string())).collect();
    let many = serde_json::json!({"keys": many.iter().map(Signer::jwk).collect::<Vec<_>>()});
    let oversized = format!("{{\"keys\": [], \"more\": \"{}\"}}", "a".repeat(2_000_000));
    for answer in [
        "",
        "{}",
        "[]",
        "not json",
        "{\"keys\": []}",
        "{\"keys\": [{\"kty\": \"RSA\", \"kid\": \"good\"}]}",
        &many.to_string(),
        &oversized,
    ] {
        publisher.say(answer);
        let asked = publisher.asked();
        eventually(|| publisher.asked(), |now| *now >= asked + 2);
        assert_eq!(
            ask(&rig, "/api/orders", &signer.token("ada")).status,
            200,
            "after {}",
            &answer[..answer.len().min(60)]
        );
        // Well in between, so that the breaker of the publisher stays out of this.
        publisher.publish(&[&signer]);
        let ok = || rig.metric("lictor_keyset_refreshes_total", &[("result", "ok")]);
        let before = ok();
        eventually(ok, |now| *now > before);
    }
    let result = |result| rig.metric("lictor_keyset_refreshes_total", &[("result", result)]);
    assert!(result("bad") >= 3.0 && result("unreachable") >= 3.0);
}

#[test]
fn without_any_keys_it_is_503_and_says_when_to_come_back() {
    let signer = Signer::new("first");
    let shop = Upstream::well();
    let toml = format!("[tokens]\nupstream = \"{KEYS}\"\n");
    let rig = Rig::with(
        &toml,
        &[(KEYS, &[Upstream::nobody()]), ("", &[shop.address])],
    );
    let answer = eventually(
        || ask(&rig, "/api/orders", &signer.token("ada")),
        |answer| answer.header("retry-after").is_some(),
    );
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (503, "keys_unavailable")
    );
    // What cannot be good with any key is the token's fault even now, and keys are not concerned.
    assert_eq!(ask(&rig, "/api/orders", "a.b.c").code(), "token_malformed");
    assert_eq!(rig.get("/api/orders").status, 200);
}

#[test]
fn a_publisher_that_hangs_is_not_waited_for() {
    let (signer, stranger) = (Signer::new("first"), Signer::new("stranger"));
    let publisher = Publisher::of(&[&signer]);
    let shop = Upstream::well();
    let rig = rig(&publisher, &shop, "least_refresh_ms = 100\n");
    publisher.say(HANGS);
    let asked = publisher.asked();
    let (code, _, took) = eventually(
        || {
            let started = Instant::now();
            let answer = ask(&rig, "/api/orders", &stranger.token("eve"));
            (answer.code(), publisher.asked(), started.elapsed())
        },
        |(_, now, _)| *now > asked,
    );
    assert_eq!(code, "token_unknown_key");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(ask(&rig, "/api/orders", &signer.token("ada")).status, 200);
}

#[test]
fn a_publisher_that_dies_takes_no_token_with_it() {
    let signer = Signer::new("first");
    let publisher = Publisher::of(&[&signer]);
    let shop = Upstream::well();
    let rig = rig(&publisher, &shop, QUICK);
    publisher.say("");
    let failed = || {
        rig.metric(
            "lictor_keyset_refreshes_total",
            &[("result", "unreachable")],
        )
    };
    let mut served = 0;
    while failed() < 20.0 {
        assert_eq!(ask(&rig, "/api/orders", &signer.token("ada")).status, 200);
        served += 1;
    }
    println!("{served} tokens verified while 20 refreshes failed, 0 refused");
}

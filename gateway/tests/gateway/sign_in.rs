//! Signing in: slow for who guesses, and a busy sign-in is not a broken service.

use crate::{
    rig::Rig,
    upstream::{Then, Upstream, ok},
    wire::Answer,
};

/// One machine on which many people sign in.
const TRUSTING: &str = "[edge]\ntrusted_proxies = [\"127.0.0.0/8\"]\n";

fn sign_in(rig: &Rig, from: &str) -> Answer {
    let forwarded = format!("X-Forwarded-For: {from}");
    let headers = ["x-api-key", &forwarded, "Content-Type: application/json"];
    rig.ask("POST", "/api/auth/token", &headers, b"{}")
}

#[test]
fn guessing_passwords_is_slow_for_one_address_and_costs_the_others_nothing() {
    let users = Upstream::well();
    let rig = Rig::with(TRUSTING, &[("", &[users.address])]);
    let answers: Vec<Answer> = (0..30).map(|_| sign_in(&rig, "192.0.2.1")).collect();
    let admitted = answers.iter().filter(|one| one.status == 200).count();
    // One try comes back every three seconds.
    assert!((10..=12).contains(&admitted), "{admitted}");
    assert_eq!(
        users.count(),
        admitted,
        "no password was looked at for the others"
    );
    let refused = answers.iter().filter(|one| one.status == 429);
    assert!(
        refused
            .clone()
            .all(|one| one.header("retry-after").is_some())
    );
    assert_eq!(refused.count(), 30 - admitted);

    assert_eq!(sign_in(&rig, "192.0.2.2").status, 200);
    let forwarded = "X-Forwarded-For: 192.0.2.1";
    let keys = rig.ask("GET", "/api/auth/jwks", &["x-api-key", forwarded], b"");
    assert_eq!(keys.status, 200, "the keys have a limit of their own");
}

#[test]
fn a_busy_sign_in_does_not_close_users_for_everybody() {
    let users = Upstream::playing(|turn| {
        turn.read_body();
        if turn.seen.line.starts_with("POST") {
            turn.write(
                b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
            );
        } else {
            turn.write(ok("{}").as_bytes());
        }
        Then::Keep
    });
    let rig = Rig::with(TRUSTING, &[("", &[users.address])]);
    for address in 0..40 {
        let answer = sign_in(&rig, &format!("192.0.2.{address}"));
        assert_eq!(answer.status, 503, "{address}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(
        rig.metric("lictor_breaker_state", &[("upstream", "users")]),
        0.0
    );
    assert_eq!(rig.get("/api/users").status, 200);
}

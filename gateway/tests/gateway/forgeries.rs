//! Tokens that were changed after they were signed, by chance and by the hundred thousand: none is taken, none makes the gateway panic.
//!
//! `FORGERIES=1000000 cargo test -p gateway --test gateway forgeries --release -- --nocapture` tries more.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway::auth::{claims::Expected, jwks::KeySet, token::Unverified};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestRunner},
};

use crate::issuer::{Signer, claims, now};

/// How many; each is a signature in the worst case.
fn cases() -> u32 {
    let told = std::env::var("FORGERIES").ok();
    told.and_then(|told| told.parse().ok()).unwrap_or(100_000)
}

/// One way to change a token.
#[derive(Debug, Clone)]
enum Forgery {
    /// Another character at one place.
    Replace(Index, char),
    Insert(Index, char),
    Remove(Index),
    Cut(Index),
    Swap(Index, Index),
    Repeat(Index),
    /// Bytes of one part flipped before it is encoded again.
    Flip(usize, Index, u8),
    /// A part of another good token.
    Graft(usize),
    /// A part that is something else.
    Part(usize, String),
    Any(String),
}

fn forgery() -> impl Strategy<Value = Forgery> {
    let index = any::<Index>;
    let letter = || prop_oneof![4 => "[A-Za-z0-9_.=+/-]".prop_map(|s| s.chars().next().unwrap_or('A')), 1 => any::<char>()];
    prop_oneof![
        4 => (index(), letter()).prop_map(|(at, with)| Forgery::Replace(at, with)),
        1 => (index(), letter()).prop_map(|(at, with)| Forgery::Insert(at, with)),
        1 => index().prop_map(Forgery::Remove),
        1 => index().prop_map(Forgery::Cut),
        1 => (index(), index()).prop_map(|(one, other)| Forgery::Swap(one, other)),
        1 => index().prop_map(Forgery::Repeat),
        4 => (0..3_usize, index(), 1..=255_u8).prop_map(|(part, at, bits)| Forgery::Flip(part, at, bits)),
        1 => (0..3_usize).prop_map(Forgery::Graft),
        1 => (0..3_usize, ".{0,40}").prop_map(|(part, text)| Forgery::Part(part, text)),
        1 => ".{0,200}".prop_map(Forgery::Any),
    ]
}

fn forge(good: &str, other: &str, forgery: &Forgery) -> String {
    let mut text: Vec<char> = good.chars().collect();
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    match forgery {
        Forgery::Replace(at, with) => text[at.index(good.len())] = *with,
        Forgery::Insert(at, with) => text.insert(at.index(good.len()), *with),
        Forgery::Remove(at) => drop(text.remove(at.index(good.len()))),
        Forgery::Cut(at) => text.truncate(at.index(good.len())),
        Forgery::Swap(one, other) => text.swap(one.index(good.len()), other.index(good.len())),
        Forgery::Repeat(at) => {
            let tail: Vec<char> = text[at.index(good.len())..].to_vec();
            text.extend(tail);
        }
        Forgery::Flip(part, at, bits) => {
            let mut all = parts(good);
            let mut bytes = URL_SAFE_NO_PAD.decode(&all[*part]).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
            all[*part] = URL_SAFE_NO_PAD.encode(bytes);
            return all.join(".");
        }
        Forgery::Graft(part) => {
            let mut all = parts(good);
            all[*part].clone_from(&parts(other)[*part]);
            return all.join(".");
        }
        Forgery::Part(part, with) => {
            let mut all = parts(good);
            all[*part] = URL_SAFE_NO_PAD.encode(with);
            return all.join(".");
        }
        Forgery::Any(with) => return with.clone(),
    }
    text.into_iter().collect()
}

#[test]
fn no_changed_token_is_ever_taken() {
    let signer = Signer::new("first");
    let set = serde_json::json!({ "keys": [signer.jwk()] });
    let set = KeySet::read(serde_json::from_value(set).unwrap()).unwrap();
    let expected = Expected {
        issuer: "lictor-users".into(),
        audience: "lictor".into(),
        leeway_s: 30,
    };
    let verify = |text: &str| -> Result<(), &'static str> {
        let token = Unverified::parse(text).map_err(gateway::auth::Refused::code)?;
        let key = set.get(token.kid()).ok_or("token_unknown_key")?;
        let claims = token.verify(key).map_err(gateway::auth::Refused::code)?;
        let known = expected.check(claims, now());
        known.map(drop).map_err(gateway::auth::Refused::code)
    };
    let good = signer.token("ada");
    let other = signer.sign(&signer.head(), &claims("root"));
    assert_eq!((verify(&good), verify(&other)), (Ok(()), Ok(())));

    let mut refused = BTreeMap::<&'static str, u32>::new();
    let mut tried = 0;
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    };
    let seen = std::cell::RefCell::new((&mut refused, &mut tried));
    let outcome = TestRunner::new(config).run(&forgery(), |forgery| {
        let text = forge(&good, &other, &forgery);
        if text == good || text == other {
            return Ok(());
        }
        let mut seen = seen.borrow_mut();
        *seen.1 += 1;
        match verify(&text) {
            Ok(()) => Err(TestCaseError::fail(format!("taken: {text}"))),
            Err(code) => {
                *seen.0.entry(code).or_default() += 1;
                Ok(())
            }
        }
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    println!("{tried} changed tokens, 0 taken: {refused:?}");
    assert!(refused["token_bad_signature"] > tried / 4);
}

//! The scopes that routes ask for are those that somebody can have: the gateway's routes, the roles of users and the keys of a run agree.

use std::collections::BTreeSet;

use super::sources;

/// Words such as `orders:read` between two quotation marks or blanks.
fn scopes(text: &str) -> BTreeSet<String> {
    let is_scope = |word: &&str| {
        let letters = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        word.split_once(':')
            .is_some_and(|(what, how)| letters(what) && letters(how))
    };
    text.split(['"', ' ', ',', '[', ']'])
        .filter(is_scope)
        .map(str::to_owned)
        .collect()
}

fn read(path: &str) -> String {
    let path = sources::root().join(path);
    let text = std::fs::read_to_string(&path);
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of `scopes = [...]` in the gateway's routes.
fn asked_for() -> BTreeSet<String> {
    let toml = read("gateway/gateway.toml");
    toml.lines()
        .filter(|line| line.starts_with("scopes ="))
        .flat_map(scopes)
        .collect()
}

#[test]
fn every_scope_of_a_route_can_be_had() {
    let asked = asked_for();
    assert!(asked.len() >= 10, "the routes were not found: {asked:?}");
    let keys = scopes(&read("tests/stack/src/keys.rs"));
    let missing: Vec<_> = asked.difference(&keys).collect();
    assert!(missing.is_empty(), "no key of a run has {missing:?}");
    // What only programs may do is asked of keys alone.
    let roles = scopes(&read("services/users/src/user.rs"));
    let missing: Vec<_> = asked.difference(&roles).collect();
    assert_eq!(missing, ["payments:write"], "no role has them");
}

#[test]
fn nobody_is_given_a_scope_that_no_route_asks_for() {
    let asked = asked_for();
    for path in [
        "services/users/src/user.rs",
        "services/users/README.md",
        "tests/stack/src/keys.rs",
    ] {
        let unknown: Vec<_> = scopes(&read(path)).difference(&asked).cloned().collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

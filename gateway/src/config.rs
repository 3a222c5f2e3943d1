//! The gateway's own sections of the configuration; `gateway.toml` holds every key with its value and why.
//!
//! The structs mirror the file. What the types cannot refuse, `check` does, before anything binds: a route that points to a limit or a fallback which is not there, a key that could never be used.
//! Sections that every process has (listeners, identity, Consul, upstream pools) belong to `service`.

use std::{collections::BTreeMap, time::Duration};

use resilience::retry::Retry;
use serde::Deserialize;
use service::BadValue;

use crate::{
    auth::{Key, config::TokensConfig},
    client::network::Network,
    fallback,
    fallback::config::FallbackConfig,
    kept::KeptConfig,
    limit::quota::LimitsConfig,
    route::RouteConfig,
    route::table::Table,
};

/// Every section that is the gateway's own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub edge: Edge,
    pub routes: BTreeMap<String, RouteConfig>,
    pub limits: LimitsConfig,
    pub tokens: TokensConfig,
    /// API keys by id; none are shipped.
    #[serde(default)]
    pub keys: BTreeMap<String, Key>,
    #[serde(default)]
    pub fallbacks: BTreeMap<String, FallbackConfig>,
    pub kept: KeptConfig,
    pub retries: Retries,
}

/// `[edge]`: what is owed to every request before it is known where it goes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Our name in `Via`; seeing it on the way in is a loop.
    pub via: String,
    pub head_bytes: usize,
    pub header_count: usize,
    pub uri_bytes: usize,
    /// A body may pause for so long.
    pub body_idle_ms: u64,
    /// And must come at least this fast on average, in bytes a second.
    pub body_rate: u64,
    /// An answer's body may pause for so long.
    pub answer_idle_ms: u64,
    /// Bodies up to this size can be sent again; longer ones are streamed once.
    pub replay_bytes: usize,
    /// Requests in the gateway at once; the lower priorities are turned away before.
    pub in_flight: u32,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Answers say which instance served them, why, and in how many attempts.
    pub debug_headers: bool,
}

/// `[retries]`: what may be told of the rule for them; the rest of it is `resilience::retry`'s.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Whether a used-up budget refuses a retry.
    pub budget: bool,
}

impl Retries {
    /// The rule.
    pub fn rule(&self) -> Retry {
        Retry {
            budgeted: self.budget,
            ..Retry::default()
        }
    }
}

impl Edge {
    /// How long a request's body may pause.
    pub fn body_idle(&self) -> Duration {
        Duration::from_millis(self.body_idle_ms)
    }

    /// How long an answer's body may pause.
    pub fn answer_idle(&self) -> Duration {
        Duration::from_millis(self.answer_idle_ms)
    }
}

/// Refuses what the types alone cannot.
pub fn check(settings: &Settings) -> Result<(), BadValue> {
    check_edge(&settings.edge)?;
    settings.kept.check()?;
    let fallbacks = fallback::config::build(&settings.fallbacks)?;
    settings.tokens.check()?;
    Table::new(&settings.routes)?;
    if settings.limits.max_keys == 0 {
        return Err(BadValue::new(
            "limits.max_keys",
            0,
            "at least one client must be told apart",
        ));
    }
    for (name, route) in &settings.routes {
        if !settings.limits.groups.contains_key(&route.limit) {
            return Err(BadValue::new(
                format!("routes.{name}.limit"),
                &route.limit,
                "there is no such group in limits.groups",
            ));
        }
        fallback::config::check_order(name, &route.fallbacks, &fallbacks)?;
    }
    settings
        .keys
        .iter()
        .try_for_each(|(id, key)| check_key(id, key, &settings.limits))
}

fn check_edge(edge: &Edge) -> Result<(), BadValue> {
    /// Where the parser below us gives up by itself (edge.md S10): more than this never arrives.
    const PARSER: (usize, usize) = (131_072, 96);
    /// What is kept for replay is held for every request in flight.
    const LARGEST_REPLAY: usize = 1024 * 1024;
    /// Ten minutes: a connection that is silent for longer is forgotten by every NAT on the way.
    const LONGEST_PAUSE: usize = 600_000;
    let within = |key: &str, value: usize, most: usize| {
        let fits = (1..=most).contains(&value);
        let reason = format!("must be between 1 and {most}");
        if fits {
            Ok(())
        } else {
            Err(BadValue::new(format!("edge.{key}"), value, reason))
        }
    };
    if edge.via.is_empty() || !edge.via.bytes().all(is_name_byte) {
        return Err(BadValue::new(
            "edge.via",
            &edge.via,
            "must be a name of a-z, 0-9, - and .",
        ));
    }
    within("head_bytes", edge.head_bytes, PARSER.0)?;
    within("header_count", edge.header_count, PARSER.1)?;
    within("uri_bytes", edge.uri_bytes, PARSER.0)?;
    within("replay_bytes", edge.replay_bytes, LARGEST_REPLAY)?;
    within("in_flight", edge.in_flight as usize, u32::MAX as usize)?;
    within(
        "body_idle_ms",
        usize::try_from(edge.body_idle_ms).unwrap_or(usize::MAX),
        LONGEST_PAUSE,
    )?;
    within(
        "answer_idle_ms",
        usize::try_from(edge.answer_idle_ms).unwrap_or(usize::MAX),
        LONGEST_PAUSE,
    )
}

fn check_key(id: &str, key: &Key, limits: &LimitsConfig) -> Result<(), BadValue> {
    if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| is_name_byte(byte) && byte != b'.')
    {
        return Err(BadValue::new(
            "keys",
            id,
            "an id is 1 to 64 of a-z, 0-9 and -: a key is ID.SECRET",
        ));
    }
    if key.subject.is_empty() || !key.subject.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadValue::new(
            format!("keys.{id}.subject"),
            &key.subject,
            "must be visible ASCII: it becomes a header",
        ));
    }
    let odd = key
        .scopes
        .iter()
        .find(|scope| scope.is_empty() || !scope.bytes().all(|byte| byte.is_ascii_graphic()));
    if let Some(odd) = odd {
        return Err(BadValue::new(
            format!("keys.{id}.scopes"),
            odd,
            "a scope is visible ASCII without spaces",
        ));
    }
    match key
        .quota
        .keys()
        .find(|group| !limits.groups.contains_key(*group))
    {
        Some(group) => Err(BadValue::new(
            format!("keys.{id}.quota"),
            group,
            "there is no such group in limits.groups",
        )),
        None => Ok(()),
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
}

/// The gateway's sections as they are shipped.
#[cfg(test)]
pub fn shipped() -> Settings {
    from_toml("")
}

/// The shipped sections with some of them replaced, as a file of a user's would.
#[cfg(test)]
pub fn from_toml(replacing: &str) -> Settings {
    let mut whole: toml::Table = toml::from_str(crate::DEFAULTS).expect("gateway.toml is TOML");
    whole.extend(toml::from_str::<toml::Table>(replacing).expect("the test's own TOML"));
    whole.retain(|section, _| {
        [
            "edge",
            "routes",
            "limits",
            "tokens",
            "keys",
            "fallbacks",
            "kept",
            "retries",
        ]
        .contains(&section)
    });
    whole.try_into().expect("gateway.toml fits its structs")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_whole_and_brings_no_key() {
        let settings = shipped();
        check(&settings).unwrap();
        assert!(settings.keys.is_empty());
        assert!(!settings.edge.debug_headers);
        assert!(settings.edge.trusted_proxies.is_empty());
    }

    #[test]
    fn the_retry_budget_is_on_or_off_and_nothing_else() {
        assert!(shipped().retries.rule().budgeted);
        assert!(
            !from_toml("[retries]\nbudget = false")
                .retries
                .rule()
                .budgeted
        );
        for wrong in ["budget = \"half\"", "budget = 2", "budgets = true"] {
            assert!(toml::from_str::<Retries>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn impossible_values_are_told_by_key() {
        let key = |subject: &str, quota: &str| {
            format!(
                "[keys.demo]\ndigest = \"{}\"\nsubject = \"{subject}\"\nquota = {{ {quota} }}\n",
                "00".repeat(32)
            )
        };
        for (toml, expected) in [
            (key("a b", ""), "keys.demo.subject"),
            (key("ada", "nowhere = 1"), "keys.demo.quota"),
            (
                key("ada", "").replace("keys.demo", "keys.\"De.mo\""),
                "keys = De.mo",
            ),
        ] {
            let refused = check(&from_toml(&toml)).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        let edited = |edit: fn(&mut Settings)| {
            let mut settings = shipped();
            edit(&mut settings);
            check(&settings).unwrap_err().to_string()
        };
        assert!(edited(|s| s.edge.via = "Two Words".into()).contains("edge.via = Two Words"));
        assert!(edited(|s| s.edge.header_count = 97).contains("edge.header_count = 97"));
        assert!(edited(|s| s.edge.in_flight = 0).contains("edge.in_flight = 0"));
        assert!(
            edited(|s| s.limits.groups.retain(|name, _| name != "users")).contains("limit = users")
        );
        assert!(edited(|s| s.fallbacks.clear()).contains("fallbacks = "));
        assert!(edited(|s| s.limits.max_keys = 0).contains("limits.max_keys = 0"));
    }
}

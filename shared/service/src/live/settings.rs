//! The settings that every process has: its log filter, the breakers of the services that it calls, its faults.

use super::{Effect, Setting, parse};
use crate::context::Context;
use crate::faults::{Fault, Faults, parse_stored};
use crate::identity::Identity;
use serde::Deserialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use telemetry::LogFilter;
use upstream::{Mode, Pool};

/// `{"filter":"info,gateway=debug"}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    filter: String,
}

/// `{"mode":"forced_open"}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Breaker {
    mode: String,
}

/// `log/SERVICE`, `breakers/UPSTREAM` and `faults/SERVICE[/INSTANCE or ZONE]`.
/// Without a key the filter is `configured`, breakers follow their rule, and nothing is broken on purpose.
pub(crate) fn of_every_process(
    context: &Context,
    filter: LogFilter,
    configured: &str,
) -> Vec<Setting> {
    vec![
        log(context.identity.service, filter, configured.to_owned()),
        breakers(context.upstreams.clone()),
        faults(&context.identity, context.faults.clone()),
    ]
}

fn log(service: &'static str, filter: LogFilter, configured: String) -> Setting {
    Setting::new("log", move |name, value| {
        if name != service {
            return Ok(Effect::NotOurs);
        }
        let wanted = match value {
            Some(text) => parse::<Log>(text)?.filter,
            None => configured.clone(),
        };
        filter
            .set(&wanted)
            .map_err(|error| format!("filter: {error}"))?;
        Ok(Effect::Applied)
    })
}

fn breakers(upstreams: BTreeMap<String, Arc<Pool>>) -> Setting {
    Setting::new("breakers", move |name, value| {
        let Some(pool) = upstreams.get(name) else {
            return Ok(Effect::NotOurs);
        };
        let mode = value.map_or(Ok(Mode::Auto), mode)?;
        pool.set_breaker_mode(mode, Instant::now());
        Ok(Effect::Applied)
    })
}

/// The lists of all keys that mean this process are one list of faults.
fn faults(identity: &Identity, faults: Faults) -> Setting {
    let places = [
        identity.service.to_owned(),
        format!("{}/{}", identity.service, identity.zone),
        format!("{}/{}", identity.service, identity.instance),
    ];
    let accepted = RefCell::new(BTreeMap::new());
    Setting::new("faults", move |name, value| {
        if !places.iter().any(|place| place == name) {
            return Ok(Effect::NotOurs);
        }
        let mut wanted: BTreeMap<String, Vec<Fault>> = accepted.borrow().clone();
        // What an operator has cleared since stays cleared: the later one wins.
        let standing = faults.of_the_store();
        for list in wanted.values_mut() {
            list.retain(|fault| standing.contains(fault));
        }
        match value {
            // It was refused: nothing of it is in force.
            None if !wanted.contains_key(name) => return Ok(Effect::NotOurs),
            None => drop(wanted.remove(name)),
            Some(text) => {
                let list = parse_stored(text.as_bytes(), SystemTime::now());
                wanted.insert(name.to_owned(), list.map_err(|bad| bad.to_string())?);
            }
        }
        let all = wanted.values().flatten().cloned().collect();
        faults
            .replace_from_kv(all)
            .map_err(|refusal| refusal.to_string())?;
        accepted.replace(wanted);
        Ok(Effect::Applied)
    })
}

fn mode(text: &str) -> Result<Mode, String> {
    let Breaker { mode } = parse(text)?;
    mode.parse().map_err(|unknown| format!("mode: {unknown}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity() -> Identity {
        Identity {
            service: "users",
            instance: "users-127.0.0.1-1-0badcafe".to_owned(),
            weight: 10,
            zone: "a".to_owned(),
            version: "0.1.0",
            environment: "test".to_owned(),
            address: [127, 0, 0, 1].into(),
            public_port: 1,
            ops_port: 2,
        }
    }

    /// Faults of this process, and the folder that sets them.
    fn breakable(enabled: bool) -> (Faults, Setting) {
        let settings = crate::config::Faults { enabled };
        let registry = prometheus::Registry::new();
        let set = Faults::new(&settings, false, &registry).unwrap();
        (set.clone(), faults(&identity(), set))
    }

    fn latency(ms: u32) -> String {
        let until = SystemTime::now() + std::time::Duration::from_secs(60);
        let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let millis = u64::try_from(until.as_millis()).unwrap();
        json!({ "kind": "latency", "ms": ms, "until": millis }).to_string()
    }

    #[test]
    fn faults_of_all_keys_that_mean_this_process_are_set_together() {
        let (set, setting) = breakable(true);
        for (name, effect, count) in [
            ("users", Effect::Applied, 1),
            ("users/a", Effect::Applied, 2),
            ("users/users-127.0.0.1-1-0badcafe", Effect::Applied, 3),
            ("users/b", Effect::NotOurs, 3),
            ("orders", Effect::NotOurs, 3),
            ("users/a/b", Effect::NotOurs, 3),
        ] {
            let value = latency(count as u32 * 100);
            assert_eq!(setting.apply(name, Some(&value)), Ok(effect), "{name}");
            assert_eq!(set.list().len(), count, "{name}");
        }
        assert_eq!(setting.apply("users/a", None), Ok(Effect::Applied));
        assert_eq!(setting.apply("users/b", None), Ok(Effect::NotOurs));
        assert_eq!(set.list().len(), 2);
    }

    #[test]
    fn what_was_cleared_since_stays_cleared_when_another_key_changes() {
        let (set, setting) = breakable(true);
        setting.apply("users", Some(&latency(100))).unwrap();
        set.clear();
        setting.apply("users/a", Some(&latency(200))).unwrap();
        assert_eq!(set.list().len(), 1);
    }

    #[test]
    fn a_bad_list_of_faults_leaves_the_good_one() {
        let (set, setting) = breakable(true);
        setting.apply("users", Some(&latency(100))).unwrap();
        for bad in [
            "",
            "[]]",
            "{\"kind\":\"latency\",\"ms\":5}",
            "{\"kind\":\"flood\"}",
        ] {
            setting.apply("users", Some(bad)).unwrap_err();
            assert_eq!(set.list().len(), 1, "{bad}");
        }
    }

    #[test]
    fn where_faults_are_not_enabled_a_stored_one_is_refused() {
        let (set, setting) = breakable(false);
        let reason = setting.apply("users", Some(&latency(100))).unwrap_err();
        assert!(reason.contains("faults.enabled"), "{reason}");
        assert_eq!(setting.apply("users", None), Ok(Effect::NotOurs));
        assert!(set.list().is_empty());
    }

    #[test]
    fn the_log_filter_follows_its_key_and_returns_to_the_configured_one() {
        let (filter, _applies) = LogFilter::new("info").unwrap();
        let setting = log("users", filter.clone(), "info,users=debug".to_owned());
        let set = |name: &str, value: Option<&str>| setting.apply(name, value);
        assert_eq!(set("orders", Some("{}")), Ok(Effect::NotOurs));
        let warn = "{\"filter\":\"warn\"}";
        assert_eq!(set("users", Some(warn)), Ok(Effect::Applied));
        assert_eq!(filter.get(), "warn");
        let reason = set("users", Some("{\"filter\":\"users=loud=very\"}")).unwrap_err();
        assert!(reason.starts_with("filter: "), "{reason}");
        assert_eq!(filter.get(), "warn");
        assert_eq!(set("users", None), Ok(Effect::Applied));
        assert!(filter.get().contains("users=debug"), "{}", filter.get());
    }

    #[test]
    fn a_breaker_s_mode_is_one_of_four_in_an_object_of_one_field() {
        for known in [Mode::Auto, Mode::ForcedOpen, Mode::Disabled, Mode::Observe] {
            let text = format!("{{\"mode\":\"{}\"}}", known.as_str());
            assert_eq!(mode(&text), Ok(known));
        }
        for (bad, told) in [
            ("", "must be a JSON object"),
            ("forced_open", "must be a JSON object"),
            ("[\"auto\"]", "must be a JSON object"),
            ("null", "must be a JSON object"),
            ("{", "EOF"),
            ("{}", "missing field `mode`"),
            ("{\"mode\":null}", "mode: invalid type: null"),
            ("{\"mode\":1}", "mode: invalid type: integer"),
            (
                "{\"mode\":\"open\"}",
                "mode: a breaker is auto, forced_open",
            ),
            (
                "{\"mode\":\"AUTO\"}",
                "mode: a breaker is auto, forced_open",
            ),
            ("{\"mode\":\"auto\",\"for_s\":1}", "unknown field `for_s`"),
            (
                "{\"mode\":\"auto\",\"mode\":\"auto\"}",
                "duplicate field `mode`",
            ),
            ("{\"mode\":\"auto\"} {}", "trailing characters"),
        ] {
            let reason = mode(bad).expect_err(bad);
            assert!(reason.contains(told), "{bad}: {reason}");
        }
    }
}

//! Routes that are closed for maintenance, from Consul's KV store: `lictor/routes/NAME` is `{"maintenance":true}`.
//!
//! A closed route answers 503 `maintenance` with `Retry-After`, whoever asks: no fallback and no key is asked for, and its upstream sees nothing.
//! The state is one number for each route, read on every request's way and changed while requests pass.

use std::{
    collections::BTreeMap,
    sync::Arc,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde::Deserialize;
use service::live::{Effect, Setting, parse};

use crate::{error::Error, gateway::Gateway, metrics::Metrics, route::Route, route::table::Table};

/// Which routes are closed.
pub struct Maintenance {
    /// By route index: 0 is open, anything else the seconds after which a client is to come back.
    closed: Box<[AtomicU32]>,
    /// Names of the routes, as keys name them.
    index: BTreeMap<Arc<str>, usize>,
    metrics: Metrics,
}

/// The value of a key.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    maintenance: bool,
    #[serde(default = "soon")]
    retry_after_s: u32,
}

/// Long enough that clients which wait as told do not knock all the time, short enough to be back when it is over.
const RETRY_AFTER_S: u32 = 30;
/// A day: what takes longer needs no `Retry-After`, it needs another route.
const LONGEST_S: u32 = 86_400;

impl Maintenance {
    /// Every route open.
    pub fn new(routes: &Table, metrics: Metrics) -> Self {
        let index: BTreeMap<_, _> = routes
            .iter()
            .map(|route| (route.name.clone(), route.index))
            .collect();
        for route in index.keys() {
            metrics.maintenance(route, false);
        }
        Self {
            closed: index.values().map(|_| AtomicU32::new(0)).collect(),
            index,
            metrics,
        }
    }

    /// Lets a request pass, unless its route is closed.
    pub fn admit(&self, route: &Route) -> Result<(), Error> {
        match self.retry_after(route) {
            None => Ok(()),
            Some(retry_after) => Err(Error::Maintenance { retry_after }),
        }
    }

    /// When clients of a closed route are to come back; `None` while it is open.
    pub fn retry_after(&self, route: &Route) -> Option<Duration> {
        let seconds = self.closed[route.index].load(Ordering::Relaxed);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// Takes the value of a key, or takes it back.
    fn set(&self, name: &str, value: Option<&str>) -> Result<Effect, String> {
        let Some((name, index)) = self.index.get_key_value(name) else {
            return match value {
                Some(_) => Err("no route is called so".to_owned()),
                None => Ok(Effect::NotOurs),
            };
        };
        let seconds = value.map_or(Ok(0), seconds)?;
        self.closed[*index].store(seconds, Ordering::Relaxed);
        self.metrics.maintenance(name, seconds > 0);
        Ok(Effect::Applied)
    }
}

/// The folder `routes` of the settings that change while the gateway runs.
pub fn setting(gateway: Arc<Gateway>) -> Setting {
    Setting::new("routes", move |name, value| {
        gateway.maintenance.set(name, value)
    })
}

fn soon() -> u32 {
    RETRY_AFTER_S
}

/// The seconds to wait; 0 when the route is open.
fn seconds(value: &str) -> Result<u32, String> {
    let wanted: Wanted = parse(value)?;
    if !(1..=LONGEST_S).contains(&wanted.retry_after_s) {
        return Err(format!("retry_after_s: must be between 1 and {LONGEST_S}"));
    }
    Ok(if wanted.maintenance {
        wanted.retry_after_s
    } else {
        0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_closes_or_opens_a_route_and_anything_else_is_refused_with_its_field() {
        for (value, expected) in [
            (r#"{"maintenance":true}"#, Ok(30)),
            (r#"{"maintenance":true,"retry_after_s":600}"#, Ok(600)),
            (r#"{"maintenance":false}"#, Ok(0)),
            (r#"{"maintenance":false,"retry_after_s":5}"#, Ok(0)),
            (r#"{"maintenance":"yes"}"#, Err("maintenance: invalid type")),
            (
                r#"{"maintenance":true,"retry_after_s":0}"#,
                Err("retry_after_s: must be"),
            ),
            (
                r#"{"maintenance":true,"retry_after_s":86401}"#,
                Err("retry_after_s: must be"),
            ),
            (
                r#"{"maintenance":true,"retry_after_s":-1}"#,
                Err("retry_after_s: invalid value"),
            ),
            (
                r#"{"maintenance":true,"until":"noon"}"#,
                Err("unknown field `until`"),
            ),
            ("{}", Err("missing field `maintenance`")),
            ("true", Err("must be a JSON object")),
        ] {
            match (seconds(value), expected) {
                (Ok(seconds), Ok(expected)) => assert_eq!(seconds, expected, "{value}"),
                (Err(reason), Err(expected)) => {
                    assert!(reason.contains(expected), "{value}: {reason}")
                }
                (other, _) => panic!("{value}: {other:?}"),
            }
        }
    }
}

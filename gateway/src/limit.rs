//! How often a client may ask: by address before anybody is authenticated, by principal and route group after it.
//!
//! The quota is shared by all gateways without a store: every request is charged as many cells as there are healthy gateways, so that the sum over them never exceeds it.
//! A key may bring its own quota for a group. Where a route lets anybody in, the address stands for the principal.
//! The arithmetic is `resilience::limiter`'s.

pub mod gauges;
pub mod quota;
pub mod status;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use prometheus::IntGauge;
use resilience::limiter::{Decision, Limiter, Usage};

use self::quota::{Allowance, LimitsConfig, Quota};
use crate::{
    auth::{Key, Principal},
    client::Client,
    error::Error,
    metrics::{self, Decisions},
};

/// The name that the limit by address has in errors and metrics.
const ADDRESS: &str = "address";

/// All limits of the gateway, shared by its workers.
pub struct Limits {
    address: Limiter<IpAddr>,
    address_decisions: Decisions,
    groups: HashMap<Arc<str>, Group>,
    /// Healthy gateways: what each request is charged.
    gateways: AtomicU32,
    sharing: IntGauge,
}

struct Group {
    name: Arc<str>,
    shared: Limiter<Charged>,
    /// Keys with a quota of their own, by key id.
    own: HashMap<String, Limiter<Charged>>,
    decisions: Decisions,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Charged {
    Address(IpAddr),
    Subject(Arc<str>),
}

impl Limits {
    pub fn new(
        config: &LimitsConfig,
        keys: &BTreeMap<String, Key>,
        metrics: &metrics::Metrics,
    ) -> Self {
        let group = |(name, quota): (&String, &Quota)| {
            let own = keys.iter().filter_map(|(id, key)| {
                let quota = quota.with_requests(*key.quota.get(name)?);
                Some((id.clone(), Limiter::new(quota.rate(), config.max_keys)))
            });
            let name: Arc<str> = name.as_str().into();
            let group = Group {
                shared: Limiter::new(quota.rate(), config.max_keys),
                own: own.collect(),
                decisions: metrics.limit_decisions(&name),
                name: name.clone(),
            };
            (name, group)
        };
        Self {
            address: Limiter::new(config.address.rate(), config.max_keys),
            address_decisions: metrics.limit_decisions(ADDRESS),
            groups: config.groups.iter().map(group).collect(),
            gateways: AtomicU32::new(1),
            sharing: metrics.quota_gateways.clone(),
        }
    }

    /// Charges a request to the address that it came from.
    pub fn address(&self, client: &Client) -> (Allowance, Result<(), Error>) {
        settle(
            self.address.check(&client.key, self.cells()),
            &self.address_decisions,
            || ADDRESS.into(),
        )
    }

    /// Charges a request to who makes it, in the route's group.
    pub fn principal(
        &self,
        group: &str,
        who: Option<&Principal>,
        client: &Client,
    ) -> (Allowance, Result<(), Error>) {
        let group = self
            .groups
            .get(group)
            .expect("the configuration was checked: every route's group exists");
        let limiter = who
            .and_then(|who| group.own.get(who.key.as_deref()?))
            .unwrap_or(&group.shared);
        let charged = who.map_or(Charged::Address(client.key), |who| {
            Charged::Subject(who.subject.clone())
        });
        settle(
            limiter.check(&charged, self.cells()),
            &group.decisions,
            || group.name.clone(),
        )
    }

    /// How full the memory of each limit is, by its name: the limiters of keys with their own quota count as their group.
    pub fn usages(&self) -> Vec<(Arc<str>, Vec<Usage>)> {
        let groups = self.groups.values().map(|group| {
            let own = group.own.values().map(Limiter::usage);
            let usages = own.chain([group.shared.usage()]).collect();
            (group.name.clone(), usages)
        });
        groups
            .chain([(ADDRESS.into(), vec![self.address.usage()])])
            .collect()
    }

    /// Takes over how many gateways share the quotas; the own one counts even before Consul says so.
    pub fn share_with(&self, gateways: usize) {
        let gateways = u32::try_from(gateways).unwrap_or(u32::MAX).max(1);
        self.sharing.set(gateways.into());
        if self.gateways.swap(gateways, Ordering::Relaxed) != gateways {
            tracing::info!(gateways, "quotas are shared by another number of gateways");
        }
    }

    /// Forgets clients that are back at their full quota.
    pub fn prune(&self) {
        self.address.prune();
        for group in self.groups.values() {
            group.shared.prune();
            group.own.values().for_each(Limiter::prune);
        }
    }

    fn cells(&self) -> NonZeroU32 {
        NonZeroU32::new(self.gateways.load(Ordering::Relaxed)).unwrap_or(NonZeroU32::MIN)
    }
}

fn settle(
    decision: Decision,
    counted: &Decisions,
    group: impl FnOnce() -> Arc<str>,
) -> (Allowance, Result<(), Error>) {
    match decision {
        Decision::Admitted {
            limit,
            remaining,
            reset,
        } => {
            counted.admitted.inc();
            (
                Allowance {
                    limit,
                    remaining,
                    reset,
                },
                Ok(()),
            )
        }
        Decision::Refused {
            limit,
            retry_after,
            reset,
        } => {
            counted.refused.inc();
            (
                Allowance {
                    limit,
                    remaining: 0,
                    reset,
                },
                Err(Error::Limited {
                    group: group(),
                    retry_after,
                }),
            )
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use actix_web::http::header::HeaderMap;

    use super::*;

    fn limits(keys: &str) -> Limits {
        let config: LimitsConfig = toml::from_str(
            "max_keys = 100\naddress = { requests = 3, per_ms = 60000, burst = 3 }\n[groups]\nusers = { requests = 10, per_ms = 3600000, burst = 10 }\n",
        )
        .unwrap();
        let keys: BTreeMap<String, Key> = toml::from_str(keys).unwrap();
        let metrics = metrics::Metrics::register(&prometheus::Registry::new()).unwrap();
        Limits::new(&config, &keys, &metrics)
    }

    fn client(address: &str) -> Client {
        let address = address.parse().unwrap();
        Client {
            address,
            key: address,
            trusted_peer: false,
        }
    }

    fn principal(subject: &str, key: &str) -> Principal {
        Principal {
            subject: subject.into(),
            scopes: "".into(),
            key: Some(key.into()),
        }
    }

    fn admitted(limits: &Limits, who: Option<&Principal>, address: &str, tries: usize) -> usize {
        (0..tries)
            .filter(|_| limits.principal("users", who, &client(address)).1.is_ok())
            .count()
    }

    #[test]
    fn each_address_has_its_own_quota() {
        let limits = limits("");
        let admitted = |address| {
            (0..5)
                .filter(|_| limits.address(&client(address)).1.is_ok())
                .count()
        };
        assert_eq!(admitted("192.0.2.1"), 3);
        assert_eq!(admitted("192.0.2.2"), 3);
    }

    #[test]
    fn a_principal_is_charged_wherever_it_comes_from() {
        let limits = limits("");
        let ada = principal("ada", "demo");
        assert_eq!(admitted(&limits, Some(&ada), "192.0.2.1", 8), 8);
        assert_eq!(admitted(&limits, Some(&ada), "192.0.2.2", 8), 2);
        assert_eq!(
            admitted(&limits, Some(&principal("bot", "bot")), "192.0.2.1", 20),
            10
        );
        assert_eq!(admitted(&limits, None, "192.0.2.1", 20), 10);
    }

    #[test]
    fn a_key_may_bring_its_own_quota() {
        let digest = "ab".repeat(32);
        let limits = limits(&format!(
            "[load]\ndigest = \"{digest}\"\nsubject = \"load\"\nquota = {{ users = 30 }}\n"
        ));
        assert_eq!(
            admitted(&limits, Some(&principal("load", "load")), "192.0.2.1", 50),
            30
        );
        assert_eq!(
            admitted(&limits, Some(&principal("ada", "demo")), "192.0.2.1", 50),
            10
        );
    }

    #[test]
    fn gateways_share_a_quota() {
        let limits = limits("");
        limits.share_with(2);
        assert_eq!(
            admitted(&limits, Some(&principal("ada", "demo")), "192.0.2.1", 50),
            5
        );
        limits.share_with(0);
        assert_eq!(limits.cells(), NonZeroU32::MIN);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let limits = limits("");
        let all: Vec<_> = (0..4)
            .map(|_| limits.address(&client("192.0.2.1")))
            .collect();
        let (allowance, Err(Error::Limited { retry_after, .. })) = &all[3] else {
            panic!("{:?}", all[3])
        };
        assert!(
            *retry_after > Duration::from_secs(1) && *retry_after <= Duration::from_secs(20),
            "{retry_after:?}"
        );
        let mut headers = HeaderMap::new();
        allowance.write(&mut headers);
        assert_eq!(headers.get("ratelimit-limit").unwrap(), "3");
        assert_eq!(headers.get("ratelimit-remaining").unwrap(), "0");
    }
}

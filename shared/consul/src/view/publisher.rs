//! The writing side of a view: what an accepted answer, a held one and an error do to the set.
//!
//! The set is swapped whole, and its version rises with every change and only then.
//! While an answer is held (`accept.rs`), what it shows is used *beside* the last good set: an instance that is in it is
//! as it says, one that is not stays, and ejection decides whether it is any good.
//! A snapshot on disk, for a start without Consul, would be one more user of this.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use resilience::endpoint::{Endpoint, Snapshot};

use super::{Condition, Shared, Status};

/// The writing side of a view.
pub struct Publisher {
    shared: Arc<Shared>,
    accepted: Arc<Snapshot>,
}

// ---

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let accepted = shared.current.load_full();
        Self { shared, accepted }
    }

    /// Consul says so: this is the set.
    pub fn accept(&mut self, endpoints: Vec<Endpoint>, now: Instant) {
        self.publish(endpoints);
        self.accepted = self.shared.current.load_full();
        self.shared.status.send_modify(|status| {
            *status = Status {
                condition: Condition::Current,
                accepted: status.accepted + 1,
                accepted_at: Some(now),
            };
        });
    }

    /// Consul says so, and it is not believed yet: these are used beside the last good ones.
    pub fn hold(&mut self, mut endpoints: Vec<Endpoint>) {
        let ids: HashSet<_> = endpoints
            .iter()
            .map(|endpoint| endpoint.id.clone())
            .collect();
        let addresses: HashSet<_> = endpoints.iter().map(|endpoint| endpoint.address).collect();
        let absent = self.accepted.endpoints().iter().filter(|endpoint| {
            // An address has one owner, and the answer names it.
            !ids.contains(&endpoint.id) && !addresses.contains(&endpoint.address)
        });
        endpoints.extend(absent.cloned());
        self.publish(endpoints);
        self.turn(Condition::Held);
    }

    /// Consul cannot be asked: the set stays as it is.
    pub fn fail(&mut self) {
        self.turn(Condition::Failing);
    }

    /// Swaps the set when it has changed, and remembers which instances have ever passed.
    fn publish(&self, mut endpoints: Vec<Endpoint>) {
        let current = self.shared.current.load_full();
        for endpoint in &mut endpoints {
            endpoint.ever_passed |= current
                .get(&endpoint.id)
                .is_some_and(|known| known.ever_passed);
        }
        let next = current.with(endpoints);
        if next.endpoints() != current.endpoints() {
            let next = Arc::new(next);
            self.shared.current.store(Arc::clone(&next));
            self.shared.changes.send_replace(next);
        }
    }

    fn turn(&self, condition: Condition) {
        self.shared.status.send_if_modified(|status| {
            let changed = status.accepted_at.is_some() && status.condition != condition;
            if changed {
                status.condition = condition;
            }
            changed
        });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::Duration;

    use resilience::endpoint::{EndpointId, Health, Weights, Zone};

    use super::*;
    use crate::view::{View, channel};

    fn endpoint(id: &str, port: u16) -> Endpoint {
        Endpoint {
            id: EndpointId::new(id),
            address: ([10, 0, 0, 1], port).into(),
            ops_port: None,
            zone: Zone::new("a"),
            version: "0.1.0".into(),
            weights: Weights {
                passing: 1,
                warning: 1,
            },
            health: Health::Passing,
            ever_passed: true,
        }
    }

    fn critical(id: &str, port: u16) -> Endpoint {
        Endpoint {
            health: Health::Critical,
            ever_passed: false,
            ..endpoint(id, port)
        }
    }

    fn ids(view: &View) -> Vec<String> {
        view.current()
            .endpoints()
            .iter()
            .map(|endpoint| endpoint.id.to_string())
            .collect()
    }

    #[test]
    fn a_view_that_was_never_filled_is_empty_and_not_synced() {
        let (mut publisher, view) = channel("users");
        publisher.fail();
        assert!(!view.synced() && view.age(Instant::now()).is_none());
        assert_eq!(
            (view.condition(), view.current().version()),
            (Condition::Waiting, 0)
        );
    }

    #[test]
    fn an_empty_answer_syncs_too() {
        let (mut publisher, view) = channel("users");
        publisher.accept(Vec::new(), Instant::now());
        assert!(view.synced());
        assert_eq!(view.condition(), Condition::Current);
    }

    #[test]
    fn versions_rise_with_a_change_and_only_then() {
        let (mut publisher, view) = channel("users");
        let now = Instant::now();
        let mut versions = Vec::new();
        for set in [
            vec![endpoint("a", 1)],
            vec![endpoint("a", 1)],
            vec![critical("a", 1)],
            vec![],
        ] {
            publisher.accept(set, now);
            versions.push(view.current().version());
        }
        assert_eq!(versions, [1, 1, 2, 3]);
        assert_eq!(view.accepted(), 4);
    }

    #[test]
    fn a_failing_watch_keeps_the_set_and_lets_it_age() {
        let (mut publisher, view) = channel("users");
        let start = Instant::now();
        publisher.accept(vec![endpoint("a", 1)], start);
        publisher.fail();
        assert_eq!(ids(&view), ["a"]);
        assert_eq!(
            view.age(start + Duration::from_secs(9)),
            Some(Duration::from_secs(9))
        );
        assert!(view.suspicious());
    }

    #[test]
    fn a_held_answer_adds_and_updates_but_removes_nothing() {
        let (mut publisher, view) = channel("users");
        publisher.accept(
            vec![
                endpoint("a", 1),
                endpoint("b", 2),
                endpoint("c", 3),
                endpoint("d", 4),
            ],
            Instant::now(),
        );
        publisher.hold(vec![critical("a", 1), endpoint("b-again", 2)]);
        assert_eq!(ids(&view), ["a", "b-again", "c", "d"]);
        assert_eq!(view.current().endpoints()[0].health, Health::Critical);
        assert_eq!(view.condition(), Condition::Held);

        publisher.hold(Vec::new());
        assert_eq!(
            ids(&view),
            ["a", "b", "c", "d"],
            "what an earlier held answer added does not stay"
        );
    }

    #[test]
    fn an_instance_that_has_passed_once_is_remembered_while_it_is_known() {
        let (mut publisher, view) = channel("users");
        let now = Instant::now();
        publisher.accept(vec![endpoint("a", 1), critical("b", 2)], now);
        publisher.accept(vec![critical("a", 1), critical("b", 2)], now);
        let ever: Vec<bool> = view
            .current()
            .endpoints()
            .iter()
            .map(|endpoint| endpoint.ever_passed)
            .collect();
        assert_eq!(ever, [true, false]);
    }

    #[test]
    fn two_ids_at_one_address_are_one_endpoint() {
        let view = View::fixed("users", vec![critical("old", 1), endpoint("new", 1)]);
        assert_eq!(ids(&view), ["new"]);
    }

    #[actix_web::test]
    async fn subscribers_see_changes_and_waiting_ends_with_the_first_answer() {
        let (mut publisher, view) = channel("users");
        let mut changes = view.subscribe();
        publisher.accept(vec![endpoint("a", 1)], Instant::now());
        view.wait_synced().await;
        changes.changed().await.unwrap();
        assert_eq!(changes.borrow().version(), 1);
    }
}

//! A prefix of Consul's key-value store, as an immutable map that is swapped whole.
//!
//! Operators change running processes through it, so the rules are those of the health watch: an error never touches
//! the last good map, queries stay within a bucket, and a process starts and serves without Consul.
//! The map is empty until the first answer, which is what a store without keys looks like: every setting at its
//! default.
//! What the values mean, and what becomes of a bad one, is decided by whoever follows the map.

mod metrics;
mod store;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch as channel;

pub(crate) use metrics::KvMetrics;
pub use store::{Store, Stored};
pub use watch::watch;

/// The values below a prefix at one moment, by their key without the prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    values: BTreeMap<Arc<str>, Value>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// What was written.
    Text(Arc<str>),
    /// It cannot be a setting, and this is why: no text, or too long.
    Unreadable(&'static str),
}

/// A difference between two maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The key, without the prefix.
    pub key: &'a str,
    /// The new value; `None` when the key is gone.
    pub value: Option<&'a Value>,
}

/// A read-only handle; clones see the same.
#[derive(Clone)]
pub struct Followed {
    entries: channel::Receiver<Arc<Entries>>,
    confirmed: channel::Receiver<Option<Instant>>,
}

/// The writing side.
pub struct Publisher {
    entries: channel::Sender<Arc<Entries>>,
    confirmed: channel::Sender<Option<Instant>>,
}

/// A map that knows nothing yet, and the publisher that fills it.
#[must_use]
pub fn channel() -> (Publisher, Followed) {
    let (entries, followed) = channel::channel(Arc::default());
    let (confirmed, seen) = channel::channel(None);
    let followed = Followed {
        entries: followed,
        confirmed: seen,
    };
    (Publisher { entries, confirmed }, followed)
}

// ---

impl Entries {
    /// A value by its key without the prefix.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// What is new, other or gone since `earlier`; what is gone comes first, so that a key that was moved is free.
    #[must_use]
    pub fn since<'a>(&'a self, earlier: &'a Self) -> Vec<Change<'a>> {
        let gone = earlier
            .values
            .keys()
            .filter(|key| !self.values.contains_key(*key));
        let gone = gone.map(|key| Change { key, value: None });
        let changed = self
            .values
            .iter()
            .filter(|(key, value)| earlier.values.get(*key) != Some(*value));
        let changed = changed.map(|(key, value)| Change {
            key,
            value: Some(value),
        });
        gone.chain(changed).collect()
    }
}

impl FromIterator<(String, Value)> for Entries {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        let values = values.into_iter();
        Self {
            values: values.map(|(key, value)| (key.into(), value)).collect(),
        }
    }
}

impl Followed {
    /// The last good map.
    #[must_use]
    pub fn current(&self) -> Arc<Entries> {
        self.entries.borrow().clone()
    }

    /// Returns with the next map that differs; `None` when nobody publishes any more.
    /// One that comes while the caller is busy is skipped in favour of the latest.
    pub async fn changed(&mut self) -> Option<Arc<Entries>> {
        self.entries.changed().await.ok()?;
        Some(self.entries.borrow_and_update().clone())
    }

    /// Time since Consul last confirmed the map; `None` before the first answer.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let confirmed = *self.confirmed.borrow();
        confirmed.map(|at| now.saturating_duration_since(at))
    }
}

impl Publisher {
    /// Consul says so: this is the map.
    pub fn accept(&self, entries: Entries, now: Instant) {
        self.entries.send_if_modified(|current| {
            let changed = **current != entries;
            if changed {
                *current = Arc::new(entries);
            }
            changed
        });
        self.confirm(now);
    }

    /// Number of keys that are published.
    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }

    /// Consul says that nothing has changed.
    pub fn confirm(&self, now: Instant) {
        self.confirmed.send_replace(Some(now));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries(values: &[(&str, &str)]) -> Entries {
        let text = |(key, value): &(&str, &str)| ((*key).to_owned(), Value::Text((*value).into()));
        values.iter().map(text).collect()
    }

    #[test]
    fn what_is_gone_new_or_other_is_a_change_and_nothing_else() {
        let before = entries(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let after = entries(&[("b", "2"), ("c", "4"), ("d", "5")]);
        let changes: Vec<_> = after
            .since(&before)
            .iter()
            .map(|change| (change.key, change.value.is_some()))
            .collect();
        assert_eq!(changes, [("a", false), ("c", true), ("d", true)]);
    }

    proptest! {
        #[test]
        fn the_changes_lead_from_one_map_to_the_other(
            before in proptest::collection::btree_map("[a-d]", "[x-z]", 0..4),
            after in proptest::collection::btree_map("[a-d]", "[x-z]", 0..4),
        ) {
            let map = |values: &BTreeMap<String, String>| -> Entries {
                values.iter().map(|(key, value)| (key.clone(), Value::Text(value.as_str().into()))).collect()
            };
            let (from, to) = (map(&before), map(&after));
            let mut led = from.values.clone();
            for change in to.since(&from) {
                match change.value {
                    Some(value) => led.insert(change.key.into(), value.clone()),
                    None => led.remove(change.key),
                };
            }
            prop_assert_eq!(&led, &to.values);
            prop_assert!(to.since(&to).is_empty());
        }
    }

    #[actix_web::test]
    async fn the_same_map_again_is_confirmed_and_wakes_nobody() {
        let (publisher, mut followed) = channel();
        let start = Instant::now();
        assert!(followed.current().is_empty() && followed.age(start).is_none());
        publisher.accept(entries(&[("a", "1")]), start);
        assert_eq!(followed.changed().await.map(|map| map.len()), Some(1));
        let later = start + Duration::from_secs(7);
        publisher.accept(entries(&[("a", "1")]), later);
        assert_eq!(followed.age(later), Some(Duration::ZERO));
        drop(publisher);
        assert!(followed.changed().await.is_none(), "nothing had changed");
        assert_eq!(followed.current().len(), 1, "the last good map stays");
    }
}

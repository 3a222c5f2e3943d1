//! Settings that change while the process runs: what an operator writes below `lictor/` in Consul's KV store.
//!
//! A key is `lictor/FOLDER/NAME`; each folder is one [`Setting`], which says what its values do.
//! A value that cannot be used is refused with key, value and reason, and the last good one stays; a key that is deleted
//! gives back what the configuration says.
//! The same things can be set over the admin listener: the later of the two wins, so a setting made there lasts until
//! its key changes.
//! Nothing here asks Consul; whether it can be asked is the watch's affair, and an empty map is where everything starts.

mod metrics;
mod settings;
mod value;

use consul::kv::{Change, Entries, Followed, Value};
use metrics::LiveMetrics;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use settings::of_every_process;
pub use value::parse;

/// Where settings live in the store.
pub(crate) const PREFIX: &str = "lictor/";
/// The folders of the house: one that this process does not use belongs to another.
const FOLDERS: [&str; 4] = ["log", "breakers", "faults", "routes"];
/// As much of a value as a log line shows.
const SHOWN: usize = 120;
/// What a key is counted as whose folder nobody knows.
const UNKNOWN: &str = "unknown";

/// One folder of settings.
pub struct Setting {
    folder: &'static str,
    apply: Box<Apply>,
}

/// Applies the value of a name, or takes it back (`None`).
type Apply = dyn Fn(&str, Option<&str>) -> Result<Effect, String>;

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is in force.
    Applied,
    /// It is for another process.
    NotOurs,
}

/// What the process has made of the map so far.
pub(crate) struct Live {
    settings: Vec<Setting>,
    metrics: LiveMetrics,
    seen: Arc<Entries>,
    refused: BTreeSet<String>,
}

impl Setting {
    /// The folder, and what its values do: called with what follows the folder in the key, and the value, or nothing
    /// once the key is gone. A refusal is its reason; then nothing may have changed.
    pub fn new(
        folder: &'static str,
        apply: impl Fn(&str, Option<&str>) -> Result<Effect, String> + 'static,
    ) -> Self {
        Self {
            folder,
            apply: Box::new(apply),
        }
    }

    /// Applies the value of a name, or takes it back.
    ///
    /// # Errors
    /// Why the value is refused; nothing has changed then.
    pub fn apply(&self, name: &str, value: Option<&str>) -> Result<Effect, String> {
        (self.apply)(name, value)
    }
}

impl Live {
    pub(crate) fn new(
        settings: Vec<Setting>,
        registry: &prometheus::Registry,
    ) -> Result<Self, prometheus::Error> {
        let folders = settings.iter().map(|setting| setting.folder);
        Ok(Self {
            metrics: LiveMetrics::register(registry, folders.chain([UNKNOWN]))?,
            settings,
            seen: Arc::default(),
            refused: BTreeSet::new(),
        })
    }

    /// Applies each map as it comes, for as long as there are any.
    pub(crate) async fn follow(mut self, mut followed: Followed) {
        self.learn(followed.current());
        while let Some(entries) = followed.changed().await {
            self.learn(entries);
        }
    }

    fn learn(&mut self, entries: Arc<Entries>) {
        let before = std::mem::replace(&mut self.seen, entries.clone());
        for change in entries.since(&before) {
            self.change(&change);
        }
        self.metrics.refused_now(self.refused.len());
    }

    fn change(&mut self, change: &Change<'_>) {
        let key = change.key;
        let (folder, name) = key.split_once('/').unwrap_or((key, ""));
        let setting = self
            .settings
            .iter()
            .find(|setting| setting.folder == folder);
        let label = setting.map_or(UNKNOWN, |setting| setting.folder);
        let outcome = match (setting, change.value) {
            (None, None) => Ok(Effect::NotOurs),
            (None, Some(_)) if FOLDERS.contains(&folder) => Ok(Effect::NotOurs),
            (None, Some(_)) => Err("no setting is called so".to_owned()),
            (Some(setting), None) => setting.apply(name, None),
            (Some(setting), Some(Value::Text(text))) => setting.apply(name, Some(text)),
            (Some(_), Some(Value::Unreadable(reason))) => Err((*reason).to_owned()),
        };
        let value = change.value.map_or_else(|| "(deleted)".to_owned(), shown);
        match outcome {
            Ok(effect) => {
                self.refused.remove(key);
                if effect == Effect::Applied {
                    self.metrics.applied(label);
                    tracing::warn!(key = format!("{PREFIX}{key}"), value, "setting applied");
                }
            }
            Err(reason) => {
                self.refused.insert(key.to_owned());
                self.metrics.refused(label);
                tracing::warn!(
                    key = format!("{PREFIX}{key}"),
                    value,
                    reason,
                    "setting refused, keeping the last good one"
                );
            }
        }
    }
}

/// A value for a log line: one line, and not all of it.
fn shown(value: &Value) -> String {
    let Value::Text(text) = value else {
        return "(unreadable)".to_owned();
    };
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN).map(plain).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// What was applied: name and value, `-` for a deletion.
    type Seen = Rc<RefCell<Vec<String>>>;

    /// One folder, `lamp`: `on` and `off` are good, `theirs` is another process's.
    fn lamp() -> (Live, prometheus::Registry, Seen) {
        let seen = Seen::default();
        let applied = seen.clone();
        let setting = Setting::new("lamp", move |name, value| {
            if name == "theirs" {
                return Ok(Effect::NotOurs);
            }
            if !matches!(value, None | Some("on" | "off")) {
                return Err("is neither on nor off".to_owned());
            }
            applied
                .borrow_mut()
                .push(format!("{name} {}", value.unwrap_or("-")));
            Ok(Effect::Applied)
        });
        let registry = prometheus::Registry::new();
        (Live::new(vec![setting], &registry).unwrap(), registry, seen)
    }

    fn map(values: &[(&str, &str)]) -> Arc<Entries> {
        let value = |(key, value): &(&str, &str)| {
            let value = match *value {
                "\u{fffd}" => Value::Unreadable("not UTF-8"),
                text => Value::Text(text.into()),
            };
            ((*key).to_owned(), value)
        };
        Arc::new(values.iter().map(value).collect())
    }

    fn metric(registry: &prometheus::Registry, series: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather());
        let text = text.unwrap();
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(series));
        lines
            .next()
            .map_or(0.0, |value| value.trim().parse().unwrap())
    }

    #[test]
    fn a_value_is_applied_once_and_taken_back_when_its_key_is_gone() {
        let (mut live, registry, seen) = lamp();
        live.learn(map(&[("lamp/a", "on"), ("lamp/b", "off")]));
        live.learn(map(&[("lamp/a", "on"), ("lamp/b", "on")]));
        live.learn(map(&[("lamp/b", "on")]));
        assert_eq!(*seen.borrow(), ["a on", "b off", "b on", "a -"]);
        let applied = metric(&registry, "lictor_kv_applied_total{setting=\"lamp\"}");
        assert_eq!(applied, 4.0);
    }

    #[test]
    fn a_bad_value_is_refused_and_the_last_good_one_stays() {
        let (mut live, registry, seen) = lamp();
        live.learn(map(&[("lamp/a", "on")]));
        for bad in ["bright", "", "\u{fffd}"] {
            live.learn(map(&[("lamp/a", bad)]));
        }
        assert_eq!(*seen.borrow(), ["a on"]);
        let refused = || metric(&registry, "lictor_kv_refused_total{setting=\"lamp\"}");
        assert_eq!(refused(), 3.0);
        live.learn(map(&[("lamp/a", "\u{fffd}"), ("lamp/b", "off")]));
        assert_eq!(refused(), 3.0, "what was refused is not refused again");
        assert_eq!(metric(&registry, "lictor_kv_refused_keys"), 1.0);
        live.learn(map(&[]));
        assert_eq!(*seen.borrow(), ["a on", "b off", "a -", "b -"]);
        assert_eq!(metric(&registry, "lictor_kv_refused_keys"), 0.0);
    }

    #[test]
    fn a_key_that_nobody_knows_is_counted_and_another_process_s_is_not() {
        let (mut live, registry, seen) = lamp();
        live.learn(map(&[
            ("lampp/a", "on"),
            ("alone", "x"),
            ("lamp/theirs", "dim"),
            ("routes/users", "the gateway's"),
        ]));
        live.learn(map(&[]));
        assert!(seen.borrow().is_empty());
        let unknown = metric(&registry, "lictor_kv_refused_total{setting=\"unknown\"}");
        assert_eq!(unknown, 2.0);
        assert_eq!(
            metric(&registry, "lictor_kv_applied_total{setting=\"lamp\"}"),
            0.0
        );
    }

    #[test]
    fn a_log_line_shows_the_beginning_of_a_value_on_one_line() {
        assert_eq!(shown(&Value::Text("a\nb\u{1b}[1m".into())), "a b [1m");
        let long = shown(&Value::Text("ü".repeat(1_000).into()));
        assert_eq!(long.chars().count(), SHOWN + 3);
    }
}

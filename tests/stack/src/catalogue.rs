//! What Consul's catalogue says of the run, what each process has seen of it, and waiting until both say that all is well.
//!
//! Registered is not yet seen: a process that was ready before its upstreams learns of them a moment later.
//! A killed instance stays in the catalogue as passing until its check fails, under the address that its successor has too.
//! Therefore whoever starts something again looks first (`registered`), and then waits for registrations that were not there before.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::client::Client;
use crate::consul::Registered;
use crate::error::Error;
use crate::instance::Instance;
use crate::stack::Stack;
use crate::unit::State;
use crate::wait;

/// Everything registered and passing; usual is 1 to 3 s, a loaded machine of CI needs more.
const READY: Duration = Duration::from_secs(60);

/// Publishes the keys of tokens.
const SIGNS: &str = "users";

/// Nobody who signs in is let in yet.
const NO_KEYS: &str = "lictor_keyset_keys 0";

impl Stack {
    /// Every registered instance of every service of this run.
    pub async fn registered(&self) -> Result<Vec<Registered>, String> {
        let mut found = Vec::new();
        for service in self
            .instances()
            .map(|instance| instance.service.as_str())
            .collect::<BTreeSet<_>>()
        {
            found.extend(self.consul().registered(service).await?);
        }
        Ok(found)
    }

    /// Waits until every instance that runs is registered and passing.
    pub async fn all_passing(&self) -> Result<(), Error> {
        self.all_passing_beside(&[]).await
    }

    /// The same, where these registrations do not count for instances at their addresses: they are of processes that are gone.
    pub(crate) async fn all_passing_beside(&self, gone: &[Registered]) -> Result<(), Error> {
        wait::until(
            "every instance to be registered and passing",
            READY,
            || async {
                if let Some(error) = self.died() {
                    return Ok(Err(error));
                }
                let mut registered = self.registered().await?;
                registered.retain(|one| gone.iter().all(|old| old.id != one.id));
                let not_yet: Vec<String> = self
                    .instances()
                    .filter(|instance| instance.unit.state() == State::Running)
                    .map(|instance| {
                        (
                            instance.name(),
                            seen(&registered, instance.addresses.public),
                        )
                    })
                    .filter(|(_, seen)| *seen != "passing")
                    .map(|(name, seen)| format!("{name} {seen}"))
                    .collect();
                if not_yet.is_empty() {
                    Ok(Ok(()))
                } else {
                    Err(not_yet.join(", "))
                }
            },
        )
        .await?
    }

    /// Waits until each process that runs has seen every other one that it needs, and a gateway the keys of tokens, as its own metrics tell.
    pub async fn all_seen(&self) -> Result<(), Error> {
        wait::until("every process to see its upstreams", READY, || async {
            if let Some(error) = self.died() {
                return Ok(Err(error));
            }
            let running: Vec<&Instance> = self
                .instances()
                .filter(|one| one.unit.state() == State::Running)
                .collect();
            for instance in &running {
                let answer = Client::new(instance.addresses.ops).get("/metrics").await;
                let text = answer
                    .map_err(|failure| format!("{}: {failure}", instance.name()))?
                    .text();
                for (upstream, passing) in text.lines().filter_map(passing) {
                    let all = running.iter().filter(|one| one.service == upstream).count();
                    if passing < all {
                        return Err(format!(
                            "{} sees {passing} of {all} {upstream}",
                            instance.name()
                        ));
                    }
                }
                if text.lines().any(|line| line == NO_KEYS) && signs(&running) {
                    return Err(format!("{} knows no key of tokens", instance.name()));
                }
            }
            Ok(Ok(()))
        })
        .await?
    }

    /// The first instance that ended by itself.
    pub(crate) fn died(&self) -> Option<Error> {
        self.instances().find_map(|instance| {
            let State::Ended(exit) = instance.unit.state() else {
                return None;
            };
            Some(instance.unit.died(exit))
        })
    }
}

/// Whether somebody runs who publishes keys.
fn signs(running: &[&Instance]) -> bool {
    running.iter().any(|one| one.service == SIGNS)
}

/// `lictor_snapshot_endpoints{state="passing",upstream="users"} 2`
fn passing(line: &str) -> Option<(&str, usize)> {
    let (labels, value) = line
        .strip_prefix("lictor_snapshot_endpoints{")?
        .split_once("} ")?;
    let upstream = labels
        .split(',')
        .find_map(|label| label.strip_prefix("upstream="))?;
    let value = value
        .parse()
        .ok()
        .filter(|_| labels.contains("state=\"passing\""))?;
    Some((upstream.trim_matches('"'), value))
}

/// The health at an address: the best, when a registration is left over beside the one that counts.
pub fn seen(registered: &[Registered], address: std::net::SocketAddr) -> &str {
    let here = || {
        registered
            .iter()
            .filter(|one| one.address == address)
            .map(|one| one.health.as_str())
    };
    here()
        .find(|health| *health == "passing")
        .or_else(|| here().next())
        .unwrap_or("absent")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_sees_is_read_from_its_metrics() {
        let line = "lictor_snapshot_endpoints{state=\"passing\",upstream=\"users\"} 2";
        assert_eq!(passing(line), Some(("users", 2)));
        assert_eq!(passing(&line.replace("passing", "critical")), None);
        assert_eq!(
            passing("lictor_snapshot_age_seconds{upstream=\"users\"} 0.1"),
            None
        );
    }

    #[test]
    fn a_left_over_registration_does_not_hide_the_one_that_counts() {
        let address = "127.0.0.1:4000".parse().unwrap();
        let one = |id: &str, health: &str| Registered {
            id: id.into(),
            address,
            health: health.into(),
        };
        assert_eq!(
            seen(&[one("old", "critical"), one("new", "passing")], address),
            "passing"
        );
        assert_eq!(seen(&[one("old", "critical")], address), "critical");
        assert_eq!(seen(&[], address), "absent");
    }
}

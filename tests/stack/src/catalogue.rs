//! What Consul's catalogue says of the run, and waiting until it says that all is well.
//!
//! A killed instance stays in the catalogue as passing until its check fails, under the address that its successor has too.
//! Therefore whoever starts something again looks first (`registered`), and then waits for registrations that were not there before.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::consul::Registered;
use crate::error::Error;
use crate::stack::Stack;
use crate::unit::State;
use crate::wait;

/// Everything registered and passing; usual is 1 to 3 s, a loaded machine of CI needs more.
const READY: Duration = Duration::from_secs(60);

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

    /// The first instance that ended by itself.
    pub(crate) fn died(&self) -> Option<Error> {
        self.instances().find_map(|instance| {
            let State::Ended(exit) = instance.unit.state() else {
                return None;
            };
            let program = instance.unit.program();
            Some(Error::Died {
                name: instance.name().to_owned(),
                exit,
                log: program.log.clone(),
                tail: program.last_words(8),
            })
        })
    }
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

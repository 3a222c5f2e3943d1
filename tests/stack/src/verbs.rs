//! What can be done to a running system: kill, freeze, thaw, start again, an instance or a zone or Consul.
//!
//! A verb that starts something returns when all that runs is registered and passing again, and says how long that took.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::consul::{self, Registered};
use crate::error::Error;
use crate::instance::{DRAIN, Instance};
use crate::stack::Stack;
use crate::unit::Unit;

impl Stack {
    /// SIGKILL.
    pub async fn kill(&self, name: &str) -> Result<(), Error> {
        self.unit(name)?.kill().await
    }

    /// SIGSTOP.
    pub fn pause(&self, name: &str) -> Result<(), Error> {
        self.unit(name)?.pause()
    }

    /// SIGCONT.
    pub fn resume(&self, name: &str) -> Result<(), Error> {
        self.unit(name)?.resume()
    }

    /// Starts it again on the same addresses (a living one is drained first), and waits until it is passing; how long that took.
    pub async fn restart(&self, name: &str) -> Result<Duration, Error> {
        let unit = self.unit(name)?;
        unit.stop(DRAIN).await;
        if name == consul::NAME {
            return self.consul_start(false).await;
        }
        self.start_again(&[self.instance(name)?]).await
    }

    /// Kills every service of a zone at once, never a gateway; their names.
    pub async fn zone_down(&self, zone: &str) -> Result<Vec<String>, Error> {
        let mut instances = self.zone(zone)?;
        instances.retain(|instance| instance.unit.process().is_some());
        futures_util::future::try_join_all(instances.iter().map(|instance| instance.unit.kill()))
            .await?;
        Ok(instances
            .iter()
            .map(|instance| instance.name().to_owned())
            .collect())
    }

    /// Starts every service of a zone that does not run, and waits until all are passing.
    pub async fn zone_up(&self, zone: &str) -> Result<Duration, Error> {
        let mut instances = self.zone(zone)?;
        instances.retain(|instance| instance.unit.process().is_none());
        self.start_again(&instances).await
    }

    /// Starts a killed Consul, with an empty disk when told so, and waits until all are registered again.
    pub async fn consul_start(&self, wipe: bool) -> Result<Duration, Error> {
        let begin = Instant::now();
        self.consul().start(wipe)?;
        self.write_record()?;
        self.consul().leader().await?;
        self.all_passing().await?;
        Ok(begin.elapsed())
    }

    async fn start_again(&self, instances: &[&Instance]) -> Result<Duration, Error> {
        let begin = Instant::now();
        let ours = |one: &Registered| {
            instances
                .iter()
                .any(|instance| instance.addresses.public == one.address)
        };
        // Without Consul there is nothing to look at; then there is nothing to wait for but its return.
        let mut gone = self.registered().await.unwrap_or_default();
        gone.retain(ours);
        for instance in instances {
            instance.start()?;
        }
        self.write_record()?;
        self.all_passing_beside(&gone).await?;
        Ok(begin.elapsed())
    }

    fn unit(&self, name: &str) -> Result<&Unit, Error> {
        if name == consul::NAME {
            return Ok(&self.consul().unit);
        }
        self.instance(name).map(|instance| &*instance.unit)
    }

    fn zone(&self, zone: &str) -> Result<Vec<&Instance>, Error> {
        let found: Vec<&Instance> = self
            .services()
            .iter()
            .filter(|instance| instance.zone == zone)
            .collect();
        if found.is_empty() {
            let known: BTreeSet<&str> = self
                .services()
                .iter()
                .map(|instance| instance.zone.as_str())
                .collect();
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Error::UnknownZone {
                name: zone.to_owned(),
                known,
            });
        }
        Ok(found)
    }
}

//! The stop order, once, as a list: gateways, services, Consul, and what watched them.
//!
//! Each is asked (SIGTERM), drains, and is killed only when its time is up.

use crate::consul;
use crate::instance::{DRAIN, Instance};
use crate::stack::Stack;

impl Stack {
    /// Ends everything in drain order: gateways, services, Consul, companions; the names of those that had to be killed.
    pub async fn stop(self) -> Vec<String> {
        let mut killed = drain(self.gateways()).await;
        killed.extend(drain(self.services()).await);
        if !self.consul().unit.stop(DRAIN).await {
            killed.push(consul::NAME.to_owned());
        }
        killed.extend(self.companions().stop().await);
        killed
    }
}

async fn drain(instances: &[Instance]) -> Vec<String> {
    let stops = instances
        .iter()
        .map(|instance| async { (instance.name().to_owned(), instance.unit.stop(DRAIN).await) });
    let done = futures_util::future::join_all(stops).await;
    done.into_iter()
        .filter(|(_, by_itself)| !by_itself)
        .map(|(name, _)| name)
        .collect()
}

//! Instances of a service that come and go in Consul, none of them with a process of its own.
//!
//! Half of them stand at a closed port in the gateway's zone, half at the port of a real instance in a zone that nobody has heard of.
//! They are registered without a check, so that Consul believes them; and never more of them leave at once than the gateway believes in one answer (half of what it knows).

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use stack::{Client, wait};

use super::count;
use crate::system::{System, ok};

/// Every id begins with it.
pub const NAMED: &str = "throwaway";

/// The gateway reads Consul once a second.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

pub struct Churn<'a> {
    system: &'a System,
    service: &'a str,
    consul: Client,
    /// The address of an instance that lives, and one where nobody listens.
    at: [SocketAddr; 2],
    real: usize,
    there: Vec<String>,
    made: usize,
}

impl<'a> Churn<'a> {
    pub fn of(system: &'a System, service: &'a str) -> Self {
        let mut instances = system.instances().filter(|one| one.service == service);
        let living = instances.next().unwrap().addresses.public;
        Self {
            system,
            service,
            consul: Client::new(system.consul().address()),
            at: [living, stack::ports::any()],
            real: 1 + instances.count(),
            there: Vec::new(),
            made: 0,
        }
    }

    /// So many new ones, seen by the gateway; then those that were there before them leave.
    pub async fn turn(&mut self, count: usize) {
        let before = std::mem::take(&mut self.there);
        for _ in 0..count {
            self.register().await;
        }
        self.seen(before.len()).await;
        for id in &before {
            self.deregister(id).await;
        }
        self.seen(0).await;
    }

    /// The last ones leave, half of them at a time.
    pub async fn end(mut self) -> usize {
        while !self.there.is_empty() {
            let stay = self.there.len() / 2;
            for id in self.there.split_off(stay) {
                self.deregister(&id).await;
            }
            self.seen(0).await;
        }
        self.made
    }

    async fn register(&mut self) {
        let number = self.made;
        self.made += 1;
        let id = format!("{NAMED}-{number}");
        let zone = match number % 2 {
            0 => format!("{NAMED}-{number}"),
            _ => "a".to_owned(),
        };
        let address = self.at[number % 2];
        let definition = json!({
            "ID": id,
            "Name": self.service,
            "Address": address.ip().to_string(),
            "Port": address.port(),
            "Meta": { "zone": zone, "version": format!("0.0.{number}") },
        });
        ok(self
            .consul
            .put("/v1/agent/service/register", &definition)
            .await);
        self.there.push(id);
    }

    async fn deregister(&self, id: &str) {
        let path = format!("/v1/agent/service/deregister/{id}");
        ok(self.consul.put(&path, &json!({})).await);
    }

    /// Waits until the gateway knows as many as there are, and so many that are about to leave.
    async fn seen(&self, leaving: usize) {
        let wanted = self.real + self.there.len() + leaving;
        let line = format!(
            "lictor_snapshot_endpoints{{state=\"passing\",upstream=\"{}\"}} {wanted}",
            self.service
        );
        let seen = wait::until("the gateway to know them", SEEN_WITHIN, || async {
            let text = count::exposed(self.system.gateway()).await;
            let known = text.lines().filter(|line| {
                line.starts_with("lictor_snapshot_endpoints{") && line.contains(self.service)
            });
            let known: Vec<&str> = known.collect();
            match known.contains(&line.as_str()) {
                true => Ok(()),
                false => Err(format!("wanted {wanted}: {known:?}")),
            }
        });
        seen.await.unwrap_or_else(|error| panic!("{error}"));
    }
}

//! Instances of a service that come and go in Consul, none of them with a process of its own.
//!
//! Half of them stand each at an address of its own where nobody listens, in the gateway's zone.
//! Half of them stand at the address of a real instance, in a zone that nobody has heard of; an address has one owner, and the greatest id is it, so that each of these takes the real one's place.
//! They are registered without a check, so that Consul believes them; and never more of them leave at once than the gateway believes in one answer (half of what it knows).

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use stack::{Client, wait};

use super::count;
use crate::system::{System, ok};

/// Every id and every new zone has it in it.
pub const NAMED: &str = "throwaway";

/// The gateway reads Consul once a second.
const SEEN_WITHIN: Duration = Duration::from_secs(20);

pub struct Churn<'a> {
    system: &'a System,
    service: &'a str,
    consul: Client,
    living: SocketAddr,
    closed_port: u16,
    real: usize,
    /// The numbers of those that are registered now.
    there: Vec<usize>,
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
            living,
            closed_port: stack::ports::any().port(),
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
        self.seen(&before).await;
        for number in before {
            self.deregister(number).await;
        }
        self.seen(&[]).await;
    }

    /// The last ones leave, half of them at a time.
    pub async fn end(mut self) -> usize {
        while !self.there.is_empty() {
            let stay = self.there.len() / 2;
            for number in self.there.split_off(stay) {
                self.deregister(number).await;
            }
            self.seen(&[]).await;
        }
        self.made
    }

    async fn register(&mut self) {
        let number = self.made;
        self.made += 1;
        let (address, zone) = match alone(number) {
            true => (self.closed(number), "a".to_owned()),
            false => (self.living, format!("{NAMED}-{number}")),
        };
        let definition = json!({
            "ID": self.id(number),
            "Name": self.service,
            "Address": address.ip().to_string(),
            "Port": address.port(),
            "Meta": { "zone": zone, "version": format!("0.0.{number}") },
        });
        let register = "/v1/agent/service/register";
        ok(self.consul.put(register, &definition).await);
        self.there.push(number);
    }

    async fn deregister(&self, number: usize) {
        let path = format!("/v1/agent/service/deregister/{}", self.id(number));
        ok(self.consul.put(&path, &json!({})).await);
    }

    fn id(&self, number: usize) -> String {
        format!("{}-{NAMED}-{number}", self.service)
    }

    fn closed(&self, number: usize) -> SocketAddr {
        let [.., high, low] = number.to_be_bytes();
        ([127, 1, high, low], self.closed_port).into()
    }

    /// Waits until the gateway knows those that are there, and these, which are about to leave.
    async fn seen(&self, leaving: &[usize]) {
        let alone = self.there.iter().chain(leaving).filter(|one| alone(**one));
        let wanted = self.real + alone.count();
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

/// Whether it has an address of its own.
fn alone(number: usize) -> bool {
    number % 2 == 1
}

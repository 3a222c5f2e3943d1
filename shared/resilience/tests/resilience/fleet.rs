//! A fleet of endpoints, and a balancer in front of it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::balancer::{Ask, Balancer, BalancerConfig, NoEndpoint, Pick};
use resilience::classify::Outcome;
use resilience::endpoint::{Endpoint, EndpointId, Health, Snapshot, Weights, Zone};

pub const OK: Outcome = Outcome::Answered {
    status: 200,
    retry_after: None,
};

pub const ERROR: Outcome = Outcome::Answered {
    status: 500,
    retry_after: None,
};

pub const IDEMPOTENT: Ask<'_> = Ask {
    tried: &[],
    idempotent: true,
};

/// One balancer in zone `a`, with its own time and dice.
pub struct Fleet {
    pub balancer: Balancer,
    pub now: Instant,
    pub rng: SmallRng,
    version: u64,
}

/// An instance called `name` in `zone`; its address follows from its name.
pub fn endpoint(name: &str, zone: &str) -> Endpoint {
    let hash = name.bytes().fold(17_u32, |hash, byte| {
        hash.wrapping_mul(16_777_619) ^ u32::from(byte)
    });
    Endpoint {
        id: EndpointId::new(name),
        address: SocketAddr::from((Ipv4Addr::from(hash), 8080)),
        ops_port: None,
        zone: Zone::new(zone),
        version: Arc::from("0.1.0"),
        weights: Weights::default(),
        health: Health::Passing,
        ever_passed: true,
    }
}

pub fn weighing(name: &str, zone: &str, weight: u32) -> Endpoint {
    Endpoint {
        weights: Weights {
            passing: weight,
            warning: weight,
        },
        ..endpoint(name, zone)
    }
}

pub fn callers(of: &[(&str, u32)]) -> BTreeMap<Zone, u32> {
    of.iter()
        .map(|(zone, count)| (Zone::new(zone), *count))
        .collect()
}

impl Fleet {
    pub fn new(endpoints: Vec<Endpoint>) -> Self {
        Self::seen_from("a", endpoints, &[])
    }

    pub fn seen_from(zone: &str, endpoints: Vec<Endpoint>, of: &[(&str, u32)]) -> Self {
        let now = Instant::now();
        let balancer = Balancer::new(BalancerConfig::default(), Zone::new(zone), now);
        balancer.update(&Snapshot::new(1, endpoints), &callers(of), now);
        Self {
            balancer,
            now,
            rng: SmallRng::seed_from_u64(7),
            version: 1,
        }
    }

    pub fn update(&mut self, endpoints: Vec<Endpoint>) {
        self.version += 1;
        let snapshot = Snapshot::new(self.version, endpoints);
        self.balancer.update(&snapshot, &BTreeMap::new(), self.now);
    }

    pub fn pick(&mut self, ask: &Ask<'_>) -> Result<Pick, NoEndpoint> {
        self.balancer.pick(ask, self.now, &mut self.rng)
    }

    pub fn settle(&mut self, pick: &mut Pick, outcome: &Outcome) {
        self.balancer.settle(pick, outcome, self.now, &mut self.rng);
    }

    /// Calls that one, and lets the call end so after five milliseconds.
    pub fn call(&mut self, name: &str, outcome: &Outcome) {
        let all = self.balancer.status(self.now).into_iter();
        let others: Vec<EndpointId> = all
            .map(|seat| seat.endpoint.id)
            .filter(|id| id.as_str() != name)
            .collect();
        let ask = Ask {
            tried: &others,
            idempotent: false,
        };
        let mut pick = self.pick(&ask).expect("an endpoint");
        assert_eq!(pick.endpoint().id.as_str(), name);
        self.wait(0.005);
        self.settle(&mut pick, outcome);
    }

    /// How often each is picked in so many immediate good calls.
    pub fn census(&mut self, calls: u32) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for _ in 0..calls {
            let mut pick = self.pick(&IDEMPOTENT).expect("an endpoint");
            self.settle(&mut pick, &OK);
            *counts.entry(pick.endpoint().id.to_string()).or_insert(0) += 1;
        }
        counts
    }

    pub fn wait(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
    }
}

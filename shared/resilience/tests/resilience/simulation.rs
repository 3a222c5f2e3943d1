//! A town of callers and endpoints with its own time, in which zones get lost, nodes get slow and instances come and go.
//!
//! Events happen in the order of a queue and chance comes from one seed, so that a run can be repeated.
//! An endpoint answers as many calls at a time as it has slots, in its latency; more wait in proportion.
//! Callers see a change of the registry when it happens: how long Consul takes is not a policy's matter.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use resilience::balancer::{Ask, Balancer, BalancerConfig, Pick};
use resilience::classify::Outcome;
use resilience::endpoint::{Endpoint, EndpointId, Snapshot, Zone};

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    /// Calls a second, over all callers.
    pub rate: f64,
    /// The zone of each caller.
    pub callers: Vec<&'static str>,
    pub nodes: Vec<Node>,
    /// What happens, and when; a phase lasts until the next one begins.
    pub events: Vec<(f64, Event)>,
    pub seconds: f64,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub endpoint: Endpoint,
    pub latency: f64,
    pub slots: f64,
}

#[derive(Clone, Debug)]
pub enum Event {
    Phase(&'static str),
    /// Its endpoints refuse connections; so long later they leave the registry.
    Lose(&'static str, f64),
    /// They are back, and registered.
    Return(&'static str),
    /// That much slower than before.
    Slow(&'static str, f64),
    /// The registry has another instance in the place of that one.
    Replace(usize),
    /// That many calls a second from now on.
    Rate(f64),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub phases: Vec<Phase>,
    /// Calls that are still counted as in flight after the last has ended.
    pub left_over: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Phase {
    pub name: &'static str,
    pub seconds: f64,
    pub calls: u32,
    pub refused: u32,
    pub nobody: u32,
    pub reasons: BTreeMap<&'static str, u32>,
    pub endpoints: BTreeMap<String, Seen>,
    /// The part of the first caller's calls that is sent out of its zone, ten times a second.
    pub away: Vec<f64>,
}

/// What one endpoint got in one phase.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub zone: String,
    pub calls: u32,
    /// Calls in flight as each call came, summed.
    pub busy: f64,
}

/// What happens next.
enum Next {
    Call,
    End(u64),
    Event(usize),
    Leave(&'static str),
    Sample,
}

struct Town {
    scenario: Scenario,
    start: Instant,
    at: Duration,
    balancers: Vec<Balancer>,
    dice: SmallRng,
    queue: BinaryHeap<Reverse<(Duration, u64)>>,
    nexts: BTreeMap<u64, Next>,
    number: u64,
    running: BTreeMap<u64, (usize, Pick, Outcome)>,
    in_flight: BTreeMap<EndpointId, f64>,
    dead: Vec<&'static str>,
    gone: Vec<&'static str>,
    version: u64,
    rate: f64,
    report: Report,
}

impl Scenario {
    /// Lets it all happen.
    pub fn run(self) -> Report {
        let start = Instant::now();
        let zones = self.callers.iter();
        let balancers = zones
            .map(|zone| Balancer::new(BalancerConfig::default(), Zone::new(zone), start))
            .collect();
        let mut town = Town {
            start,
            at: Duration::ZERO,
            balancers,
            dice: SmallRng::seed_from_u64(self.seed),
            queue: BinaryHeap::new(),
            nexts: BTreeMap::new(),
            number: 0,
            running: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            dead: Vec::new(),
            gone: Vec::new(),
            version: 0,
            rate: self.rate,
            report: Report::default(),
            scenario: self,
        };
        town.run();
        town.report
    }
}

impl Town {
    fn run(&mut self) {
        let events = self.scenario.events.clone();
        for (index, (at, _)) in events.iter().enumerate() {
            self.later(*at, Next::Event(index));
        }
        self.publish();
        self.later(0.0, Next::Call);
        self.later(0.0, Next::Sample);
        let end = Duration::from_secs_f64(self.scenario.seconds);
        while let Some(Reverse((at, number))) = self.queue.pop() {
            let next = self
                .nexts
                .remove(&number)
                .expect("every entry has its event");
            if at > end && !matches!(next, Next::End(_)) {
                continue;
            }
            let passed = at.saturating_sub(self.at).as_secs_f64();
            self.at = at;
            if let Some(phase) = self.report.phases.last_mut().filter(|_| at <= end) {
                phase.seconds += passed;
            }
            self.happen(next, &events);
        }
        let now = self.start + self.at;
        let seats = self
            .balancers
            .iter()
            .flat_map(|balancer| balancer.status(now));
        self.report.left_over = seats.map(|seat| seat.in_flight).sum();
    }

    fn happen(&mut self, next: Next, events: &[(f64, Event)]) {
        match next {
            Next::Call => {
                let pause = -self.dice.random_range(f64::EPSILON..1.0).ln() / self.rate;
                self.later(pause, Next::Call);
                self.call();
            }
            Next::End(call) => self.end(call),
            Next::Leave(zone) if self.dead.contains(&zone) => {
                self.gone.push(zone);
                self.publish();
            }
            Next::Leave(_) => {}
            Next::Sample => {
                self.later(0.1, Next::Sample);
                let zones = self.balancers[0].zones(self.start + self.at);
                let home = Zone::new(self.scenario.callers[0]);
                let away = zones.iter().filter(|zone| zone.zone != home);
                let away = away.map(|zone| zone.share).sum();
                self.phase().away.push(away);
            }
            Next::Event(index) => self.event(&events[index].1),
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Phase(name) => self.report.phases.push(Phase {
                name,
                ..Phase::default()
            }),
            Event::Lose(zone, noticed) => {
                self.dead.push(zone);
                self.later(*noticed, Next::Leave(zone));
            }
            Event::Return(zone) => {
                self.dead.retain(|dead| dead != zone);
                self.gone.retain(|gone| gone != zone);
                self.publish();
            }
            Event::Slow(name, factor) => {
                let nodes = self.scenario.nodes.iter_mut();
                nodes
                    .filter(|node| node.endpoint.id.as_str() == *name)
                    .for_each(|node| node.latency *= factor);
            }
            Event::Replace(index) => {
                let version = self.version;
                let endpoint = &mut self.scenario.nodes[*index].endpoint;
                let name = endpoint.id.as_str().split('~').next().unwrap_or_default();
                endpoint.id = EndpointId::new(&format!("{name}~{version}"));
                self.publish();
            }
            Event::Rate(rate) => self.rate = *rate,
        }
    }

    fn publish(&mut self) {
        self.version += 1;
        let here = |zone: &Zone| !self.gone.contains(&zone.as_str());
        let nodes = self.scenario.nodes.iter();
        let endpoints = nodes.map(|node| node.endpoint.clone());
        let endpoints = endpoints.filter(|endpoint| here(&endpoint.zone)).collect();
        let snapshot = Snapshot::new(self.version, endpoints);
        let mut callers = BTreeMap::new();
        for zone in &self.scenario.callers {
            *callers.entry(Zone::new(zone)).or_insert(0) += 1;
        }
        for balancer in &self.balancers {
            balancer.update(&snapshot, &callers, self.start + self.at);
        }
    }

    fn call(&mut self) {
        let now = self.start + self.at;
        let caller = self.dice.random_range(0..self.balancers.len());
        let ask = Ask {
            tried: &[],
            idempotent: true,
        };
        let picked = self.balancers[caller].pick(&ask, now, &mut self.dice);
        self.phase().calls += 1;
        let Ok(pick) = picked else {
            self.phase().nobody += 1;
            return;
        };
        let endpoint = pick.endpoint().clone();
        let busy = self.in_flight.entry(endpoint.id.clone()).or_insert(0.0);
        *busy += 1.0;
        let busy = *busy;
        let name = endpoint.id.to_string();
        let name = name.split('~').next().unwrap_or_default().to_owned();
        let phase = self.phase();
        *phase.reasons.entry(pick.reason().as_str()).or_insert(0) += 1;
        let seen = phase.endpoints.entry(name).or_default();
        seen.zone = endpoint.zone.to_string();
        seen.calls += 1;
        seen.busy += busy;
        let (took, outcome) = self.answer(&endpoint, busy);
        self.number += 1;
        let call = self.number;
        self.running.insert(call, (caller, pick, outcome));
        self.later(took, Next::End(call));
    }

    fn answer(&mut self, endpoint: &Endpoint, busy: f64) -> (f64, Outcome) {
        if self.dead.contains(&endpoint.zone.as_str()) {
            return (0.000_2, Outcome::ConnectRefused);
        }
        let node = self.scenario.nodes.iter();
        let node = node.clone().find(|node| node.endpoint.id == endpoint.id);
        let (latency, slots) = node.map_or((0.005, 1.0), |node| (node.latency, node.slots));
        let took = latency * (busy / slots).max(1.0) * self.dice.random_range(0.7..1.3);
        let outcome = Outcome::Answered {
            status: 200,
            retry_after: None,
        };
        (took, outcome)
    }

    fn end(&mut self, call: u64) {
        let now = self.start + self.at;
        let (caller, mut pick, outcome) = self.running.remove(&call).expect("it runs");
        let id = pick.endpoint().id.clone();
        self.in_flight.entry(id).and_modify(|busy| *busy -= 1.0);
        if outcome == Outcome::ConnectRefused {
            self.phase().refused += 1;
        }
        self.balancers[caller].settle(&mut pick, &outcome, now, &mut self.dice);
    }

    fn later(&mut self, seconds: f64, next: Next) {
        self.number += 1;
        self.nexts.insert(self.number, next);
        let at = self.at + Duration::from_secs_f64(seconds);
        self.queue.push(Reverse((at, self.number)));
    }

    fn phase(&mut self) -> &mut Phase {
        if self.report.phases.is_empty() {
            self.report.phases.push(Phase::default());
        }
        self.report.phases.last_mut().expect("there is one")
    }
}

impl Report {
    pub fn phase(&self, name: &str) -> &Phase {
        let found = self.phases.iter().find(|phase| phase.name == name);
        found.unwrap_or_else(|| panic!("no phase {name}"))
    }
}

impl Phase {
    /// The part of the calls that went to a zone.
    pub fn share_of(&self, zone: &str) -> f64 {
        let seen = self.endpoints.values().filter(|seen| seen.zone == zone);
        let calls: u32 = seen.map(|seen| seen.calls).sum();
        f64::from(calls) / f64::from(self.calls.max(1))
    }

    /// Mean calls in flight that a call met there, itself included.
    pub fn busy_in(&self, zone: &str) -> f64 {
        let seen = self.endpoints.values().filter(|seen| seen.zone == zone);
        let (calls, busy) = seen.fold((0.0, 0.0), |(calls, busy), seen| {
            (calls + f64::from(seen.calls), busy + seen.busy)
        });
        busy / f64::max(calls, 1.0)
    }
}

/// An instance that answers one call in that many seconds, and eight at a time.
pub fn node(name: &str, zone: &str, latency: f64) -> Node {
    Node {
        endpoint: super::fleet::weighing(name, zone, 10),
        latency,
        slots: 8.0,
    }
}

//! Whom the faults strike: the decision, without doing anything about it.
//!
//! Each request (or statement) is drawn for on its own. Of several faults of one kind the first that
//! strikes counts; different kinds add up, except that who is held gets no error.

use super::active::Active;
use super::fault::{Effect, Kind};
use rand::{Rng, RngExt};
use std::time::{Duration, Instant};

/// What is to be done to one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Held until this fault is gone.
    pub hang: Option<u64>,
    /// Waits this long before anything else.
    pub delay: Option<Duration>,
    /// Is answered with this status.
    pub error: Option<u16>,
    /// Its answer drips until then, with this pause after each byte.
    pub drip: Option<(Duration, Instant)>,
}

impl Plan {
    /// What it consists of.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        let parts = [
            (self.hang.is_some(), Kind::Hang),
            (self.delay.is_some(), Kind::Latency),
            (self.error.is_some(), Kind::Error),
            (self.drip.is_some(), Kind::Drip),
        ];
        parts
            .into_iter()
            .filter_map(|(planned, kind)| planned.then_some(kind))
    }
}

/// What the faults that are active `now` do to a request; `None`: nothing.
pub fn decide(
    active: &[Active],
    method: &str,
    path: &str,
    now: Instant,
    rng: &mut impl Rng,
) -> Option<Plan> {
    let mut plan = Plan::default();
    for one in active {
        let fault = &one.fault;
        let meant = one.expires > now && fault.only.matches(method, path);
        if !fault.kind().strikes_requests() || !meant || !struck(fault.percent, rng) {
            continue;
        }
        match fault.effect {
            Effect::Latency { wait, jitter } => {
                plan.delay.get_or_insert_with(|| around(wait, jitter, rng));
            }
            Effect::Error { status } => {
                plan.error.get_or_insert(status);
            }
            Effect::Hang => {
                plan.hang.get_or_insert(one.id);
            }
            Effect::Drip { every } => {
                plan.drip.get_or_insert((every, one.expires));
            }
            Effect::Health { .. }
            | Effect::Connections
            | Effect::Database { .. }
            | Effect::Down => {}
        }
    }
    if plan.hang.is_some() {
        plan.error = None;
    }
    (plan != Plan::default()).then_some(plan)
}

/// How long the database lets one statement or transaction wait; `None`: not at all.
pub fn slow_database(active: &[Active], now: Instant, rng: &mut impl Rng) -> Option<Duration> {
    let current = active.iter().filter(|one| one.expires > now);
    current
        .filter_map(|one| match one.fault.effect {
            Effect::Database { wait } => struck(one.fault.percent, rng).then_some(wait),
            _ => None,
        })
        .next()
}

/// What `/readyz` says against the truth.
pub fn health(active: &[Active], now: Instant) -> Option<bool> {
    active
        .iter()
        .filter(|one| one.expires > now)
        .find_map(|one| match one.fault.effect {
            Effect::Health { ready } => Some(ready),
            _ => None,
        })
}

fn struck(percent: u8, rng: &mut impl Rng) -> bool {
    percent >= 100 || rng.random_range(0..100) < percent
}

fn around(wait: Duration, jitter: Duration, rng: &mut impl Rng) -> Duration {
    rng.random_range(wait.saturating_sub(jitter)..=wait + jitter)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::fault::{Fault, Only};
    use super::*;
    use crate::faults::Origin;
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use std::time::SystemTime;

    const WAIT: Duration = Duration::from_millis(100);

    fn active(id: u64, effect: Effect, percent: u8, now: Instant) -> Active {
        let only = Only::default();
        let clock = SystemTime::now();
        let until = clock + Duration::from_secs(30);
        let fault = Fault {
            effect,
            percent,
            only,
            until,
        };
        Active::new(id, Origin::Admin, fault, now, clock)
    }

    fn rng() -> StdRng {
        StdRng::seed_from_u64(7)
    }

    #[test]
    fn over_many_draws_the_share_that_is_struck_is_the_one_asked_for() {
        const DRAWS: u32 = 20_000;
        let now = Instant::now();
        for percent in 1..=100 {
            let active = [active(1, Effect::Hang, percent, now)];
            let mut rng = StdRng::seed_from_u64(percent.into());
            let draw = |_: &u32| decide(&active, "GET", "/", now, &mut rng).is_some();
            let share = (0..DRAWS).filter(draw).count() as f64 / f64::from(DRAWS);
            // Six standard deviations of a fair draw.
            let p = f64::from(percent) / 100.0;
            let slack = 6.0 * (p * (1.0 - p) / f64::from(DRAWS)).sqrt();
            assert!((share - p).abs() <= slack, "{share} of {percent} %");
        }
    }

    #[test]
    fn a_wait_stays_within_its_jitter() {
        let now = Instant::now();
        let (wait, jitter) = (WAIT, WAIT / 4);
        let active = [active(1, Effect::Latency { wait, jitter }, 100, now)];
        let mut rng = rng();
        for _ in 0..10_000 {
            let plan = decide(&active, "GET", "/", now, &mut rng).unwrap();
            let delay = plan.delay.unwrap();
            assert!(
                delay >= wait - jitter && delay <= wait + jitter,
                "{delay:?}"
            );
        }
    }

    #[test]
    fn a_fault_that_is_over_strikes_nobody() {
        let now = Instant::now();
        let active = [active(1, Effect::Hang, 100, now)];
        assert!(decide(&active, "GET", "/", active[0].expires, &mut rng()).is_none());
        assert!(decide(&active, "GET", "/", now, &mut rng()).is_some());
    }

    #[test]
    fn a_fault_strikes_the_requests_that_it_is_for() {
        let now = Instant::now();
        let mut one = active(1, Effect::Error { status: 500 }, 100, now);
        one.fault.only = Only {
            method: Some("POST".into()),
            path: Some("/orders".into()),
        };
        let active = [one];
        let struck = |method, path| decide(&active, method, path, now, &mut rng()).is_some();
        assert!(struck("POST", "/orders/7"));
        assert!(!struck("GET", "/orders/7") && !struck("POST", "/users"));
    }

    #[test]
    fn different_kinds_add_up_and_who_is_held_gets_no_error() {
        let now = Instant::now();
        let slow = active(
            1,
            Effect::Latency {
                wait: WAIT,
                jitter: Duration::ZERO,
            },
            100,
            now,
        );
        let failing = active(2, Effect::Error { status: 503 }, 100, now);
        let other = active(3, Effect::Error { status: 404 }, 100, now);
        let both = decide(
            &[slow.clone(), failing.clone(), other],
            "GET",
            "/",
            now,
            &mut rng(),
        )
        .unwrap();
        assert_eq!((both.delay, both.error), (Some(WAIT), Some(503)));
        let hanging = active(4, Effect::Hang, 100, now);
        let held = decide(&[failing, hanging], "GET", "/", now, &mut rng()).unwrap();
        assert_eq!((held.hang, held.error), (Some(4), None));
    }

    #[test]
    fn what_does_not_strike_requests_leaves_them_alone() {
        let now = Instant::now();
        let effects = [
            Effect::Health { ready: false },
            Effect::Connections,
            Effect::Database { wait: WAIT },
            Effect::Down,
        ];
        let active = effects.map(|effect| active(1, effect, 100, now));
        assert_eq!(decide(&active, "GET", "/", now, &mut rng()), None);
        assert_eq!(health(&active, now), Some(false));
    }
}

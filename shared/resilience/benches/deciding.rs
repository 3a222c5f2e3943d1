//! What a decision costs: `cargo bench -p resilience`.
//!
//! A pick is measured as a request pays for it: chosen, settled and given back, among 3, 100 and 50 000 endpoints.
//! The promise is 300 ns at each size; how often the numbers are drawn again is criterion's affair.
#![allow(
    clippy::disallowed_methods,
    reason = "a program that needs some instant to start from"
)]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/resilience/fleet.rs"]
mod fleet;

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fleet::{Fleet, IDEMPOTENT, OK, endpoint};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use resilience::breaker::{Breaker, BreakerConfig, Source};
use resilience::classify::Verdict;
use resilience::endpoint::Endpoint;
use resilience::limiter::{Limiter, Rate};

/// An answer of ours takes a few milliseconds.
const ANSWER: Duration = Duration::from_millis(5);
/// From the smallest fleet that survives a loss to the largest that anybody has asked for.
const SIZES: [u32; 3] = [3, 100, 50_000];

criterion_group!(deciding, pick, breaker, limiter);
criterion_main!(deciding);

fn pick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pick");
    for size in SIZES {
        let mut fleet = Fleet::new((0..size).map(numbered).collect());
        group.bench_function(BenchmarkId::new("chosen and given back", size), |bencher| {
            bencher.iter(|| black_box(fleet.pick(&IDEMPOTENT)).is_ok());
        });
        group.bench_function(BenchmarkId::new("with its outcome", size), |bencher| {
            bencher.iter(|| {
                let mut pick = fleet.pick(&IDEMPOTENT).expect("all are well");
                fleet.now += ANSWER;
                fleet.settle(&mut pick, &OK);
            });
        });
    }
    group.finish();
}

fn breaker(criterion: &mut Criterion) {
    let breaker = Breaker::new(BreakerConfig::service());
    let mut rng = SmallRng::seed_from_u64(7);
    let mut now = Instant::now();
    let called = [endpoint("a1", "a").id];
    let source = Source {
        endpoints: &called,
        peers: true,
    };
    criterion.bench_function("breaker/asked and told", |bencher| {
        bencher.iter(|| {
            let (permit, _) = breaker.try_acquire(now).expect("it is closed");
            now += ANSWER;
            breaker.settle(permit, Verdict::Success, ANSWER, source, now, &mut rng)
        });
    });
}

fn limiter(criterion: &mut Criterion) {
    let plenty = NonZeroU32::MAX;
    let rate = Rate {
        cells: plenty,
        per: Duration::from_secs(1),
        burst: plenty,
    };
    let limiter = Limiter::new(rate, 100_000);
    let mut client = 0_u32;
    criterion.bench_function("limiter/one of 10000 clients", |bencher| {
        bencher.iter(|| {
            client = (client + 1) % 10_000;
            limiter.check(&client, NonZeroU32::MIN)
        });
    });
}

/// Three zones, one address each.
fn numbered(index: u32) -> Endpoint {
    const FIRST: u32 = 0x0a00_0001;
    Endpoint {
        address: SocketAddr::from((Ipv4Addr::from(FIRST + index), 8080)),
        ..endpoint(
            &format!("shop-{index}"),
            ["a", "b", "c"][index as usize % 3],
        )
    }
}

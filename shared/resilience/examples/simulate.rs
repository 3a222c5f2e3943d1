//! The policies in a simulated town: `cargo run --profile native -p resilience --example simulate -- --seed 7`.
//!
//! Two zones with two callers; a zone is lost and comes back, an instance gets slow, instances are replaced all the time.
//! Prints what each endpoint got before, during and after, at a low and at a high rate.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program that needs some instant to start from, and prints its report"
)]

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/resilience/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/resilience/simulation.rs"]
mod simulation;

use simulation::{Event, Report, Scenario, node};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str, default: f64| {
        let at = arguments.iter().position(|argument| argument == name);
        let text = at.and_then(|at| arguments.get(at + 1));
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let (seed, seconds) = (value("--seed", 1.0) as u64, value("--seconds", 120.0));
    for rate in [value("--low", 5.0), value("--high", 1_000.0)] {
        println!("seed {seed}, {rate} calls a second");
        print(&town(seed, rate, seconds));
    }
}

/// A third of the time each: as it should be, without zone `a`, with it again; `b3` is slow, `a3` is replaced.
fn town(seed: u64, rate: f64, seconds: f64) -> Report {
    let third = seconds / 3.0;
    let mut events = vec![
        (0.0, Event::Phase("before")),
        (0.0, Event::Slow("b3", 5.0)),
        (third, Event::Phase("zone a lost")),
        (third, Event::Lose("a", 2.0)),
        (2.0 * third, Event::Phase("zone a back")),
        (2.0 * third, Event::Return("a")),
    ];
    let churns = (1..seconds as u32 / 2).map(|at| (f64::from(at) * 2.0, Event::Replace(2)));
    events.extend(churns);
    let nodes = ["a1", "a2", "a3", "b1", "b2", "b3"];
    Scenario {
        seed,
        rate,
        callers: vec!["a", "b"],
        nodes: nodes.map(|name| node(name, &name[..1], 0.01)).to_vec(),
        events,
        seconds,
    }
    .run()
}

fn print(report: &Report) {
    for phase in &report.phases {
        println!(
            "  {}: {} calls in {:.0} s, {} refused, {} without an endpoint, {:?}",
            phase.name, phase.calls, phase.seconds, phase.refused, phase.nobody, phase.reasons
        );
        for (name, seen) in &phase.endpoints {
            let calls = f64::from(seen.calls);
            println!(
                "    {name} in {}: {:>7} calls, {:>5.1} %, {:>6.2} in flight when called",
                seen.zone,
                seen.calls,
                100.0 * calls / f64::from(phase.calls.max(1)),
                seen.busy / calls
            );
        }
    }
    println!("  left in flight: {}", report.left_over);
}

//! The simulated town for a few seconds: what each endpoint gets before, during and after a zone's loss.

use super::simulation::{Event, Report, Scenario, node};

fn town(seed: u64, rate: f64, mut events: Vec<(f64, Event)>) -> Report {
    events.insert(0, (0.0, Event::Phase("before")));
    let nodes = ["a1", "a2", "b1", "b2"];
    Scenario {
        seed,
        rate,
        callers: vec!["a", "b"],
        nodes: nodes.map(|name| node(name, &name[..1], 0.01)).to_vec(),
        events,
        seconds: 90.0,
    }
    .run()
}

#[test]
fn a_lost_zone_costs_a_few_refusals_and_its_load_is_shared_evenly() {
    for (seed, rate) in [(1, 20.0), (2, 300.0)] {
        let report = town(
            seed,
            rate,
            vec![
                (30.0, Event::Phase("lost")),
                (30.0, Event::Lose("a", 3.0)),
                (60.0, Event::Phase("back")),
                (60.0, Event::Return("a")),
            ],
        );
        let told = format!("seed {seed}: {report:?}");
        for phase in &report.phases {
            assert_eq!(phase.nobody, 0, "{told}");
        }
        let lost = report.phase("lost");
        // Two callers learn of two endpoints each, and ask again as their ejections end.
        assert!((1..=20).contains(&lost.refused), "{told}");
        assert!(lost.share_of("b") > 0.95, "{told}");
        let (one, other) = (lost.endpoints["b1"].calls, lost.endpoints["b2"].calls);
        let uneven = f64::from(one) / f64::from(one + other) - 0.5;
        assert!(uneven.abs() < 0.06, "{told}");
        for phase in ["before", "back"] {
            let share = report.phase(phase).share_of("a");
            assert!((0.4..0.6).contains(&share), "{phase}: {share}, {told}");
        }
        assert_eq!(report.left_over, 0, "{told}");
    }
}

#[test]
fn a_slow_node_gets_little_and_churn_leaves_nothing_behind() {
    for (seed, rate) in [(3, 20.0), (4, 300.0)] {
        let mut events = vec![
            (30.0, Event::Phase("slow")),
            (30.0, Event::Slow("a1", 20.0)),
        ];
        events.extend((0..60).map(|at| (30.5 + f64::from(at), Event::Replace(3))));
        let report = town(seed, rate, events);
        let told = format!("seed {seed}: {report:?}");
        let slow = report.phase("slow");
        let part = f64::from(slow.endpoints["a1"].calls) / f64::from(slow.calls);
        assert!(part < 0.08, "{part}, {told}");
        assert!(slow.busy_in("b") < 8.0, "{told}");
        assert_eq!(report.left_over, 0, "{told}");
    }
}

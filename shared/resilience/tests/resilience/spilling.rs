//! A busy zone sends calls away, and takes them back.

use super::simulation::{Event, Node, Phase, Report, Scenario, node};

/// One caller in zone `a`, two instances in each of two zones, 100 ms a call.
fn scenario(rate: f64, events: Vec<(f64, Event)>, seconds: f64) -> Scenario {
    let nodes: Vec<Node> = [("a1", "a"), ("a2", "a"), ("b1", "b"), ("b2", "b")]
        .map(|(name, zone)| Node {
            slots: 1_000.0,
            ..node(name, zone, 0.1)
        })
        .to_vec();
    Scenario {
        seed: 5,
        rate,
        callers: vec!["a"],
        nodes,
        events,
        seconds,
    }
}

fn phases(rates: &[(&'static str, f64)]) -> Report {
    let mut events = Vec::new();
    for (index, (name, rate)) in rates.iter().enumerate() {
        let at = index as f64 * 30.0;
        events.push((at, Event::Phase(name)));
        events.push((at, Event::Rate(*rate)));
    }
    scenario(rates[0].1, events, rates.len() as f64 * 30.0).run()
}

/// The last third of a phase, when all has settled.
fn settled(phase: &Phase) -> &[f64] {
    &phase.away[phase.away.len() * 2 / 3..]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn a_hot_zone_spills_although_the_counts_are_even_and_takes_back_when_it_cools() {
    // In flight per local instance, if all stayed: 4, 12.5, 4.
    let report = phases(&[("cool", 80.0), ("hot", 250.0), ("cool again", 80.0)]);
    assert_eq!(mean(&report.phase("cool").away), 0.0);
    let hot = report.phase("hot");
    // Two instances hold 16 of the 25 in flight: the rest, a good third, leaves.
    let away = mean(settled(hot));
    assert!((0.3..0.5).contains(&away), "{away}");
    assert!(hot.reasons["spill_load"] > 1_000, "{:?}", hot.reasons);
    let steepest = hot.away.windows(2).map(|two| (two[1] - two[0]).abs());
    let steepest = steepest.fold(0.0, f64::max);
    assert!(steepest <= 0.05, "{steepest} in a tenth of a second");
    assert_eq!(mean(settled(report.phase("cool again"))), 0.0);
}

#[test]
fn a_steady_load_settles_and_does_not_swing() {
    for (rate, most) in [(200.0, 0.15), (300.0, 0.15), (600.0, 0.15)] {
        let report = phases(&[("hot", rate), ("and on", rate)]);
        let away = &report.phase("and on").away;
        let (low, high) = away.iter().fold((1.0_f64, 0.0_f64), |(low, high), away| {
            (low.min(*away), high.max(*away))
        });
        assert!(high - low < most, "at {rate}/s between {low} and {high}");
    }
}

#[test]
fn a_zone_does_not_send_away_more_than_makes_the_others_as_busy() {
    // 50 in flight in each zone, far above the target, however they are divided.
    let report = phases(&[("flooded", 2_000.0)]);
    let away = mean(settled(report.phase("flooded")));
    assert!((0.4..0.55).contains(&away), "{away}");
}

#[test]
fn a_zone_that_comes_back_is_filled_step_by_step() {
    let events = vec![
        (0.0, Event::Phase("before")),
        (10.0, Event::Phase("lost")),
        (10.0, Event::Lose("a", 0.5)),
        (20.0, Event::Phase("back")),
        (20.0, Event::Return("a")),
    ];
    let report = scenario(80.0, events, 40.0).run();
    assert!(report.phase("lost").refused <= 4, "{report:?}");
    let away = &report.phase("lost").away;
    assert_eq!(mean(&away[1..]), 1.0);
    let back = &report.phase("back").away;
    assert!(back[10] > 0.5, "{back:?}");
    assert_eq!(mean(settled(report.phase("back"))), 0.0);
}

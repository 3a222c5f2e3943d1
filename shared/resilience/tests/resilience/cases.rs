//! How many cases each invariant of the policies is tried with, in one place.

/// Sequences of up to 250 steps.
pub const BREAKER: u32 = 1_000;
/// Rounds of eight threads.
pub const INTERLEAVINGS: u32 = 200;
pub const WINDOW: u32 = 256;
/// Instances that came and left.
pub const CHURNS: u32 = 1_000_000;
pub const SETS: u32 = 500;
pub const SHARES: u32 = 500;
pub const PICKS: u32 = 100_000;
pub const RETRIED: u32 = 256;
pub const SWAPS: u32 = 400;
pub const RAMPS: u32 = 128;
pub const PATHS: u32 = 256;
pub const QUOTAS: u32 = 256;
/// Quotas, each with up to five threads at once.
pub const WORKERS: u32 = 64;
pub const KEYS: u32 = 10_000;
pub const BUDGETS: u32 = 256;
pub const REQUESTS: u32 = 2_000;

/// Invariant, what it is tried with, how often, and by which test.
const TABLE: &[(&str, &str, u32, &str)] = &[
    (
        "B1 changes only by the rule",
        "sequences x 2",
        BREAKER,
        "breaker::*_changes_only_by_the_rule",
    ),
    (
        "B2 never more than N probes",
        "thread rounds",
        INTERLEAVINGS,
        "interleaving::never_more_probes_than_allowed",
    ),
    (
        "B3 an old permit changes nothing",
        "sequences x 2",
        BREAKER,
        "breaker::*_changes_only_by_the_rule",
    ),
    (
        "B4 every permit is returned",
        "sequences x 2",
        BREAKER,
        "breaker::*_changes_only_by_the_rule",
    ),
    (
        "B5 client-caused is neutral",
        "sequences x 2",
        BREAKER,
        "breaker::*_changes_only_by_the_rule",
    ),
    (
        "B6 counts are conserved",
        "windows",
        WINDOW,
        "window::counts_are_conserved_*",
    ),
    (
        "B7 fail-fast or panic, not both",
        "sets",
        SETS,
        "ejecting::panic_only_when_nobody_is_eligible_*",
    ),
    (
        "B8 nothing leaks over churns",
        "churns",
        CHURNS,
        "ejecting::*_a_million_churns_leave_nothing",
    ),
    (
        "B9 time that jumps changes nothing",
        "sequences",
        BREAKER,
        "interleaving::time_that_jumps_back_*",
    ),
    (
        "L1 nobody ineligible but in panic",
        "sets",
        SETS,
        "ejecting::panic_only_when_nobody_is_eligible_*",
    ),
    (
        "L2 shares add up",
        "zonings x 2",
        SHARES,
        "sharing::shares_add_up_to_one",
    ),
    (
        "L2 one update re-normalises",
        "updates",
        SHARES,
        "sharing::one_update_makes_*",
    ),
    (
        "L2 load is even within 5 %",
        "picks",
        PICKS,
        "sharing::with_even_zones_*",
    ),
    (
        "L3 a retry avoids what was tried",
        "fleets",
        RETRIED,
        "balancing::a_retry_avoids_*",
    ),
    (
        "L4 the old set or the new",
        "swaps",
        SWAPS,
        "balancing::readers_see_*",
    ),
    (
        "L5 slow start only rises",
        "ramps",
        RAMPS,
        "balancing::slow_start_only_rises",
    ),
    (
        "L6 in flight returns to zero",
        "paths",
        PATHS,
        "ejecting::in_flight_returns_to_zero_*",
    ),
    (
        "R1 admitted in any window",
        "quotas",
        QUOTAS,
        "limiting::no_window_admits_more_*",
    ),
    (
        "R2 summed over all workers",
        "quotas",
        WORKERS,
        "limiting::the_sum_over_all_workers_*",
    ),
    (
        "R3 a refusal costs nothing",
        "quotas",
        QUOTAS,
        "limiting::a_refusal_costs_nothing_*",
    ),
    (
        "R4 Retry-After admits",
        "quotas",
        QUOTAS,
        "limiting::a_refusal_costs_nothing_*",
    ),
    (
        "R5 memory is bounded",
        "keys",
        KEYS,
        "limiting::memory_is_bounded_*",
    ),
    (
        "T1 the budget bounds attempts",
        "patterns",
        BUDGETS,
        "retrying::attempts_stay_within_*",
    ),
    (
        "T2 three attempts at most",
        "requests",
        REQUESTS,
        "retrying::a_request_is_tried_*",
    ),
    (
        "T3 a POST without key runs once",
        "requests",
        REQUESTS,
        "retrying::a_request_is_tried_*",
    ),
    (
        "T4 none after first byte or deadline",
        "requests",
        REQUESTS,
        "retrying::a_request_is_tried_*",
    ),
    (
        "T5 none into an open endpoint",
        "fleets",
        RETRIED,
        "retrying::no_attempt_goes_*",
    ),
];

/// The text of each module that the table names.
const SOURCES: &[(&str, &str)] = &[
    ("balancing", include_str!("balancing.rs")),
    ("breaker", include_str!("breaker.rs")),
    ("ejecting", include_str!("ejecting.rs")),
    ("interleaving", include_str!("interleaving.rs")),
    ("limiting", include_str!("limiting.rs")),
    ("retrying", include_str!("retrying.rs")),
    ("sharing", include_str!("sharing.rs")),
    ("window", include_str!("window.rs")),
];

/// The names of the functions that are marked as tests.
fn tests_in(source: &str) -> Vec<&str> {
    let mut lines = source.lines().map(str::trim);
    let mut tests = Vec::new();
    while lines.by_ref().any(|line| line == "#[test]") {
        let function = lines.find_map(|line| line.strip_prefix("fn "));
        let name = function.and_then(|rest| rest.split('(').next());
        tests.extend(name);
    }
    tests
}

/// Whether a name has this beginning, or this end: `begins_*`, `*_ends`, or all of it.
fn is_meant(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (_, Some(begin)) => name.starts_with(begin),
        _ => name == pattern,
    }
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "it is what one asks for with --nocapture"
)]
fn table_of_invariants() {
    for (invariant, of, cases, test) in TABLE {
        println!("{invariant:<38} {cases:>9} {of:<14} {test}");
    }
    let named = |letter: char| TABLE.iter().filter(|row| row.0.starts_with(letter)).count();
    assert_eq!(['B', 'L', 'R', 'T'].map(named), [9, 8, 5, 5]);
}

#[test]
fn every_test_that_the_table_names_is_there() {
    for (invariant, _, _, test) in TABLE {
        let (module, pattern) = test.split_once("::").unwrap();
        let source = SOURCES.iter().find(|(name, _)| *name == module);
        let (_, source) = source.unwrap_or_else(|| panic!("{invariant}: no module {module}"));
        let there = tests_in(source).iter().any(|name| is_meant(pattern, name));
        assert!(there, "{invariant}: no test {test}");
    }
}

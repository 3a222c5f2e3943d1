//! How much of a busy zone's traffic goes elsewhere.
//!
//! A zone keeps up while its mean number of calls in flight, per unit of weight, stays at the target; the unit is the
//! weight of an ordinary instance, so the target reads as calls per instance.
//! Above it a fraction leaves, below three quarters of it that fraction comes home, in between nothing moves.
//! It moves in proportion to how far off the load is and never faster than a step, because what leaves now is seen in
//! the load only when it would have ended: a jump would swing.
//! A zone never sends away so much that it is less busy than the rest; when everybody is busy, crossing helps nobody.
//! What that fraction does to the shares is decided in [`crate::zone`].

use std::time::Duration;

/// When a zone is too busy, and how fast that is mended.
#[derive(Clone, Debug, PartialEq)]
pub struct SpillConfig {
    /// Calls in flight per ordinary instance that a zone should not exceed; its callers share it.
    pub target: f64,
    /// Most that the fraction moves in a second.
    pub step: f64,
}

/// How busy it is, in this caller's calls in flight per ordinary instance.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Load {
    /// In the caller's zone.
    pub local: f64,
    /// Over all zones.
    pub overall: f64,
}

/// Below this part of the target, what was sent away comes home.
const HYSTERESIS: f64 = 0.75;

impl SpillConfig {
    /// The load above which a zone of so many callers sends calls away.
    #[must_use]
    pub fn limit(&self, load: Load, callers: u32) -> f64 {
        (self.target / f64::from(callers.max(1))).max(load.overall)
    }

    /// The fraction sent away, `elapsed` after it was `fraction`.
    #[must_use]
    pub fn next(&self, fraction: f64, load: Load, callers: u32, elapsed: Duration) -> f64 {
        let part = load.local / self.limit(load, callers);
        let speed = if part > 1.0 {
            (part - 1.0).min(1.0)
        } else {
            (part / HYSTERESIS - 1.0).min(0.0)
        };
        (fraction + speed * self.step * elapsed.as_secs_f64()).clamp(0.0, 1.0)
    }
}

impl Default for SpillConfig {
    fn default() -> Self {
        Self {
            target: 8.0,
            step: 0.25,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn next(fraction: f64, local: f64, overall: f64) -> f64 {
        SpillConfig::default().next(fraction, Load { local, overall }, 1, SECOND)
    }

    #[test]
    fn a_zone_sends_away_above_its_target_and_takes_back_below_three_quarters_of_it() {
        assert!(next(0.0, 8.1, 4.0) > 0.0);
        assert_eq!(next(0.3, 8.0, 4.0), 0.3);
        assert_eq!(next(0.3, 6.0, 4.0), 0.3);
        assert!(next(0.3, 5.9, 4.0) < 0.3);
    }

    #[test]
    fn it_moves_by_a_step_at_most() {
        assert_eq!(next(0.0, 1_000.0, 500.0), 0.25);
        assert_eq!(next(1.0, 0.0, 0.0), 0.75);
        assert_eq!(next(0.1, 0.0, 0.0), 0.0);
    }

    #[test]
    fn callers_share_the_target() {
        let config = SpillConfig::default();
        let load = Load {
            local: 3.0,
            overall: 1.5,
        };
        assert_eq!(config.next(0.0, load, 1, SECOND), 0.0);
        assert!(config.next(0.0, load, 4, SECOND) > 0.0);
    }

    #[test]
    fn where_everybody_is_busy_nothing_leaves() {
        assert_eq!(next(0.0, 100.0, 100.0), 0.0);
    }
}

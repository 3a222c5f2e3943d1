//! Whether an answer is believed.
//!
//! Consul can answer 200 with an empty list that is not true: an agent restarted with a wiped disk, a token that has
//! not replicated yet, an ACL that filters.
//! So a non-empty set is never swapped for an empty one, nor a set of four or more for less than half of it, on one
//! observation.
//! Such an answer is *held*: the catalogue is read again with `consistent` after 1 s and 5 s, and the answer is believed
//! when such a read still says so after 30 s, with an index that has not gone backwards meanwhile and without the header
//! that says an ACL has filtered it.
//! An answer that shows at least half of the set again ends the hold at once: after a wipe that is the moment when the
//! services are back.
//! Passive ejection takes care of the dead in the meantime; what is in a held answer is used beside the last good set
//! (`view.rs`).
//! Pure: the time is an argument, and asking again is the caller's work.

use std::time::{Duration, Instant};

/// What one answer showed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    /// Usable instances in it, whatever their health.
    pub(crate) instances: usize,
    /// It came from the leader, confirmed by a quorum (`?consistent`).
    pub(crate) consistent: bool,
    /// Its index was lower than that of the answer before it.
    pub(crate) backwards: bool,
    /// The agent said that an ACL had removed entries.
    pub(crate) filtered: bool,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It replaces the set.
    Accept,
    /// It does not, yet.
    Hold(Doubt),
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The set would become empty.
    Empty,
    /// The set would shrink to less than half.
    Shrunken,
}

/// Remembers the size of the accepted set and how long an answer has been held.
#[derive(Debug, Default)]
pub(crate) struct Distrust {
    accepted: usize,
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    since: Instant,
    rereads: u32,
}

/// Sets below this size shrink by any amount: of three, one is a normal day of deployments.
const SHRINKING_MATTERS_FROM: usize = 4;
/// Consistent reads after the hold began: one for a blip, one for an election.
const REREADS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// An agent that comes back wiped has its services back within 15 s; twice that has passed.
const HOLD: Duration = Duration::from_secs(30);

// ---

impl Distrust {
    /// Judges an answer that arrived at `now`.
    pub(crate) fn judge(&mut self, seen: Observation, now: Instant) -> Judgement {
        let Some(doubt) = self.doubt(seen.instances) else {
            return self.accept(seen);
        };
        let held = self.held.get_or_insert(Held {
            since: now,
            rereads: 0,
        });
        if seen.backwards {
            *held = Held {
                since: now,
                rereads: 0,
            };
        } else if seen.consistent {
            if now.saturating_duration_since(held.since) >= HOLD && !seen.filtered {
                return self.accept(seen);
            }
            held.rereads += 1;
        }
        Judgement::Hold(doubt)
    }

    /// When the catalogue is to be read again with `consistent`; `None` while nothing is held.
    pub(crate) fn reread_at(&self) -> Option<Instant> {
        let held = self.held.as_ref()?;
        let after = match REREADS.get(held.rereads as usize) {
            Some(after) => *after,
            None => HOLD * (held.rereads - REREADS.len() as u32 + 1),
        };
        Some(held.since + after)
    }

    /// The size of the set that was accepted last.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted
    }

    fn doubt(&self, instances: usize) -> Option<Doubt> {
        if instances == 0 && self.accepted > 0 {
            Some(Doubt::Empty)
        } else if self.accepted >= SHRINKING_MATTERS_FROM && instances * 2 < self.accepted {
            Some(Doubt::Shrunken)
        } else {
            None
        }
    }

    fn accept(&mut self, seen: Observation) -> Judgement {
        self.accepted = seen.instances;
        self.held = None;
        Judgement::Accept
    }
}

impl Doubt {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Shrunken => "shrunken",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn shows(instances: usize) -> Observation {
        Observation {
            instances,
            consistent: false,
            backwards: false,
            filtered: false,
        }
    }

    fn reread(instances: usize) -> Observation {
        Observation {
            consistent: true,
            ..shows(instances)
        }
    }

    fn having(instances: usize, now: Instant) -> Distrust {
        let mut distrust = Distrust::default();
        assert_eq!(distrust.judge(shows(instances), now), Judgement::Accept);
        distrust
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_set_never_becomes_empty_and_four_or_more_never_fall_below_half_on_one_observation() {
        let now = Instant::now();
        for (before, after, expected) in [
            (0, 0, Judgement::Accept),
            (1, 0, Judgement::Hold(Doubt::Empty)),
            (100, 0, Judgement::Hold(Doubt::Empty)),
            (4, 2, Judgement::Accept),
            (4, 1, Judgement::Hold(Doubt::Shrunken)),
            (5, 3, Judgement::Accept),
            (5, 2, Judgement::Hold(Doubt::Shrunken)),
            (100, 49, Judgement::Hold(Doubt::Shrunken)),
            (3, 1, Judgement::Accept),
        ] {
            assert_eq!(
                having(before, now).judge(shows(after), now),
                expected,
                "{before} -> {after}"
            );
        }
    }

    #[test]
    fn a_held_answer_is_read_again_after_one_second_five_and_thirty() {
        let start = Instant::now();
        let mut distrust = having(2, start);
        assert_eq!(distrust.reread_at(), None);
        distrust.judge(shows(0), start);
        for after in [1, 5, 30] {
            let due = start + seconds(after);
            assert_eq!(distrust.reread_at(), Some(due));
            let last = distrust.judge(reread(0), due);
            assert_eq!(last == Judgement::Accept, after == 30);
        }
        assert_eq!(distrust.reread_at(), None);
    }

    #[test]
    fn blocking_answers_do_not_end_a_hold_or_replace_a_consistent_read() {
        let start = Instant::now();
        let mut distrust = having(2, start);
        distrust.judge(shows(0), start);
        assert_eq!(
            distrust.judge(shows(0), start + seconds(40)),
            Judgement::Hold(Doubt::Empty)
        );
        assert_eq!(distrust.reread_at(), Some(start + seconds(1)));
    }

    #[test]
    fn a_filtered_answer_is_never_believed_and_asked_about_every_thirty_seconds() {
        let start = Instant::now();
        let mut distrust = having(2, start);
        let filtered = Observation {
            filtered: true,
            ..reread(0)
        };
        distrust.judge(filtered, start);
        for after in [5, 30, 60, 90] {
            let due = distrust.reread_at().unwrap();
            assert_eq!(due, start + seconds(after));
            assert_eq!(distrust.judge(filtered, due), Judgement::Hold(Doubt::Empty));
        }
        assert_eq!(
            distrust.judge(reread(0), start + seconds(91)),
            Judgement::Accept
        );
    }

    #[test]
    fn an_index_that_goes_backwards_starts_the_thirty_seconds_again() {
        let start = Instant::now();
        let mut distrust = having(2, start);
        distrust.judge(shows(0), start);
        let backwards = Observation {
            backwards: true,
            ..reread(0)
        };
        assert_eq!(
            distrust.judge(backwards, start + seconds(31)),
            Judgement::Hold(Doubt::Empty)
        );
        assert_eq!(distrust.reread_at(), Some(start + seconds(32)));
        assert_eq!(
            distrust.judge(reread(0), start + seconds(60)),
            Judgement::Hold(Doubt::Empty)
        );
        assert_eq!(
            distrust.judge(reread(0), start + seconds(61)),
            Judgement::Accept
        );
    }

    #[test]
    fn a_wiped_agent_is_followed_again_as_soon_as_half_of_the_set_is_back() {
        let start = Instant::now();
        let mut distrust = having(4, start);
        let wiped = Observation {
            backwards: true,
            ..shows(0)
        };
        assert_eq!(distrust.judge(wiped, start), Judgement::Hold(Doubt::Empty));
        assert_eq!(
            distrust.judge(shows(1), start + seconds(2)),
            Judgement::Hold(Doubt::Shrunken)
        );
        assert_eq!(
            distrust.judge(shows(2), start + seconds(3)),
            Judgement::Accept
        );
        assert_eq!(distrust.reread_at(), None);
        assert_eq!(
            distrust.judge(shows(4), start + seconds(4)),
            Judgement::Accept
        );
        assert_eq!(distrust.accepted(), 4);
    }

    #[test]
    fn a_set_that_grows_back_and_empties_again_is_held_from_then() {
        let start = Instant::now();
        let mut distrust = having(2, start);
        distrust.judge(shows(0), start);
        distrust.judge(shows(2), start + seconds(20));
        distrust.judge(shows(0), start + seconds(25));
        assert_eq!(
            distrust.judge(reread(0), start + seconds(31)),
            Judgement::Hold(Doubt::Empty)
        );
    }
}

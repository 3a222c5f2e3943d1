//! The index of a blocking query: what to ask with next, and whether time went backwards.
//!
//! Consul answers a blocking query once its index is *greater* than the one asked with, so an index that is too high
//! blocks until the wait is over.
//! An index that went backwards is a restart, a snapshot restore or another server: ask from the beginning.
//! The same after an error, because whatever answers next may be such a server and must answer at once.

/// The index that was seen and the one to ask with.
#[derive(Debug, Default)]
pub(crate) struct Index {
    seen: u64,
    next: u64,
}

/// How an answer's index relates to the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Equal or higher.
    Onwards,
    /// Lower, or missing: not the history that we were following.
    Backwards,
}

// ---

impl Index {
    /// The index for the next query; 0 asks for an answer at once.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Whether this is the index that was seen last.
    pub(crate) fn is(&self, index: Option<u64>) -> bool {
        self.seen > 0 && index == Some(self.seen)
    }

    /// Takes note of an answer's index; a missing or unreadable one counts as 0.
    pub(crate) fn observe(&mut self, index: Option<u64>) -> Step {
        let new = index.unwrap_or(0);
        let step = if new < self.seen {
            Step::Backwards
        } else {
            Step::Onwards
        };
        self.next = if step == Step::Backwards {
            0
        } else {
            new.max(1)
        };
        self.seen = new;
        step
    }

    /// The next query is to be answered at once; going backwards is still noticed.
    pub(crate) fn ask_at_once(&mut self) {
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_query_does_not_block() {
        assert_eq!(Index::default().next(), 0);
    }

    #[test]
    fn a_rising_or_equal_index_is_followed() {
        let mut index = Index::default();
        for seen in [5, 5, 9] {
            assert_eq!(index.observe(Some(seen)), Step::Onwards);
            assert_eq!(index.next(), seen);
        }
    }

    #[test]
    fn an_index_that_went_backwards_starts_from_the_beginning() {
        let mut index = Index::default();
        index.observe(Some(5));
        assert_eq!(index.observe(Some(3)), Step::Backwards);
        assert_eq!(index.next(), 0);
        assert_eq!(index.observe(Some(3)), Step::Onwards);
        assert_eq!(index.next(), 3);
    }

    #[test]
    fn index_zero_is_never_asked_with_twice_in_a_row() {
        let mut index = Index::default();
        assert_eq!(index.observe(Some(0)), Step::Onwards);
        assert_eq!(
            index.next(),
            1,
            "0 would not block, and two such answers make a busy loop"
        );
    }

    #[test]
    fn a_missing_index_counts_as_zero() {
        let mut index = Index::default();
        index.observe(Some(5));
        assert_eq!(index.observe(None), Step::Backwards);
        assert_eq!(index.next(), 0);
        assert_eq!(index.observe(None), Step::Onwards);
        assert_eq!(index.next(), 1);
    }

    #[test]
    fn after_an_error_the_next_answer_comes_at_once_and_a_restart_is_still_noticed() {
        let mut index = Index::default();
        index.observe(Some(500));
        index.ask_at_once();
        assert_eq!(index.next(), 0);
        assert_eq!(index.observe(Some(12)), Step::Backwards);
    }
}

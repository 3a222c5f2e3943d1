//! How the health of a service is read: who may answer, from which index on, and how long the whole of it may take.

use std::time::Duration;

/// How to read the health of a service.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Who may answer.
    pub consistency: Consistency,
    /// Answer once the catalogue is past this index; 0: at once.
    pub index: u64,
    /// How long the agent may wait for that. Ignored when `index` is 0.
    pub wait: Duration,
}

/// Who may answer a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// Any server, leader or not: works through elections.
    Stale,
    /// The leader.
    Leader,
    /// The leader, once a quorum has confirmed that it is.
    Consistent,
}

/// What a blocking read may take beyond its wait: servers hold it for up to 7 s while they elect a leader.
const READ_SLACK: Duration = Duration::from_secs(11);

// ---

impl Read {
    pub(super) fn query(&self) -> String {
        let consistency = match self.consistency {
            Consistency::Stale => "stale",
            Consistency::Leader => "leader",
            Consistency::Consistent => "consistent",
        };
        match self.index {
            0 => consistency.to_owned(),
            index => format!(
                "{consistency}&index={index}&wait={}ms",
                self.wait.as_millis().max(1)
            ),
        }
    }

    /// The wait, the sixteenth that Consul adds to it, and time for the answer itself.
    pub(super) fn limit(&self) -> Duration {
        match self.index {
            0 => READ_SLACK,
            _ => self.wait + self.wait / 16 + READ_SLACK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocking_read_may_take_its_wait_a_sixteenth_and_some_slack() {
        let read = Read {
            consistency: Consistency::Stale,
            index: 7,
            wait: Duration::from_secs(55),
        };
        assert_eq!(read.query(), "stale&index=7&wait=55000ms");
        assert!(
            (69..=70).contains(&read.limit().as_secs()),
            "{:?}",
            read.limit()
        );
    }

    #[test]
    fn a_read_at_once_names_neither_index_nor_wait() {
        let read = Read {
            consistency: Consistency::Consistent,
            index: 0,
            wait: Duration::from_secs(55),
        };
        assert_eq!(read.query(), "consistent");
        assert_eq!(read.limit(), READ_SLACK);
    }
}

//! What a connection is waiting for, as far as its two sides have told: the stream sees bytes come and go, the application sees requests.
//!
//! A connection is between requests, within a head, or within an exchange (from a whole head to the end of the answer's body).
//! A head is timed from its first byte, or from the end of the exchange before it when that byte came ahead; time is an argument.
//! A client that waits for `100 Continue` is told when somebody wants its body, and not at all when nobody does.

use super::Times;
use std::cell::Cell;
use std::time::Instant;

/// One connection, seen from both sides. It stays on its worker.
#[derive(Debug)]
pub struct Watch {
    phase: Cell<Phase>,
    requests: Cell<u32>,
    ending: Cell<Ending>,
    /// Everything that was to be written for requests so far is with the kernel.
    flushed: Cell<bool>,
    invitation: Cell<Invitation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head { since: Instant },
    Idle { since: Instant },
    Exchange,
}

/// Whether more requests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Open,
    Last,
    Over,
}

/// What has become of a `100 Continue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Invitation {
    /// Nobody expects one.
    None,
    /// The server below is about to write one, unasked.
    Announced,
    /// It was kept back.
    Withheld,
    /// Somebody wants the body.
    Due,
}

/// The moment at which a client has let us wait too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    Head(Instant),
    Idle(Instant),
}

impl Watch {
    /// A connection that was opened now: its first head is awaited.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: Cell::new(Phase::Head { since: now }),
            requests: Cell::new(0),
            ending: Cell::new(Ending::Open),
            flushed: Cell::new(true),
            invitation: Cell::new(Invitation::None),
        }
    }

    /// Bytes came: between requests they are the first of a head.
    pub(super) fn came(&self, now: impl FnOnce() -> Instant) {
        if matches!(self.phase.get(), Phase::Idle { .. }) {
            self.phase.set(Phase::Head { since: now() });
        }
    }

    /// A head is whole; which request of this connection it is, counted from 1, or none of it any more.
    pub(super) fn head_read(&self) -> Option<u32> {
        self.phase.set(Phase::Exchange);
        if self.ending.get() != Ending::Open {
            self.ending.set(Ending::Over);
            return None;
        }
        self.flushed.set(false);
        self.requests.set(self.requests.get().saturating_add(1));
        Some(self.requests.get())
    }

    /// The exchange that runs is the connection's last: one side has said so.
    pub(super) fn last(&self) {
        self.ending.set(Ending::Last);
    }

    /// Whether requests came behind the last: the server below had read ahead, and would go on.
    pub(super) fn is_over(&self) -> bool {
        self.ending.get() == Ending::Over
    }

    /// The answer's body has ended, well or not.
    pub(super) fn answered(&self, now: Instant) {
        self.phase.set(Phase::Idle { since: now });
    }

    /// Nothing is left to write at the moment.
    pub(super) fn flushed(&self) {
        self.flushed.set(self.phase.get() != Phase::Exchange);
    }

    /// What is written now belongs to no request of the application's.
    pub(super) fn is_unasked(&self) -> bool {
        self.flushed.get()
    }

    /// When the client will have let us wait too long; never within an exchange.
    pub(super) fn deadline(&self, times: &Times) -> Option<Deadline> {
        match self.phase.get() {
            Phase::Head { since } => Some(Deadline::Head(since + times.head)),
            Phase::Idle { since } => Some(Deadline::Idle(since + times.idle)),
            Phase::Exchange => None,
        }
    }

    /// The server below writes `100 Continue` next; it is kept back until somebody wants the body.
    pub(super) fn withhold_invitation(&self) {
        self.invitation.set(Invitation::Announced);
    }

    /// Somebody wants the body: a client that waits to be invited is. More than once is once.
    pub fn invite(&self) {
        match self.invitation.get() {
            // What the server below writes may pass.
            Invitation::Announced => self.invitation.set(Invitation::None),
            Invitation::Withheld => self.invitation.set(Invitation::Due),
            Invitation::None | Invitation::Due => {}
        }
    }

    /// Something is about to be written: whether it begins with an invitation that must be kept back.
    /// An answer that has begun makes every invitation late.
    pub(super) fn keeps_back(&self, invitation: bool) -> bool {
        let announced = self.invitation.get() == Invitation::Announced && invitation;
        self.invitation.set(if announced {
            Invitation::Withheld
        } else {
            Invitation::None
        });
        announced
    }

    /// Whether an invitation is to be written now.
    pub(super) fn take_invitation(&self) -> bool {
        let due = self.invitation.get() == Invitation::Due;
        if due {
            self.invitation.set(Invitation::None);
        }
        due
    }
}

impl Deadline {
    pub(super) fn at(self) -> Instant {
        match self {
            Self::Head(at) | Self::Idle(at) => at,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::time::Duration;

    const TIMES: Times = Times {
        head: Duration::from_secs(5),
        idle: Duration::from_secs(15),
        stall: Duration::from_secs(30),
    };

    fn second(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn every_head_is_timed_from_its_first_byte_and_no_exchange_is() {
        let begin = Instant::now();
        let watch = Watch::new(begin);
        let deadline = |watch: &Watch| watch.deadline(&TIMES);
        assert_eq!(deadline(&watch), Some(Deadline::Head(begin + second(5))));
        watch.came(|| begin + second(3));
        assert_eq!(
            deadline(&watch),
            Some(Deadline::Head(begin + second(5))),
            "another byte buys no time"
        );
        assert_eq!(watch.head_read(), Some(1));
        assert_eq!(deadline(&watch), None);
        watch.came(|| begin + second(50));
        assert_eq!(deadline(&watch), None, "bodies are timed elsewhere");

        watch.answered(begin + second(60));
        assert_eq!(deadline(&watch), Some(Deadline::Idle(begin + second(75))));
        watch.came(|| begin + second(70));
        watch.came(|| begin + second(74));
        assert_eq!(deadline(&watch), Some(Deadline::Head(begin + second(75))));
        assert_eq!(watch.head_read(), Some(2));
    }

    #[test]
    fn only_what_is_written_outside_of_exchanges_is_unasked() {
        let watch = Watch::new(Instant::now());
        assert!(watch.is_unasked());
        watch.head_read();
        watch.flushed();
        assert!(!watch.is_unasked());
        watch.answered(Instant::now());
        assert!(
            !watch.is_unasked(),
            "the end of the answer is still to be written"
        );
        watch.flushed();
        assert!(watch.is_unasked());
    }

    #[test]
    fn nothing_behind_the_last_request_is_one() {
        let watch = Watch::new(Instant::now());
        assert_eq!(watch.head_read(), Some(1));
        watch.last();
        watch.answered(Instant::now());
        assert!(!watch.is_over());
        assert_eq!(watch.head_read(), None);
        assert!(watch.is_over());
    }

    #[test]
    fn an_invitation_waits_until_the_body_is_wanted() {
        let watch = Watch::new(Instant::now());
        watch.withhold_invitation();
        watch.head_read();
        assert!(watch.keeps_back(true));
        assert!(!watch.take_invitation());
        watch.invite();
        watch.invite();
        assert!(watch.take_invitation());
        assert!(!watch.take_invitation());
        assert!(!watch.keeps_back(false));
    }

    #[test]
    fn a_body_that_is_wanted_at_once_lets_the_servers_own_invitation_pass() {
        let watch = Watch::new(Instant::now());
        watch.withhold_invitation();
        watch.head_read();
        watch.invite();
        assert!(!watch.keeps_back(true));
        assert!(!watch.take_invitation());
    }

    #[test]
    fn nobody_is_invited_once_the_answer_has_begun() {
        let watch = Watch::new(Instant::now());
        watch.withhold_invitation();
        watch.head_read();
        watch.answered(Instant::now());
        assert!(watch.keeps_back(true), "an answer that was there at once");
        assert!(!watch.keeps_back(false));
        watch.invite();
        assert!(!watch.take_invitation());
    }
}

//! The keys that are known now, and what happens to a token whose key is not.
//!
//! A good set stays until a newer good one takes its place, for ever if need be: whoever publishes the keys may be down, and tokens are still verified.
//! An unknown key may be a new one, so its token waits for one answer of the publisher; all that wait share it, and none is asked for sooner than a while after the last.
//! Within that while an unknown key is refused at once: a flood of invented ids costs the publisher one request in that time, and its senders a 401 each.
//! Asking is `auth/refresh.rs`'s.

use std::time::{Duration, Instant};

use ed25519_dalek::VerifyingKey;
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use super::{Refused, jwks::KeySet};

/// What is known; shared by all workers and by the task that refreshes it.
#[derive(Debug)]
pub struct Keyring {
    state: watch::Sender<State>,
    wanted: Notify,
    /// No two refreshes begin closer together than this, whatever clients send.
    least: Duration,
}

#[derive(Debug)]
struct State {
    /// `None` until the first good answer.
    keys: Option<KeySet>,
    /// When they were last confirmed; before that, when we began.
    confirmed: Instant,
    /// When the last refresh began.
    began: Instant,
    running: bool,
    /// Refreshes that have ended, well or not.
    ended: u64,
}

/// A publisher that takes longer than its own timeout is not waited for.
const MOST_WAIT: Duration = Duration::from_secs(1);
/// Each that waits holds a place in the gateway: invented ids must not take those of everybody else while the publisher
/// hangs.
const MOST_WAITING: usize = 128;

impl Keyring {
    /// Empty, as at the start of a process: the first refresh is about to begin.
    pub fn new(least: Duration) -> Self {
        let now = Instant::now();
        let state = State {
            keys: None,
            confirmed: now,
            began: now,
            running: true,
            ended: 0,
        };
        Self {
            state: watch::Sender::new(state),
            wanted: Notify::new(),
            least,
        }
    }

    /// The key with this id.
    ///
    /// # Errors
    /// It is not among those known, and a refresh did not bring it or may not be made yet; or none were ever known.
    pub async fn find(&self, kid: &str, now: Instant) -> Result<VerifyingKey, Refused> {
        let ended = {
            let state = self.state.borrow();
            if let Some(key) = state.get(kid) {
                return Ok(key);
            }
            if !state.worth_waiting(now, self.least) {
                return Err(state.refusal());
            }
            if self.state.receiver_count() >= MOST_WAITING {
                return Err(Refused::KeysUnavailable);
            }
            state.ended
        };
        let mut changes = self.state.subscribe();
        self.wanted.notify_one();
        // Late or not: what is known then decides.
        let _ = timeout(MOST_WAIT, changes.wait_for(|state| state.ended > ended)).await;
        let state = self.state.borrow();
        state.get(kid).ok_or_else(|| state.refusal())
    }

    /// Resolves when a token asks for a key that is not known and a refresh may begin.
    pub async fn wanted(&self) {
        loop {
            self.wanted.notified().await;
            // Whoever asked too early has its answer already.
            if self.state.borrow().due(Instant::now(), self.least) {
                return;
            }
        }
    }

    /// A refresh begins.
    pub fn begin(&self, now: Instant) {
        self.state.send_modify(|state| {
            state.began = now;
            state.running = true;
        });
    }

    /// A refresh has ended: with a good set, or with none.
    pub fn end(&self, fetched: Option<KeySet>, now: Instant) {
        self.state.send_modify(|state| {
            if fetched.is_some() {
                state.keys = fetched;
                state.confirmed = now;
            }
            state.running = false;
            state.ended += 1;
        });
    }

    /// Since the keys were last confirmed; since the start, if they never were.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.state.borrow().confirmed)
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.state.borrow().keys.as_ref().map_or(0, KeySet::len)
    }

    /// Whether there was never a good answer.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl State {
    fn get(&self, kid: &str) -> Option<VerifyingKey> {
        self.keys.as_ref()?.get(kid).copied()
    }

    /// Without any keys the task asks by itself, as often as it may.
    fn worth_waiting(&self, now: Instant, least: Duration) -> bool {
        self.running || (self.keys.is_some() && self.due(now, least))
    }

    fn due(&self, now: Instant, least: Duration) -> bool {
        !self.running && now.saturating_duration_since(self.began) >= least
    }

    fn refusal(&self) -> Refused {
        match self.keys {
            Some(_) => Refused::UnknownKey,
            None => Refused::KeysUnavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use ed25519_dalek::SigningKey;
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    const LEAST: Duration = Duration::from_secs(5);

    fn set(kids: &[&str]) -> KeySet {
        let public = SigningKey::from_bytes(&[7; 32]).verifying_key();
        let x = URL_SAFE_NO_PAD.encode(public.as_bytes());
        let jwk =
            |kid: &&str| serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x});
        let keys: Vec<_> = kids.iter().map(jwk).collect();
        let document = serde_json::from_value(serde_json::json!({ "keys": keys }));
        KeySet::read(document.expect("a document")).expect("a good set")
    }

    fn known(kids: &[&str], now: Instant) -> Keyring {
        let ring = Keyring::new(LEAST);
        ring.begin(now);
        ring.end(Some(set(kids)), now);
        ring
    }

    #[tokio::test]
    async fn an_unknown_key_waits_for_one_refresh_that_all_share() {
        let now = Instant::now();
        let ring = known(&["old"], now);
        let later = now + LEAST;
        let asking = join_all((0..100).map(|_| ring.find("new", later)));
        let publisher = async {
            ring.wanted.notified().await;
            ring.begin(later);
            ring.end(Some(set(&["old", "new"])), later);
        };
        let (found, ()) = tokio::join!(asking, publisher);
        assert!(found.iter().all(Result::is_ok));
        // One permit may be left of those that asked together; it finds nothing due.
        assert_eq!(ring.wanted().now_or_never(), None);
    }

    #[tokio::test]
    async fn a_flood_of_unknown_keys_does_not_wait_as_one() {
        let now = Instant::now();
        let (ring, later) = (known(&["old"], now), now + LEAST);
        let mut waiting = join_all((0..MOST_WAITING).map(|_| ring.find("invented", later)));
        assert_eq!((&mut waiting).now_or_never(), None);
        let refused = ring.find("invented", later).now_or_never();
        assert_eq!(refused, Some(Err(Refused::KeysUnavailable)));
        assert!(
            ring.find("old", later).await.is_ok(),
            "who is known waits for nobody"
        );
        drop(waiting);
        assert_eq!(ring.find("new", later).now_or_never(), None);
    }

    #[tokio::test]
    async fn between_two_refreshes_unknown_keys_are_refused_at_once() {
        let now = Instant::now();
        let ring = known(&["old"], now);
        for after in [0, 1, 4_999] {
            let at = now + Duration::from_millis(after);
            let refused = ring.find("invented", at).now_or_never();
            assert_eq!(refused, Some(Err(Refused::UnknownKey)), "{after} ms");
            assert!(
                ring.find("old", at)
                    .now_or_never()
                    .is_some_and(|found| found.is_ok())
            );
        }
        assert_eq!(ring.find("invented", now + LEAST).now_or_never(), None);
    }

    #[tokio::test]
    async fn a_refresh_that_fails_takes_no_key_away() {
        let now = Instant::now();
        let ring = known(&["old"], now);
        let later = now + Duration::from_secs(3600);
        ring.begin(later);
        ring.end(None, later);
        assert!(ring.find("old", later).await.is_ok());
        assert_eq!(ring.age(later), Duration::from_secs(3600));
        assert_eq!(ring.len(), 1);
    }

    #[tokio::test]
    async fn without_any_keys_it_is_not_the_tokens_fault() {
        let now = Instant::now();
        let ring = Keyring::new(LEAST);
        assert_eq!(
            ring.find("any", now).now_or_never(),
            None,
            "the first refresh"
        );
        ring.end(None, now);
        let refused = ring.find("any", now + LEAST * 2).now_or_never();
        assert_eq!(refused, Some(Err(Refused::KeysUnavailable)));
    }
}

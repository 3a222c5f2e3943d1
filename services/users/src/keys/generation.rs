//! Which key signs, which are published, which may go: decided by the time that is passed in.
//!
//! The newest generation whose time has come signs.
//! It took over from the ones before it at that time; each of those is published until the last token that it signed has expired.

/// One generation of the signing key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Generation {
    #[sqlx(rename = "generation")]
    pub number: i64,
    pub kid: String,
    pub secret: String,
    pub public: String,
    pub created_at_ms: i64,
    pub signs_from_ms: i64,
}

/// All generations, the newest first.
#[derive(Debug)]
pub struct Generations(Vec<Generation>);

impl Generations {
    /// As the store gives them: the newest first.
    pub fn new(newest_first: Vec<Generation>) -> Self {
        Self(newest_first)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Generation> {
        self.0.iter()
    }

    /// The number of the newest, 0 when there is none.
    pub fn newest(&self) -> i64 {
        self.0.first().map_or(0, |newest| newest.number)
    }

    /// The one that signs.
    pub fn signing(&self, now_ms: i64) -> Option<&Generation> {
        self.iter()
            .find(|generation| generation.signs_from_ms <= now_ms)
    }

    /// Those that a token may still need, or will.
    pub fn published(&self, now_ms: i64, kept_ms: i64) -> impl Iterator<Item = &Generation> {
        self.iter()
            .filter(move |generation| !self.is_expired(generation, now_ms, kept_ms))
    }

    /// Those that no token can need any more.
    pub fn expired(&self, now_ms: i64, kept_ms: i64) -> impl Iterator<Item = &Generation> {
        self.iter()
            .filter(move |generation| self.is_expired(generation, now_ms, kept_ms))
    }

    /// What it does now, in a word.
    pub fn state(&self, generation: &Generation, now_ms: i64) -> &'static str {
        match self.signing(now_ms) {
            Some(signing) if signing.number == generation.number => "signing",
            Some(signing) if signing.number > generation.number => "retired",
            _ => "waiting",
        }
    }

    fn is_expired(&self, generation: &Generation, now_ms: i64, kept_ms: i64) -> bool {
        let newer = self.iter().filter(|other| other.number > generation.number);
        // Settings may have changed between two rotations: the earliest successor took over.
        let taken_over = newer.map(|other| other.signs_from_ms).min();
        taken_over.is_some_and(|at| at.saturating_add(kept_ms) <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: i64 = 1_000;

    fn generations(signing_from: &[i64]) -> Generations {
        let generation = |(number, signs_from_ms): (usize, &i64)| Generation {
            number: i64::try_from(number).unwrap_or_default() + 1,
            kid: format!("k{}", number + 1),
            secret: String::new(),
            public: String::new(),
            created_at_ms: 0,
            signs_from_ms: *signs_from_ms,
        };
        let oldest_first: Vec<_> = signing_from.iter().enumerate().map(generation).collect();
        Generations::new(oldest_first.into_iter().rev().collect())
    }

    fn at(all: &Generations, now: i64) -> (Option<i64>, Vec<i64>) {
        let published = all.published(now, KEPT).map(|one| one.number).collect();
        (all.signing(now).map(|one| one.number), published)
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_after_it_has_signed() {
        let all = generations(&[0, 500]);
        assert_eq!(at(&all, 0), (Some(1), vec![2, 1]));
        assert_eq!(at(&all, 499), (Some(1), vec![2, 1]));
        assert_eq!(at(&all, 500), (Some(2), vec![2, 1]));
        assert_eq!(at(&all, 1_499), (Some(2), vec![2, 1]));
        assert_eq!(at(&all, 1_500), (Some(2), vec![2]));
        assert_eq!(at(&all, i64::MAX), (Some(2), vec![2]), "the last one stays");
    }

    #[test]
    fn what_signs_is_published_and_was_published_before_at_every_moment() {
        for second in [100, 500, 900] {
            for third in [second + 1, 950, 2_000] {
                let all = generations(&[0, second, third]);
                for now in (0..5_000).step_by(50) {
                    let (signing, published) = at(&all, now);
                    assert!(signing.is_some_and(|one| published.contains(&one)), "{now}");
                    // A token signed up to KEPT ago still finds its key.
                    let signed = all.signing((now - KEPT + 1).max(0)).map(|one| one.number);
                    assert!(signed.is_some_and(|one| published.contains(&one)), "{now}");
                }
            }
        }
    }

    #[test]
    fn a_rotation_with_a_shorter_wait_takes_over_from_one_that_waits_longer() {
        let all = generations(&[0, 900, 400]);
        assert_eq!(at(&all, 400).0, Some(3));
        assert_eq!(at(&all, 900).0, Some(3));
        assert_eq!(at(&all, 1_400).1, vec![3]);
    }

    #[test]
    fn each_key_has_a_word_for_what_it_does() {
        let all = generations(&[0, 10, 100]);
        let states: Vec<_> = all.iter().map(|one| all.state(one, 50)).collect();
        assert_eq!(states, ["waiting", "signing", "retired"]);
    }
}

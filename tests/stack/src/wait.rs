//! Waiting on a condition with a deadline, the only way anything here waits.
//!
//! A probe answers with the value, or with a sentence of what it saw instead; that sentence is in the error when the time is up.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// Short enough to add nothing to a start of seconds, long enough that eleven pollers cost nothing.
const PAUSE: Duration = Duration::from_millis(25);

/// Calls `probe` until it gives a value, at most for `limit`.
pub async fn until<T, P, F>(what: &str, limit: Duration, mut probe: P) -> Result<T, Error>
where
    P: FnMut() -> F,
    F: Future<Output = Result<T, String>>,
{
    let begin = Instant::now();
    loop {
        let seen = match tokio::time::timeout_at(begin + limit, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => seen,
            Err(_) => "no answer".to_owned(),
        };
        if begin.elapsed() + PAUSE >= limit {
            return Err(Error::Waited {
                what: what.to_owned(),
                waited: limit,
                seen,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_value_of_the_first_success_is_given() {
        let mut asked = 0;
        let value = until("three", Duration::from_secs(5), || {
            asked += 1;
            let now = asked;
            async move {
                if now == 3 {
                    Ok(now)
                } else {
                    Err(format!("only {now}"))
                }
            }
        });
        assert_eq!(value.await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_deadline_tells_what_was_seen_last() {
        let never = until("rain", Duration::from_millis(60), || async {
            Err::<(), _>("sun".to_owned())
        });
        let text = never.await.unwrap_err().to_string();
        assert!(text.contains("rain") && text.contains("sun"), "{text}");
    }
}

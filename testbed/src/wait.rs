//! Waiting for conditions.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Often enough to lose no time, seldom enough to leave the processors to what is waited for.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks until the answer is `Some`, at most for `limit`; an error ends it.
///
/// `what` completes "waited 30 s for ...".
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if started.elapsed() > limit {
            bail!("waited {} s for {what}", limit.as_secs());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

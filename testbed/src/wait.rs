//! Waiting for conditions.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The polling interval: short enough to lose no time, and long enough not to slow down the program that is waited for.
const PAUSE: Duration = Duration::from_millis(50);

/// Polls until the result is `Some`, at most for `limit`; an error ends it.
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

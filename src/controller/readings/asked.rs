//! Asks a source for many values, one by one, in the time that there is in a minute.

use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout};

use super::failure::{Failure, Value};

/// How long an answer may take.
pub(super) const LONGEST: Duration = Duration::from_secs(5);
/// For how long queries are sent in a minute. The last answers come before the next measurement of what tasks use.
const ASKING: Duration = Duration::from_secs(9);
/// How many queries are sent at a time.
pub(super) const CONCURRENT: usize = 16;

/// Returns the values of queries, and how many were asked: the first ones. There was no time for the others.
pub(super) async fn values<'q, F: Future<Output = Value>>(
    queries: &[&'q str],
    ask: impl Fn(&'q str) -> F,
) -> (Vec<(&'q str, Value)>, usize) {
    let end = Instant::now() + ASKING;
    let asked = AtomicUsize::new(0);
    let values = stream::iter(queries)
        .map(async |query: &&'q str| {
            let query = *query;
            if Instant::now() >= end {
                return (query, Err(Failure::late()));
            }
            asked.fetch_add(1, Ordering::SeqCst);
            let value = timeout(LONGEST, ask(query)).await;
            (query, value.unwrap_or_else(|_elapsed| Err(Failure::late())))
        })
        .buffer_unordered(CONCURRENT)
        .collect();
    let values = values.await;
    (values, asked.into_inner())
}
